"""Plain tests for the colours that belong to one character alone.

They do not know what the colours are on; the network decides that. Asking for both
keeps a network's slip from becoming a false signature.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from .network import AREA, seen_size

# Hue in degrees, saturation and value in 0..1: (from, to, least saturation, least value, greatest value).
# The signature colours lie at hue 29 (orange), 178 (cyan) and 182 (teal, with white).
Band = tuple[float, float, float, float, float]
ORANGE: Band = (14, 40, 0.68, 0.62, 1.0)
BLACK: Band = (0, 360, 0.0, 0.0, 0.34)
CYAN: Band = (162, 196, 0.5, 0.42, 1.0)
TEAL: Band = (160, 206, 0.35, 0.22, 0.85)

TOP = 0.55  # ears end and the ornament sits above this share of the height
LEGS = 0.5  # legs begin below this one


def amount(hsv: np.ndarray, band: Band) -> int:
    """Pixels of ``hsv`` (float (h, w, 3)) that lie in ``band``."""
    hue, saturation, value = hsv[..., 0], hsv[..., 1], hsv[..., 2]
    low, high, least, dim, bright = band
    return int(((hue >= low) & (hue <= high) & (saturation >= least) & (value >= dim) & (value <= bright)).sum())


def to_hsv(picture: np.ndarray) -> np.ndarray:
    """uint8 (h, w, 3) to hue 0..360, saturation and value 0..1 at about ``AREA`` pixels."""
    height, width = picture.shape[:2]
    size = seen_size(width, height)
    if size != (width, height):
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)


def enough(hsv: np.ndarray, *wanted: tuple[Band, float]) -> bool:
    """Whether every band has at least its share (in 1/1000 of a whole picture) of pixels."""
    return all(amount(hsv, band) >= AREA * share / 1000 for band, share in wanted)


def two_tone_ears(hsv: np.ndarray) -> bool:
    """Orange and black high up."""
    top = hsv[: int(len(hsv) * TOP)]
    return enough(top, (ORANGE, 4.0), (BLACK, 4.0))


def cyan_anchor(hsv: np.ndarray) -> bool:
    """Cyan at the height of the head."""
    return enough(hsv[: int(len(hsv) * TOP)], (CYAN, 2.5))


def striped_legs(hsv: np.ndarray) -> bool:
    """Teal low down; the white between it is for the network to see."""
    return enough(hsv[int(len(hsv) * LEGS) :], (TEAL, 2.5))


TESTS: dict[str, Callable[[np.ndarray], bool]] = {
    "ears": two_tone_ears,
    "headwear": cyan_anchor,
    "legwear": striped_legs,
}


def signature_colours(picture: np.ndarray) -> dict[str, bool]:
    """For each signature detail, whether its colours are there (uint8 (h, w, 3))."""
    hsv = to_hsv(picture)
    return {field: test(hsv) for field, test in TESTS.items()}
