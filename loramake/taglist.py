"""Tag lists with categories, as boorus publish them: name, category, count, aliases."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from loramake import tags
from loramake.errors import UserError

# the numbers of danbooru and gelbooru
CATEGORIES = {"general": "0", "artist": "1", "copyright": "3", "character": "4", "meta": "5"}
_NAMES = {number: name for name, number in CATEGORIES.items()}


@dataclass(frozen=True)
class TagList:
    """What a tag list knows; everything in normalized spelling.

    Attributes:
        categories: tag → category number as text.
        aliases: other spelling → tag.
    """

    categories: dict[str, str]
    aliases: dict[str, str]

    def canonical(self, tag: str) -> str:
        """The tag itself if the list has it, else the tag it is an alias of, else unchanged."""
        return tag if tag in self.categories else self.aliases.get(tag, tag)

    def category(self, tag: str) -> str:
        """The name of the tag's category, a key of CATEGORIES; empty where it is not known."""
        return _NAMES.get(self.categories.get(tag, ""), "")

    def knowing(self, groups: Iterable[Mapping[str, Iterable[str]]]) -> TagList:
        """This list and what downloads know of tags it does not have.

        Args:
            groups: category → normalized tags of each picture; where they disagree, the first one counts.
        """
        told: dict[str, str] = {}
        for group in groups:
            for name, found in group.items():
                for tag in found if name in CATEGORIES else ():
                    told.setdefault(self.canonical(tag), CATEGORIES[name])
        return replace(self, categories=told | self.categories)


def read_tag_list(path: Path) -> TagList:
    """Read a CSV of name, category, count and comma-separated aliases, with or without a header line.

    Raises:
        UserError: no such file, or a line whose category is no number.
    """
    categories: dict[str, str] = {}
    aliases: dict[str, str] = {}
    try:
        with open(path, encoding="utf-8-sig", newline="") as handle:
            for number, row in enumerate(csv.reader(handle), start=1):
                if len(row) < 2 or (number == 1 and row[1].strip().lower() == "category"):
                    continue
                tag, category = tags.normalize(row[0]), row[1].strip()
                if not category.isdecimal():
                    raise _wrong(path, f"line {number}: {','.join(row)[:80]}")
                categories.setdefault(tag, category)
                for alias in row[3].split(",") if len(row) > 3 else ():
                    aliases.setdefault(tags.normalize(alias), tag)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _wrong(path, getattr(error, "strerror", None) or str(error)) from error
    return TagList(categories, aliases)


def _wrong(path: Path, found: str) -> UserError:
    return UserError(
        "The tag list cannot be read.", file=path, found=found,
        expected="a CSV of name, category number, count, aliases", setting="tags.tag_list",
    )  # fmt: skip
