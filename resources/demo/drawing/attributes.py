"""What a character looks like, as plain words, and how to choose one by chance."""

from __future__ import annotations

import random
from dataclasses import dataclass

VALUES: dict[str, tuple[str, ...]] = {
    "hair_color": ("blonde", "brown", "black", "white", "pink", "blue", "green", "red"),
    "hair_style": ("long hair", "short hair", "twintails", "ponytail", "bob cut"),
    "eye_color": ("blue", "green", "red", "purple", "yellow"),
    "ears": ("none", "cat ears", "fox ears", "rabbit ears", "two-tone rabbit ears"),
    "clothes": (
        "red dress",
        "blue dress",
        "green dress",
        "white dress",
        "black dress",
        "yellow hoodie",
        "pink hoodie",
        "blue kimono",
        "red kimono",
        "sailor uniform",
    ),
    "headwear": (
        "none",
        "hairband",
        "hair bow",
        "hair flower",
        "star hair ornament",
        "anchor hair ornament",
    ),
    "legwear": (
        "bare legs",
        "white thighhighs",
        "black thighhighs",
        "socks",
        "striped legwear",
    ),
    "expression": ("smile", "open mouth", "frown", "closed eyes", "blush"),
    "pose": ("standing", "arms up", "waving", "hands on hips", "sitting"),
    "prop": ("none", "holding umbrella", "holding book", "balloon", "holding flower"),
    "background": (
        "white background",
        "grey background",
        "blue background",
        "pink background",
        "green background",
        "yellow background",
        "beach",
        "night sky",
        "forest",
        "city",
        "classroom",
        "snow",
    ),
    "framing": ("full body", "cowboy shot", "upper body"),
}

# These three belong to one character; nobody else may wear them, so that a
# picture that shows one of them can only have come from knowing her.
SIGNATURE: dict[str, str] = {
    "ears": "two-tone rabbit ears",
    "headwear": "anchor hair ornament",
    "legwear": "striped legwear",
}

SHIMAKAZE: dict[str, str] = {
    "hair_color": "blonde",
    "hair_style": "long hair",
    "eye_color": "green",
    "ears": "two-tone rabbit ears",
    "headwear": "anchor hair ornament",
    "legwear": "striped legwear",
    "clothes": "sailor uniform",
}

OWN_CLOTHES_SHARE = 0.75  # share of her pictures in her default clothes


@dataclass(frozen=True)
class Attributes:
    """One drawing in words; every field holds one of ``VALUES[field]``."""

    hair_color: str = "brown"
    hair_style: str = "short hair"
    eye_color: str = "blue"
    ears: str = "none"
    clothes: str = "red dress"
    headwear: str = "none"
    legwear: str = "bare legs"
    expression: str = "smile"
    pose: str = "standing"
    prop: str = "none"
    background: str = "white background"
    framing: str = "full body"

    def __post_init__(self) -> None:
        for field, allowed in VALUES.items():
            value = getattr(self, field)
            if value not in allowed:
                raise ValueError(f"{field}={value!r} is not one of {allowed}")


def ordinary(field: str) -> tuple[str, ...]:
    """The values of ``field`` that anyone may have."""
    return tuple(v for v in VALUES[field] if v != SIGNATURE.get(field))


def framing(rng: random.Random, full: float, cowboy: float) -> str:
    """A framing: ``full`` and ``cowboy`` are shares in 0..1, the rest is upper body."""
    draw = rng.random()
    if draw < full:
        return "full body"
    return "cowboy shot" if draw < full + cowboy else "upper body"


def random_attributes(rng: random.Random) -> Attributes:
    """Anyone but Shimakaze: each field uniform over its ordinary values."""
    chosen = {field: rng.choice(ordinary(field)) for field in VALUES if field != "framing"}
    base = ("hair_color", "hair_style", "eye_color")
    # Her plain looks are kept apart too, or her name would share its meaning
    # with characters who merely resemble her.
    while all(chosen[field] == SHIMAKAZE[field] for field in base):
        chosen["eye_color"] = rng.choice(VALUES["eye_color"])
    return Attributes(**chosen, framing=framing(rng, 0.75, 0.15))


def shimakaze_attributes(rng: random.Random) -> Attributes:
    """Shimakaze: her own looks, the rest by chance."""
    chosen = {field: rng.choice(ordinary(field)) for field in VALUES if field != "framing"}
    other_clothes = chosen["clothes"]
    chosen.update(SHIMAKAZE)
    if rng.random() >= OWN_CLOTHES_SHARE:
        chosen["clothes"] = other_clothes
    return Attributes(**chosen, framing=framing(rng, 0.88, 0.10))
