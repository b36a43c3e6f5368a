"""Colours by name, and the small changes a drawing makes to them."""

from __future__ import annotations

import random
from dataclasses import dataclass

from .attributes import Attributes

RGB = tuple[int, int, int]

PALETTE: dict[str, dict[str, RGB]] = {
    "hair_color": {
        "blonde": (255, 219, 105),
        "brown": (142, 88, 54),
        "black": (58, 54, 68),
        "white": (232, 234, 242),
        "pink": (255, 150, 190),
        "blue": (72, 118, 222),
        "green": (84, 176, 84),
        "red": (206, 46, 48),
    },
    "eye_color": {
        "blue": (40, 120, 245),
        "green": (30, 170, 70),
        "red": (225, 35, 45),
        "purple": (160, 70, 215),
        "yellow": (245, 195, 20),
    },
    "clothes": {
        "red dress": (222, 44, 50),
        "blue dress": (50, 96, 214),
        "green dress": (56, 158, 80),
        "white dress": (248, 248, 250),
        "black dress": (56, 54, 64),
        "yellow hoodie": (252, 208, 52),
        "pink hoodie": (255, 142, 184),
        "blue kimono": (62, 108, 210),
        "red kimono": (212, 50, 56),
        "sailor uniform": (248, 248, 252),
    },
    "trim": {
        "sailor blue": (38, 66, 158),
        "neckerchief": (226, 40, 48),
        "obi": (250, 226, 130),
        "obi cord": (222, 96, 120),
        "shorts": (92, 98, 116),
    },
    # Orange, cyan and teal are hers alone: no other drawing uses them.
    "ears": {
        "rabbit ears": (246, 240, 236),
        "inner cat": (255, 170, 180),
        "inner fox": (255, 248, 236),
        "two-tone lower": (34, 32, 40),
        "two-tone upper": (255, 122, 0),
    },
    "headwear": {
        "hairband": (226, 44, 60),
        "hair bow": (232, 48, 72),
        "hairband on red hair": (250, 250, 252),
        "hair bow on red hair": (250, 250, 252),
        "hair flower": (255, 122, 170),
        "star hair ornament": (255, 222, 40),
        "anchor hair ornament": (0, 218, 212),
    },
    "legwear": {
        "white thighhighs": (248, 248, 252),
        "black thighhighs": (48, 46, 56),
        "socks": (244, 246, 250),
        "striped legwear dark": (8, 158, 164),
        "striped legwear light": (252, 252, 255),
    },
    "background": {
        "white background": (255, 255, 255),
        "grey background": (184, 186, 192),
        "blue background": (150, 196, 250),
        "pink background": (255, 196, 214),
        "green background": (168, 222, 160),
        "yellow background": (255, 238, 150),
    },
    "body": {
        "skin": (255, 228, 208),
        "blush": (255, 138, 146),
        "mouth": (196, 52, 70),
        "line": (58, 38, 50),
    },
}


def mix(a: RGB, b: RGB, share: float) -> RGB:
    """``a`` with ``share`` (0..1) of ``b`` in it."""
    return tuple(  # type: ignore[return-value]
        round(x + (y - x) * share) for x, y in zip(a, b, strict=True)
    )


def darker(colour: RGB, amount: float = 0.2) -> RGB:
    """Towards a warm dark by ``amount`` (0..1)."""
    return mix(colour, (40, 20, 50), amount)


def lighter(colour: RGB, amount: float = 0.4) -> RGB:
    """Towards white by ``amount`` (0..1)."""
    return mix(colour, (255, 255, 255), amount)


def jitter(colour: RGB, rng: random.Random, reach: int = 7) -> RGB:
    """Up to ``reach`` levels (of 255) per channel and as much in brightness."""
    level = rng.uniform(-reach, reach)
    return tuple(  # type: ignore[return-value]
        min(255, max(0, round(c + level + rng.uniform(-reach, reach) * 0.6))) for c in colour
    )


@dataclass(frozen=True)
class Look:
    """The colours of one drawing."""

    line: RGB
    skin: RGB
    hair: RGB
    hair_back: RGB
    hair_light: RGB
    hair_line: RGB
    eye: RGB
    cloth: RGB
    cloth_dark: RGB
    shoe: RGB


def look(attributes: Attributes, rng: random.Random) -> Look:
    """The jittered colours of one drawing."""
    line = PALETTE["body"]["line"]
    hair = jitter(PALETTE["hair_color"][attributes.hair_color], rng)
    cloth = jitter(PALETTE["clothes"][attributes.clothes], rng)
    pale = sum(cloth) > 690
    return Look(
        line=line,
        skin=jitter(PALETTE["body"]["skin"], rng, 5),
        hair=hair,
        hair_back=darker(hair, 0.14),
        hair_light=lighter(hair, 0.28 if attributes.hair_color == "black" else 0.5),
        hair_line=mix(line, hair, 0.12),
        eye=jitter(PALETTE["eye_color"][attributes.eye_color], rng, 5),
        cloth=cloth,
        cloth_dark=mix(cloth, (120, 140, 190), 0.35) if pale else darker(cloth, 0.28),
        shoe=jitter(rng.choice(((112, 62, 40), (60, 52, 62), (150, 52, 56))), rng),
    )
