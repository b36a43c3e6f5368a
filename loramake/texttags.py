"""Tags that name writing, for pictures whose writing cleaning has taken away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources

import yaml

from loramake import repairs
from loramake.repairs import Change
from loramake.tagrules import TagExpression, parse_expressions

GONE = "no longer in the picture"


def gone_tags(found: Sequence[str], changes: Iterable[Change]) -> list[str]:
    """Which of a picture's tags name writing that was painted over or cut off.

    None where some writing was seen and stayed: nothing tells which of it a tag means.

    Args:
        found: normalized tags.
        changes: what cleaning did to the picture.
    """
    changes = list(changes)
    if any(each.change == repairs.LEFT for each in changes):
        return []
    removed = {kind for each in changes if each.change in repairs.TEXT_CHANGES for kind in repairs.named_kinds(each)}
    kinds = [name for kind, name in (("bubble", "bubble"), ("text", "writing")) if kind in removed]
    rules = [rule for name in (*kinds, *(["either"] if kinds else [])) for rule in _rules()[name]]
    return [tag for tag in found if any(rule.matches([tag]) for rule in rules)]


@cache
def _rules() -> dict[str, list[TagExpression]]:
    text = resources.files("loramake").joinpath("data/text_tags.yaml").read_text(encoding="utf-8")
    return {name: parse_expressions(patterns, "data/text_tags.yaml") for name, patterns in yaml.safe_load(text).items()}
