"""What becomes of each tag on its way into a caption, and why."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from loramake import tags
from loramake.errors import UserError
from loramake.implications import Implications
from loramake.taglist import CATEGORIES, TagList
from loramake.tagrules import parse_expressions

BY_TRIGGER = "the trigger"  # why the character's own tag is left out


@dataclass(frozen=True)
class CaptionRules:
    """How raw tags become a caption.

    Attributes:
        character: the character's booru tag, normalized.
        trigger: stands for it, first in every caption, as the user wrote it.
        why_dropped: why a normalized tag is left out; empty if it stays.
        protected: whether no rule may leave it out.
        renamed: normalized tag → what is written instead; empty drops it.
        implications: which tags are left out beside one that says more; None = all stay.
    """

    character: str
    trigger: str
    why_dropped: Callable[[str], str]
    protected: Callable[[str], bool]
    renamed: Mapping[str, str]
    implications: Implications | None = None

    def caption(self, raw: Sequence[str]) -> list[str]:
        """The tags to write: trigger, then the rest in its order, each once."""
        return self.judge(raw)[0]

    def judge(self, raw: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        """The tags to write, and what became of the raw tags that are not among them: tag → reason in a few words."""
        own = {self.character, tags.normalize(self.trigger)}
        folded = self.implications.find(raw) if self.implications else {}
        written: list[str] = []
        fates: dict[str, str] = {}
        for tag in raw:
            if tag in own:
                fates[tag] = BY_TRIGGER
            elif why := self.why_dropped(tag):
                fates[tag] = why
            elif tag in folded and not self.protected(tag):
                fates[tag] = f"implied by {folded[tag]}"
            elif tag in self.renamed:
                fates[tag] = f"renamed to {self.renamed[tag]}" if self.renamed[tag] else "renamed to nothing"
                written.append(self.renamed[tag])
            else:
                written.append(tag)
        # a name may be changed into the trigger's, in any spelling
        rest = (tag for tag in tags.unique(written) if tags.normalize(tag) not in own)
        return [self.trigger, *rest], fates


def make_rules(
    tag: str,
    trigger: str,
    drop: Sequence[str],
    keep: Sequence[str],
    drop_costumes: bool,
    rename: Mapping[str, str],
    known: TagList,
    drop_categories: Sequence[str],
    implications: Implications | None = None,
) -> CaptionRules:
    """Caption rules from the settings; see `captions.normalize_tags`.

    Raises:
        UserError: a pattern cannot be read, or an unknown category.
    """
    for category in drop_categories:
        if category not in CATEGORIES:
            raise UserError(
                "Unknown tag category.", found=category, expected=", ".join(CATEGORIES), setting="tags.drop_categories"
            )
    junk = parse_expressions(junk_patterns(), "tags.drop")
    dropping = parse_expressions(drop, "tags.drop")
    keeping = parse_expressions(keep, "tags.keep")
    character = known.canonical(tags.normalize(tag))
    costume = costume_pattern(character) if drop_costumes else None
    # the character's own tag names her series; no tag list is needed to know that this one is a copyright
    series = re.search(r"\(([^()]*)\)$", character) if "copyright" in drop_categories else None

    # the same few hundred tags come again in every picture
    @cache
    def protected(each: str) -> bool:
        return any(rule.matches([each]) for rule in keeping)

    @cache
    def why_dropped(each: str) -> str:
        if protected(each):
            return ""
        if any(rule.matches([each]) for rule in dropping):
            return "tags.drop"
        if any(rule.matches([each]) for rule in junk):
            return "junk"
        if costume and costume.fullmatch(each):
            return "another costume"
        category = "copyright" if series and each == series[1] else known.category(each)
        return category if category in drop_categories else ""

    renamed = {tags.normalize(old): ("" if new is None else str(new).strip()) for old, new in rename.items()}
    return CaptionRules(character, trigger.strip(), why_dropped, protected, renamed, implications)


def junk_patterns() -> list[str]:
    """The shipped list of junk tags: booru housekeeping that says nothing about the picture."""
    text = resources.files("loramake").joinpath("data/junk_tags.txt").read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("# ")]


def costume_pattern(character: str) -> re.Pattern[str]:
    """Tags of the character in other dress: her name and any parentheses, but not exactly her own tag.

    `shimakaze (the white rabbit of wonderland) (azur lane)` for `shimakaze (azur lane)`.
    """
    name = re.sub(r"(\s*\([^()]*\))+$", "", character) or character
    return re.compile(rf"(?!{re.escape(character)}$){re.escape(name)}(?: \([^()]*\))+")
