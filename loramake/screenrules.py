"""The rules of screening: what drops a picture looked at alone, and what drops it beside the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np

from loramake import minors, neardup
from loramake.edits import Edit
from loramake.rawfiles import SIDE_SUFFIX, TAG_SUFFIXES, RawFolder
from loramake.rawtags import RawTags
from loramake.survey import Facts
from loramake.tagrules import TagExpression

# in the order in which they are asked; the first that applies is the one that is named
RULES = (
    "minors", "unreadable", "edits", "animated", "missing tags", "rating", "tags", "too small", "aspect", "blank",
    "duplicate", "near-duplicate", "same name", "stray",
)  # fmt: skip

_VIDEOS = frozenset({".mp4", ".webm", ".mkv", ".avi", ".mov", ".swf", ".m4v", ".flv", ".wmv", ".mpg", ".ts"})
_ARCHIVES = frozenset({".zip", ".rar", ".7z", ".gz", ".tar", ".cbz", ".cbr", ".xz", ".bz2"})
_UNREAD = frozenset(
    {".tif", ".tiff", ".tga", ".psd", ".heic", ".heif", ".jxl", ".svg", ".ico", ".jp2", ".clip", ".kra"}
)
_UNFINISHED = frozenset({".part", ".crdownload", ".tmp", ".!ut", ".download"})


@dataclass(frozen=True)
class Decision:
    """What becomes of one raw file.

    Attributes:
        file: its name in the raw folder.
        keep: whether it enters the dataset.
        rule: one of RULES, the one that decided; empty where none did.
        reason: the same in words, with what was found; of a kept picture, what is odd about it.
    """

    file: str
    keep: bool
    rule: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Candidate:
    """A picture on its way through the rules."""

    name: str
    facts: Facts
    known: RawTags
    edit: Edit


@dataclass(frozen=True)
class Limits:
    """What a picture has to fulfil; see `screening.screen_images`."""

    reject_tags: Sequence[TagExpression]
    ratings: Sequence[str]
    min_side: int
    reject_aspect: float
    require_tags: bool


def judge_strays(raw: RawFolder) -> dict[str, Decision]:
    """The rows of the files that are neither a picture nor belong to one, and of subfolders (`name/`)."""
    beside = (*TAG_SUFFIXES, SIDE_SUFFIX)
    others = [name for name in raw.strays if PurePath(name).suffix.lower() not in beside]
    # film.txt and film.mp4.txt both are of film.mp4
    owners = {key: name for name in others for key in (PurePath(name).stem, name)}
    return {name: _judge_stray(name, owners.get(PurePath(name).stem, "")) for name in raw.strays}


def _judge_stray(name: str, owner: str) -> Decision:
    if name.endswith("/"):
        return Decision(name, False, "stray", "a subfolder: not looked into")
    if name.startswith("."):
        return Decision(name, False, "stray", "a name that begins with a dot: rename it")
    suffix = PurePath(name).suffix.lower()
    whose = f"of a {PurePath(owner).suffix.lower()} file, which is not read" if owner else "without picture"
    kinds = {
        f"a tag file {whose}": TAG_SUFFIXES,
        f"a side file {whose}": (SIDE_SUFFIX,),
        "a video": _VIDEOS,
        "an archive": _ARCHIVES,
        "an unfinished download": _UNFINISHED,
        f"a picture in a format that is not read ({suffix}): save it as png": _UNREAD,
    }
    kind = next((kind for kind, suffixes in kinds.items() if suffix in suffixes), None)
    return Decision(name, False, "stray", kind or f"no picture ({suffix or 'no suffix'})")


def judge(picture: Candidate, limits: Limits) -> Decision | None:
    """The first rule that drops this picture, looked at alone; None if none does."""
    facts, known, edit = picture.facts, picture.known, picture.edit

    def drop(rule: str, reason: str) -> Decision:
        return Decision(picture.name, False, rule, reason)

    # before everything a user may decide, on the tags as they came
    if minors.marks_sexualised_minor(known.every):
        return drop("minors", "its tags mark a sexualised minor")
    if facts.problem or known.problem:
        return drop("unreadable", facts.problem or known.problem)
    if edit.drop:
        return drop("edits", edit.drop)
    if edit.keep:
        return None
    if facts.animated:
        return drop("animated", "more than one frame")
    return _judge_tags(picture, limits) or _judge_size(picture, limits)


def _judge_tags(picture: Candidate, limits: Limits) -> Decision | None:
    known, edit = picture.known, picture.edit
    edited = edit.edit_tags(known.tags)
    if limits.require_tags and not edited:
        return Decision(picture.name, False, "missing tags", "no tag file, or nothing in it")
    if known.rating and known.rating not in limits.ratings:
        return Decision(picture.name, False, "rating", known.rating)
    for rule in limits.reject_tags:
        if rule.matches(edited):
            written = edit.edit_tags(known.written)
            source = "" if rule.matches(written) else ", says the tagger"
            return Decision(picture.name, False, "tags", f"{rule.text}{source}")
    return None


def _judge_size(picture: Candidate, limits: Limits) -> Decision | None:
    facts = picture.facts
    size = f"{facts.width}x{facts.height}"
    if min(facts.width, facts.height) < limits.min_side:
        return Decision(picture.name, False, "too small", f"{size}, the shorter side needs {limits.min_side}")
    if facts.aspect > limits.reject_aspect:
        reason = f"{size} is {facts.aspect:.1f}:1, the limit is {limits.reject_aspect:g}:1"
        return Decision(picture.name, False, "aspect", reason)
    if facts.signature.is_plain:
        ground = " when put on white" if facts.see_through else ""
        return Decision(picture.name, False, "blank", f"one colour all over{ground}")
    return None


def judge_copies(
    pictures: Sequence[Candidate],
    barred: Iterable[Candidate],
    distance: int,
    thumbnail: Callable[[str], np.ndarray],
) -> dict[str, Decision]:
    """Copies among the pictures that passed: same bytes, same drawing, or a name that another one has taken.

    The picture kept by hand wins, then the largest, then the one with the highest score, then the first. Nothing kept
    by hand is dropped for its looks; a copy of a barred picture is dropped all the same.

    Args:
        pictures: those that passed, in natural order.
        barred: those that the minors rule dropped and that can be read.
        distance: see `neardup.find_copies`.
        thumbnail: of a content hash.

    Returns:
        name → decision, of those that are dropped.
    """
    order = sorted(pictures, key=lambda each: (not each.edit.keep, -each.facts.pixels, -each.known.score))
    banned = {each.facts.content: each.name for each in barred}
    dropped: dict[str, Decision] = {}
    first: dict[str, str] = {}
    for each in order:
        if each.facts.content in banned:
            dropped[each.name] = _barred(each.name, banned[each.facts.content])
            continue
        winner = first.setdefault(each.facts.content, each.name)
        if winner != each.name and not each.edit.keep:
            dropped[each.name] = Decision(each.name, False, "duplicate", f"the same file as {winner}")
    left = {each.name: each for each in order if each.name not in dropped}
    contents = {name: content for content, name in banned.items()}
    signatures = {each.name: each.facts.signature for each in barred if each.name in contents}
    contents |= {name: each.facts.content for name, each in left.items()}
    signatures |= {name: each.facts.signature for name, each in left.items()}
    copies = neardup.find_copies(list(contents), signatures, lambda name: thumbnail(contents[name]), distance)
    for name, winner in copies.items():
        if name in left and winner not in left:
            dropped[name] = _barred(name, winner)
        elif name in left and not left[name].edit.keep:
            dropped[name] = Decision(name, False, "near-duplicate", f"a copy of {winner}")
    return dropped | _judge_names(name for name in left if name not in dropped)


def _barred(name: str, winner: str) -> Decision:
    return Decision(name, False, "minors", f"a copy of {winner}, whose tags mark a sexualised minor")


def _judge_names(names: Iterable[str]) -> dict[str, Decision]:
    dropped, stems = {}, {}
    for name in names:
        # case twins too: they are one file on Windows and macOS
        winner = stems.setdefault(PurePath(name).stem.casefold(), name)
        if winner != name:
            dropped[name] = Decision(name, False, "same name", f"{winner} would have the same tag file")
    return dropped
