"""What the pictures are asked for."""

from __future__ import annotations

import random

from drawing import Attributes, caption_tags, random_attributes
from drawing.tags import SCENE

# Others than her own sailor uniform, of every kind and of six colours.
CLOTHES = ("red dress", "black dress", "green dress", "yellow hoodie", "pink hoodie", "blue kimono", "red kimono")
BACKGROUNDS = ("blue background", "pink background", "yellow background", "night sky", "forest", "beach", "classroom")


def unseen(count: int) -> list[tuple[Attributes, str]]:
    """Random characters and their captions; the base model's drawings come from other seeds."""
    chosen = [random_attributes(random.Random(f"{i} quality")) for i in range(count)]
    return [(a, ", ".join(caption_tags(a))) for a in chosen]


def requests() -> list[tuple[str, str, str]]:
    """(field, value, tags) of the prompts that ask for other clothes and other backgrounds."""
    out = [("clothes", value, value) for value in CLOTHES]
    return out + [("background", value, ", ".join(SCENE.get(value, [value]))) for value in BACKGROUNDS]


def with_trigger(trigger: str, tags: str) -> str:
    """A prompt that calls the character."""
    return f"{trigger}, {tags}"
