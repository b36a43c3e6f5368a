"""The strokes of letters in a line of text, so that a drawing under the text loses no more than they cover."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

# colours of the same ink differ by no more than this, 0…255
_SAME_INK = 24
# and those of an even ground, which fills at least this share of the picture's border
_SAME_GROUND, _LEAST_BORDER = 20, 0.1
# a stroke is no wider than this, share of the line's height
_WIDEST_STROKE = 0.36
# what is grown on each side, share of the line's height: soft edges, thin outlines of letters, blocks of JPEGs
_EDGE = 0.07
# share of the line's length that letters must cover, and of the line's area
_LEAST_COVERED, _LEAST_INK, _MOST_INK = 0.6, 0.04, 0.6
# colours that are looked at, and the least share of the line's area that one has
_COLOURS, _RAREST = 12, 0.01
# share of a colour's pixels that lie beside the ink, from which it is part of it
_CLINGING = 0.6


def find_strokes(rgb: np.ndarray, corners: np.ndarray) -> np.ndarray | None:
    """The letters of one line.

    The ink is the colour that makes thin shapes all along the line, but hardly any beside it.

    Args:
        rgb: uint8 (height, width, 3).
        corners: float (4, 2), the line's corners (x, y) in pixels, in order.

    Returns:
        bool (height, width), letters with their soft edges; None where no colour looks like letters, or where they
        stand on paper.
    """
    line = cv2.minAreaRect(corners.astype(np.float32))
    height = min(line[1])
    if height < 4:
        return None
    margin = int(height) + 2
    low = np.maximum(0, np.floor(corners.min(axis=0)).astype(int) - margin)
    high = np.minimum(rgb.shape[1::-1], np.ceil(corners.max(axis=0)).astype(int) + margin)
    if (high <= low).any():
        return None
    near = rgb[low[1] : high[1], low[0] : high[0]]
    whole = _rectangle(near.shape[:2], line, low, 0.15 * height)
    kinds = [_kind(near, colour, whole, line, low) for colour in _colours(near[whole])]
    best = max(kinds, key=lambda kind: kind.quality, default=None)
    if best is None or not best.quality:
        return None
    ink = best.letters
    close = _grow(ink, 2)
    for kind in kinds:
        # what clings to the ink is its soft edge or its outline
        if (kind.letters & close).sum() > _CLINGING * kind.letters.sum():
            ink = ink | kind.letters
    letters = _grow(ink, max(2, round(_EDGE * height)))
    strokes, between = (np.zeros(rgb.shape[:2], dtype=bool) for _ in range(2))
    where = np.s_[low[1] : high[1], low[0] : high[0]]
    strokes[where], between[where] = letters, whole & ~letters
    return None if _is_paper(rgb, between) else strokes


def _is_paper(rgb: np.ndarray, between: np.ndarray) -> bool:
    """Whether what lies between letters is of one colour and ends inside the picture, as no ground does."""
    pixels = rgb[between]
    if not len(pixels):
        return True
    colour = np.median(pixels, axis=0).astype(np.int16)
    if np.mean(np.abs(pixels - colour).max(axis=1) <= _SAME_GROUND) < 0.95:
        return False
    same = (np.abs(rgb.astype(np.int16) - colour).max(axis=2) <= _SAME_GROUND).astype(np.uint8)
    _, labels = cv2.connectedComponents(same, connectivity=4)
    part = labels == np.bincount(labels[between & (same > 0)]).argmax()
    border = np.concatenate([part[0], part[-1], part[:, 0], part[:, -1]])
    return bool(border.mean() < _LEAST_BORDER)


@dataclass(frozen=True)
class _Kind:
    """One colour of a line: which pixels of it may be letters, bool, and how much they look like the line's."""

    letters: np.ndarray
    quality: float


def _kind(near: np.ndarray, colour: np.ndarray, whole: np.ndarray, line: tuple, corner: np.ndarray) -> _Kind:
    same = np.abs(near.astype(np.int16) - colour).max(axis=2) <= _SAME_INK
    thin = _thin(same, min(line[1]))
    return _Kind(_own(same, whole) & _grow(thin, 2) | (thin & whole), _rate(thin, whole, line, corner))


def _grow(mask: np.ndarray, reach: int) -> np.ndarray:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return cv2.dilate(mask.astype(np.uint8), kernel) > 0


def _rectangle(shape: tuple[int, int], line: tuple, corner: np.ndarray, grow: float) -> np.ndarray:
    """Where in a cut-out at `corner` the line lies, `grow` pixels larger on each side, as bool of `shape`."""
    (x, y), (width, height), angle = line
    points = cv2.boxPoints(((x - corner[0], y - corner[1]), (width + 2 * grow, height + 2 * grow), angle))
    mask = np.zeros(shape, dtype=np.uint8)
    cv2.fillPoly(mask, [points.round().astype(np.int32)], 1)
    return mask > 0


def _colours(pixels: np.ndarray) -> Iterator[np.ndarray]:
    """The commonest colours of pixels (n, 3), as int16 (3,), each with its like taken out before the next."""
    total = len(pixels)
    for _ in range(_COLOURS):
        if len(pixels) < _RAREST * total:
            return
        coarse = (pixels >> 4).astype(np.int32) @ np.array([256, 16, 1])
        colour = np.median(pixels[coarse == np.bincount(coarse).argmax()], axis=0).astype(np.int16)
        yield colour
        pixels = pixels[np.abs(pixels - colour).max(axis=1) > _SAME_INK]


def _own(same: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """The connected parts of `same` that lie mostly in the line: letters that reach out of it a little."""
    _, labels = cv2.connectedComponents(same.astype(np.uint8), connectivity=8)
    sizes, inside = np.bincount(labels.ravel()), np.bincount(labels[whole], minlength=labels.max() + 1)
    own = inside > 0.7 * sizes
    own[0] = False
    return own[labels]


def _thin(same: np.ndarray, height: float) -> np.ndarray:
    """What of an area, bool, is no wider than a stroke."""
    same = same.astype(np.uint8)
    side = max(3, round(_WIDEST_STROKE * height)) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    # what is wider comes back with its rim, which a plain opening would leave as a thin line
    wide = cv2.dilate(cv2.erode(same, kernel, borderValue=0), cv2.dilate(kernel, np.ones((3, 3), np.uint8)))
    return (same > 0) & (wide == 0)


def _rate(thin: np.ndarray, whole: np.ndarray, line: tuple, corner: np.ndarray) -> float:
    """How much thin shapes look like the line's letters: 0 = not at all."""
    inside, outside = thin & whole, thin & ~whole
    share = inside.sum() / max(1, whole.sum())
    if not _LEAST_INK <= share <= _MOST_INK:
        return 0.0
    _, (width, height), angle = line
    # along the longer side, in steps of the line's height
    turn = np.deg2rad(angle if width >= height else angle + 90)
    y, x = np.nonzero(inside)
    along = (x + corner[0] - line[0][0]) * np.cos(turn) + (y + corner[1] - line[0][1]) * np.sin(turn)
    bins = max(1, round(max(width, height) / min(width, height)))
    counts, _ = np.histogram(along, bins, (-max(width, height) / 2, max(width, height) / 2))
    covered = np.mean(counts > 0.02 * whole.sum() / bins)
    if covered < _LEAST_COVERED:
        return 0.0
    return float(covered * share / (share + outside.sum() / max(1, (~whole).sum())) * np.sqrt(share))
