"""How varied a set is, by its tags: backgrounds, views, framing, clothes, costumes, artists, ratings.

What all pictures share is learned as part of the character, and what one picture alone shows is hardly learned.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml

from loramake import tags
from loramake.captionrules import costume_pattern
from loramake.rawtags import rating_of

FLAT = "flat colour"
OWN_COSTUME = "no costume tag"


@dataclass(frozen=True)
class Described:
    """What is known of a picture by words.

    Attributes:
        tags: normalized tags as they came, before junk is dropped.
        artists: names, where known.
        rating: general, sensitive, questionable or explicit; empty where unknown.
    """

    tags: tuple[str, ...]
    artists: tuple[str, ...] = ()
    rating: str = ""


@dataclass(frozen=True)
class Group:
    """How a set divides by one property.

    Attributes:
        name: background, view, framing, clothes, costume, artist or rating.
        pictures: size of the set.
        counts: class → pictures in it, most first; a picture may be in several.
        unknown: pictures in no class.
    """

    name: str
    pictures: int
    counts: Mapping[str, int]
    unknown: int

    def share(self, label: str) -> float:
        """Share (0…1) of all pictures that are in a class."""
        return self.counts.get(label, 0) / self.pictures if self.pictures else 0.0

    @property
    def known(self) -> int:
        """Pictures in at least one class."""
        return self.pictures - self.unknown

    @property
    def largest(self) -> tuple[str, float]:
        """The commonest class and its share (0…1) of the pictures in any class; ("", 0) where there is none."""
        label = max(self.counts, key=self.counts.__getitem__, default="")
        return label, self.counts[label] / self.known if label else 0.0


def classify(picture: Described, character: str) -> dict[str, list[str]]:
    """The classes of a picture in each group, in the groups' order; an empty list where it is in none.

    Args:
        picture: what is known of it by words.
        character: her booru tag, by which her costume tags are known.
    """
    costume = _costume(character)
    found = {name: tags.unique(map(class_of, picture.tags)) for name, class_of in _tag_classes().items()}
    return found | {
        "costume": [tag for tag in picture.tags if costume.fullmatch(tag)] or [OWN_COSTUME],
        "artist": list(picture.artists),
        "rating": [picture.rating] if picture.rating else [],
    }


def measure(classified: Sequence[Mapping[str, Sequence[str]]]) -> dict[str, Group]:
    """The groups of a set, by name, from `classify` of each of its pictures."""
    names = classified[0] if classified else ()
    return {name: _count(name, [classes[name] for classes in classified]) for name in names}


def describe(found: Sequence[str], artists: Iterable[str] = (), rating: str = "") -> Described:
    """A picture's words from its normalized tags, and from its post where that is known.

    Artists and rating are also read off tags such as `kuro neko (artist)`, `artist:kuro neko` and `rating:general`.
    """
    named = [tag.removesuffix("(artist)").removeprefix("artist:").strip() for tag in found if _is_artist(tag)]
    return Described(tuple(found), tuple(tags.unique([*artists, *named])), rating or rating_of(list(found)))


def _is_artist(tag: str) -> bool:
    return tag.endswith(" (artist)") or tag.startswith("artist:")


def _count(name: str, found: Sequence[Sequence[str]]) -> Group:
    counts = Counter(label for labels in found for label in set(labels))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return Group(name, len(found), dict(ordered), sum(not labels for labels in found))


@cache
def _costume(character: str) -> re.Pattern[str]:
    return costume_pattern(tags.normalize(character))


@cache
def _tag_classes() -> dict[str, Callable[[str], str]]:
    """Of each group that tags decide: the function from a tag to its class, empty for none."""
    text = resources.files("loramake").joinpath("data/variety.yaml").read_text(encoding="utf-8")
    shipped = yaml.safe_load(text)
    by_tag = {name: _tag_lookup(classes) for name, classes in shipped.items() if name != "clothes"}
    return {**by_tag, "clothes": _garment_lookup(shipped["clothes"])}


def _tag_lookup(classes: Mapping[str, Sequence[str]]) -> Callable[[str], str]:
    exact = {tag: label for label, members in classes.items() for tag in members}
    return lambda tag: exact.get(tag, "")


def _garment_lookup(garments: Sequence[str]) -> Callable[[str], str]:
    """Tag → the longest garment that it is or ends in: "pleated skirt" is a skirt, "miniskirt" is not asked for."""
    known = frozenset(garments)

    def garment(tag: str) -> str:
        words = tag.split(" ")
        ends = (" ".join(words[start:]) for start in range(len(words)))
        return next((end for end in ends if end in known), "")

    return garment
