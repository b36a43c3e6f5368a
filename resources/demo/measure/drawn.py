"""Drawings with known truth, for teaching the reader and for testing it.

Her signature details are worn here by anybody, each by itself, so that none of them
can be guessed from hair or eyes; look-alikes in borrowed colours keep the reader honest.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from drawing import PALETTE, SIGNATURE, Attributes, draw, random_attributes, shimakaze_attributes

HERS = 0.12  # share of drawings that show the whole character
DETAIL = 0.22  # chance of each signature detail on anybody else
LOOKALIKE = 0.15  # share of drawings with ordinary things in signature colours

ORANGE, CYAN = PALETTE["ears"]["two-tone upper"], PALETTE["headwear"]["anchor hair ornament"]
TEAL = PALETTE["legwear"]["striped legwear dark"]
BORROWED: tuple[tuple[str, str, tuple[int, int, int]], ...] = (
    ("ears", "rabbit ears", ORANGE),
    ("ears", "rabbit ears", PALETTE["ears"]["two-tone lower"]),
    ("headwear", "star hair ornament", CYAN),
    ("headwear", "hair flower", CYAN),
    ("headwear", "hairband", CYAN),
    ("headwear", "hair bow", CYAN),
    ("legwear", "white thighhighs", TEAL),
    ("legwear", "black thighhighs", TEAL),
    ("legwear", "socks", TEAL),
)


def anybody(rng: random.Random) -> Attributes:
    """Random attributes, signature details among them."""
    if rng.random() < HERS:
        return shimakaze_attributes(rng)
    chosen = random_attributes(rng)
    return replace(chosen, **{f: v for f, v in SIGNATURE.items() if rng.random() < DETAIL})


@contextmanager
def dyed(part: str, name: str, colour: tuple[int, int, int]) -> Iterator[None]:
    """The drawing program's palette with one colour changed."""
    before = PALETTE[part][name]
    PALETTE[part][name] = colour
    try:
        yield
    finally:
        PALETTE[part][name] = before


def sample(seed: int, size: tuple[int, int], lookalikes: bool = True) -> tuple[Attributes, np.ndarray]:
    """One drawing: (truth, uint8 (h, w, 3)); ``size`` is (width, height)."""
    rng = random.Random(f"{seed} measure")
    attributes = anybody(rng)
    if not lookalikes or rng.random() >= LOOKALIKE:
        return attributes, np.asarray(draw(attributes, size, seed))
    part, name, colour = rng.choice(BORROWED)
    attributes = replace(attributes, **{part: name})
    with dyed(part, name, colour):
        return attributes, np.asarray(draw(attributes, size, seed))
