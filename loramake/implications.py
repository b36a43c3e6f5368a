"""Tags that say no more than another one beside them: `animal ears` with `rabbit ears`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources

import yaml

from loramake import tagrules, tags

# "no hat" and "hand under shirt" fit "* hat" and "* shirt", but need not say that one is worn
_OF_ANOTHER_KIND = re.compile(r"(?:no|unworn|removing|holding|adjusting|drawn) .*|.* (?:under|over|on|in|between) .*")


class Implications:
    """A table of implied tags."""

    def __init__(self, table: Mapping[str, Sequence[str]]) -> None:
        """
        Args:
            table: implied tag → tags and patterns (with `*`) that say it and more.
        """
        self._patterns = {
            tags.normalize(implied): [tagrules.tag_pattern(pattern) for pattern in patterns]
            for implied, patterns in table.items()
        }

    def find(self, found: Iterable[str]) -> dict[str, str]:
        """The tags of a picture that another of its tags implies, each with the first such tag."""
        found = list(found)
        implied = {}
        for tag in found:
            for pattern in self._patterns.get(tag, ()):
                by = next((each for each in found if each != tag and _says(pattern, each)), None)
                if by:
                    implied[tag] = by
                    break
        return implied


def read_implications(more: Mapping[str, Sequence[str]]) -> Implications:
    """The shipped table, and what the user adds to it."""
    text = resources.files("loramake").joinpath("data/implications.yaml").read_text(encoding="utf-8")
    table = {tags.normalize(implied): list(patterns) for implied, patterns in yaml.safe_load(text).items()}
    for implied, patterns in more.items():
        table.setdefault(tags.normalize(implied), []).extend(patterns)
    return Implications(table)


def _says(pattern: re.Pattern[str], tag: str) -> bool:
    return bool(pattern.fullmatch(tag)) and not _OF_ANOTHER_KIND.fullmatch(tag)
