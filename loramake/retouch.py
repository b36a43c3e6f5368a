"""Changes to the pixels of one picture: boxes painted over, strips cropped around their content."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from PIL import Image

from loramake.edits import Box

# a ring around a box counts as one colour while most of it differs by no more than this, 0…255
_EVEN = 12
# a pixel belongs to the content if it differs from the border's colour by more than this, 0…255
_CONTENT = 24


def paint_over(image: Image.Image, boxes: Iterable[Box]) -> Image.Image:
    """Fill boxes with the colour around them; where that is no single colour, continue the surroundings inwards.

    Args:
        image: mode RGB.
        boxes: (left, top, right, bottom) in pixels, within the picture.
    """
    pixels = np.array(image)
    for box in boxes:
        _paint_box(pixels, box)
    return Image.fromarray(pixels)


def _paint_box(pixels: np.ndarray, box: Box) -> None:
    left, top, right, bottom = box
    height, width = pixels.shape[:2]
    margin = max(3, min(right - left, bottom - top) // 10)
    outer_left, outer_top = max(0, left - margin), max(0, top - margin)
    near = pixels[outer_top : min(height, bottom + margin), outer_left : min(width, right + margin)]  # a view
    mask = np.zeros(near.shape[:2], dtype=np.uint8)
    mask[top - outer_top : bottom - outer_top, left - outer_left : right - outer_left] = 255
    ring = near[mask == 0]
    if not len(ring):
        near[:] = 255  # the box is the whole picture
        return
    colour = np.median(ring, axis=0)
    if np.percentile(np.abs(ring - colour).max(axis=1), 80) <= _EVEN:
        near[mask > 0] = colour.astype(np.uint8)
    else:
        near[:] = cv2.inpaint(np.ascontiguousarray(near), mask, 5, cv2.INPAINT_TELEA)


def aspect_crop(image: Image.Image, max_aspect: float) -> Box:
    """The window of at most `max_aspect` : 1 that holds most of the content.

    Content is what differs from the border's colour. Where all of it fits, the window is centred on it.

    Args:
        image: mode RGB.
        max_aspect: longer side / shorter side, from 1 up.

    Returns:
        (left, top, right, bottom); the full shorter side.
    """
    wide = image.width > image.height
    length, short = max(image.size), min(image.size)
    window = max(1, int(short * max_aspect))
    start = _best_start(_content_along(image, wide), window) if window < length else 0
    stop = min(length, start + window)
    return (start, 0, stop, image.height) if wide else (0, start, image.width, stop)


def _content_along(image: Image.Image, wide: bool) -> np.ndarray:
    """How many pixels of each column (or row, unless `wide`) belong to the content."""
    pixels = np.asarray(image).astype(np.int16)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    differs = np.abs(pixels - np.median(border, axis=0)).max(axis=2) > _CONTENT
    return differs.sum(axis=0 if wide else 1)


def _best_start(content: np.ndarray, window: int) -> int:
    filled = np.flatnonzero(content)
    last = len(content) - window
    if not len(filled):
        return last // 2
    if filled[-1] + 1 - filled[0] <= window:
        middle = (filled[0] + filled[-1] + 1) / 2
        return int(np.clip(round(middle - window / 2), 0, last))
    sums = np.concatenate([[0], np.cumsum(content)])
    inside = sums[window:] - sums[:-window]
    best = np.flatnonzero(inside == inside.max())
    return int(best[len(best) // 2])
