"""The tags of a raw picture, wherever they stand: its tag file, its .json side file, or the automatic tagger's file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from loramake import tags
from loramake.errors import UserError
from loramake.rawfiles import RawFolder, short_name

RATINGS = ("general", "sensitive", "questionable", "explicit")
_RATINGS = {"g": RATINGS[0], "safe": RATINGS[0], "s": RATINGS[1], "q": RATINGS[2], "e": RATINGS[3]}
_RATINGS |= {rating: rating for rating in RATINGS}
# on these an s means safe; danbooru made it sensitive, which is what an s of unknown origin counts as
_S_IS_SAFE = ("yande", "konachan", "safebooru.org", "moebooru", "lolibooru", "sakugabooru", "rule34", "e621", "e926")
# a tag file or side file beyond this is something else under its name; a booru's largest post has some 10 kB of tags
MOST_BYTES = 1_000_000


@dataclass(frozen=True)
class SideFile:
    """What the .json beside a picture says.

    Attributes:
        score: the post's score; 0 where there is none.
        rating: one of RATINGS; empty where there is none.
        tags: normalized tags of all categories.
        categories: category → its tags, where the file tells them apart.
    """

    score: int = 0
    rating: str = ""
    tags: tuple[str, ...] = ()
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class RawTags:
    """All that is known of a picture before it is looked at.

    Attributes:
        written: normalized tags of the tag file, else of the side file; each once.
        automatic: those of the tagger.
        every: tag file, side file and tagger together, with the rating as a tag: what the minors rule looks at.
        rating: one of RATINGS; empty where nothing tells it.
        score: of the post.
        problem: why the tag file cannot be used; empty if it can.
        note: what is odd about it, though it was read.
    """

    written: list[str] = field(default_factory=list)
    automatic: list[str] = field(default_factory=list)
    every: list[str] = field(default_factory=list)
    rating: str = ""
    score: int = 0
    problem: str = ""
    note: str = ""

    @property
    def tags(self) -> list[str]:
        """Written and automatic tags together, each once: what the tag rules look at."""
        return tags.unique([*self.written, *self.automatic])


def read_raw_tags(raw: RawFolder, name: str, autotags: Path | None = None) -> RawTags:
    """Tags, rating and score of one picture; never raises for what stands in a file.

    Args:
        raw: the raw folder.
        name: of the picture.
        autotags: output of `autotags.autotag_images`; None or missing = no tagger.
    """
    problem = note = ""
    written: list[str] = []
    if name in raw.tag_files:
        written, problem, note = _read_tag_file(raw.folder / raw.tag_files[name])
    side = SideFile()
    if name in raw.side_files:
        side, fault = _read_side_file(raw.folder / raw.side_files[name])
        note = "; ".join(filter(None, (note, fault)))
    automatic: list[str] = []
    if autotags is not None and (file := Path(autotags) / f"{short_name(name)}.txt").is_file():
        automatic = tags.read_tags(file)
    rating = rating_of(written) or side.rating or rating_of(automatic)
    every = tags.unique([*written, *side.tags, *automatic, f"rating:{side.rating}" if side.rating else ""])
    return RawTags(written or list(side.tags), automatic, every, rating, side.score, problem, note)


def read_side_file(path: Path) -> SideFile:
    """What a .json beside a picture says: the download rule's own form, and gallery-dl's of the usual boorus.

    Raises:
        UserError: it cannot be read or is no JSON object.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"{path.stat().st_size // 1_000_000} MB")
        content = json.loads(tags.decode(path.read_bytes()))
        if not isinstance(content, dict):
            raise ValueError(f"a {type(content).__name__}")
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            "A side file cannot be read.", file=path, found=getattr(error, "strerror", None) or str(error)[:80],
            expected="a JSON object", setting="delete it, or download the post again",
        ) from error  # fmt: skip
    categories = _categories(content)
    # gallery-dl adds a list of all tags to danbooru's and gelbooru's own lists by category
    rest = [tag for key in ("tags", "tag_string") for tag in _as_tags(content.get(key))]
    every = tags.unique([tag for found in categories.values() for tag in found] + rest)
    where = " ".join(str(content.get(key, "")) for key in ("site", "category", "subcategory", "source")).lower()
    return SideFile(_score(content.get("score")), _rating(content.get("rating"), where), tuple(every), categories)


def rating_of(found: list[str]) -> str:
    """The rating that a `rating:explicit` or the like among normalized tags names; empty if none does."""
    words = (tag.partition(":")[2].strip() for tag in found if tag.startswith("rating:"))
    return next((_RATINGS[word] for word in words if word in _RATINGS), "")


def _read_tag_file(path: Path) -> tuple[list[str], str, str]:
    """Tags, problem and note of a tag file."""
    name = path.name
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            return [], f"{name} has {size / 1e6:.1f} MB: no tag file", ""
        content = path.read_bytes()
    except OSError as error:
        return [], f"{name} cannot be read: {error.strerror}", ""
    text, encoding = tags.decode_named(content)
    fault = tags.text_fault(text)
    if fault:
        # its tags are looked at all the same, by the rule that nothing overrides
        return tags.split_tags(text), f"{name} is {fault}", ""
    return tags.split_tags(text), "", f"{name} is no UTF-8, read as {encoding}" if encoding == "Latin-1" else ""


def _read_side_file(path: Path) -> tuple[SideFile, str]:
    try:
        return read_side_file(path), ""
    except UserError as error:
        return SideFile(), f"{path.name} cannot be read: {error.found}"


def _categories(content: dict) -> dict[str, tuple[str, ...]]:
    """Tags by category: `tags: {category: […]}`, or danbooru's and gelbooru's `tags_general`, `tag_string_general`."""
    if isinstance(content.get("tags"), dict):
        parts = content["tags"].items()
    else:
        keys = (key for key in content if str(key).startswith(("tags_", "tag_string_")))
        parts = ((key.removeprefix("tag_string_").removeprefix("tags_"), content[key]) for key in keys)
    found = {str(category).lower(): tuple(tags.unique(_as_tags(value))) for category, value in parts}
    return {category: listed for category, listed in found.items() if listed}


def _as_tags(value: object) -> list[str]:
    """A list of tags, or a text of them: with spaces between on boorus, with commas elsewhere."""
    if isinstance(value, str):
        return tags.split_tags(value if "," in value else "\n".join(value.split()))
    if isinstance(value, list):
        return [tags.normalize(each) for each in value if isinstance(each, str)]
    return []


def _score(value: object) -> int:
    # moebooru and gelbooru say 12, derpibooru and e621 {"total": 12}
    value = value.get("total") if isinstance(value, dict) else value
    try:
        return int(value) if isinstance(value, (int, float, str)) else 0
    except (ValueError, OverflowError):
        return 0


def _rating(value: object, where: str) -> str:
    word = value.strip().lower() if isinstance(value, str) else ""
    if word == "s" and any(site in where for site in _S_IS_SAFE):
        return RATINGS[0]
    return _RATINGS.get(word, "")
