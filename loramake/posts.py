"""A booru's post as gallery-dl reports it, whatever the booru calls its fields."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass

from loramake import boorus, tags

CATEGORIES = ("general", "character", "copyright", "artist", "meta")
# what boorus call categories that others have under one of those names
_SAME = {
    "metadata": "meta",
    "faults": "meta",
    "style": "meta",
    "deprecated": "meta",
    "circle": "artist",
    "studio": "artist",
}


@dataclass(frozen=True)
class Post:
    """One post.

    Attributes:
        id: the booru's number of it; 0 where it gave none that is a number.
        site: the booru's name.
        source: where the picture was published first, as the booru has it.
        rating: one of boorus.RATINGS, or "" where the booru's is unknown.
        score: votes.
        tags: category → tags as the booru spells them; everything is general where it tells no categories.
        md5: 32 hex digits of the file, or "".
        extension: of the file, lower case, without the dot.
        address: of the file.
    """

    id: int
    site: str
    source: str
    rating: str
    score: int
    tags: dict[str, list[str]]
    md5: str
    extension: str
    address: str

    @property
    def plain_tags(self) -> list[str]:
        """All tags, normalized."""
        return tags.unique(tags.normalize(tag) for category in CATEGORIES for tag in self.tags[category])

    @property
    def has_categories(self) -> bool:
        """Whether the booru told which tag is an artist's, a character's and so on."""
        return any(self.tags[category] for category in CATEGORIES[1:])

    def tag_line(self) -> str:
        """The line of its tag file: characters first, then the series, separated by ", "."""
        order = ("character", "copyright", "artist", "general", "meta")
        names = (tags.normalize(tag).replace(",", " ") for category in order for tag in self.tags[category])
        return ", ".join(tags.unique(names)) + "\n"

    def side_file(self) -> dict[str, object]:
        """What stands in the .json beside the picture."""
        return {
            "id": self.id,
            "site": self.site,
            "source": self.source,
            "rating": self.rating,
            "score": self.score,
            "tags": self.tags,
        }


def read_post(fields: Mapping[str, object], site: str, engine: str) -> Post:
    """The post in gallery-dl's metadata; nothing in it is trusted, a missing or odd field reads as empty."""
    md5 = str(fields.get("md5") or "").lower()
    return Post(
        id=_number(fields.get("id")) if str(fields.get("id")).isdecimal() else 0,
        site=site,
        source=str(fields.get("source") or ""),
        rating=boorus.read_rating(engine, str(fields.get("rating") or "")),
        score=_number(fields.get("score")),
        tags=read_categories(fields),
        md5=md5 if len(md5) == 32 and not set(md5) - set("0123456789abcdef") else "",
        extension=str(fields.get("extension") or "").lower(),
        address=str(fields.get("file_url") or ""),
    )


def read_categories(fields: Mapping[str, object]) -> dict[str, list[str]]:
    """Category → tags, from `tags` and as many of `tags_artist`, `tags_metadata`, … as there are."""
    found: dict[str, list[str]] = {category: [] for category in CATEGORIES}
    for key, value in fields.items():
        name = key.removeprefix("tags_")
        name = _SAME.get(name, name)
        if key.startswith("tags_") and name in found:
            found[name] += _split(value)
    told = {tag for names in found.values() for tag in names}
    found["general"] += [tag for tag in _split(fields.get("tags")) if tag not in told]
    return {category: tags.unique(names) for category, names in found.items()}


def _split(value: object) -> list[str]:
    words = value.split() if isinstance(value, str) else map(str, value) if isinstance(value, list | tuple) else ()
    return [html.unescape(word) for word in words]


def _number(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        return 0
