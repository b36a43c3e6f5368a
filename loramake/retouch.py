"""Changes to the pixels of one picture: areas painted over, strips and edges cropped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from PIL import Image

from loramake.edits import Box
from loramake.textregions import Region

# a ring around an area counts as one colour while most of it differs by no more than this, 0…255
_EVEN = 12
# a pixel belongs to the content if it differs from the border's colour by more than this, 0…255
_CONTENT = 24
# share of the content that an edge crop may take besides what it is made for
_SPARED_CONTENT = 0.02
# longer side, px, at which surroundings are continued into a large area: what comes is smooth anyway
_INPAINT_SIDE = 384


def paint_over(image: Image.Image, areas: Iterable[Box | Region]) -> Image.Image:
    """Fill areas with the colour around them; where that is no single colour, continue the surroundings inwards.

    Args:
        image: mode RGB.
        areas: boxes (left, top, right, bottom) in pixels, within the picture, or regions.
    """
    pixels = np.array(image)
    for area in areas:
        if isinstance(area, Region):
            _paint(pixels, area.box, area.strokes, thin=area.on_drawing)
        else:
            _paint(pixels, area, np.ones((area[3] - area[1], area[2] - area[0]), dtype=bool))
    return Image.fromarray(pixels)


def _paint(pixels: np.ndarray, box: Box, shape: np.ndarray, *, thin: bool = False) -> None:
    """Fill what `shape`, bool (box height, box width), marks; `thin` = letters, with the drawing between them."""
    left, top, right, bottom = box
    height, width = pixels.shape[:2]
    margin = 3 if thin else max(3, min(right - left, bottom - top) // 10)
    outer_left, outer_top = max(0, left - margin), max(0, top - margin)
    near = pixels[outer_top : min(height, bottom + margin), outer_left : min(width, right + margin)]  # a view
    mask = np.zeros(near.shape[:2], dtype=np.uint8)
    mask[top - outer_top : bottom - outer_top, left - outer_left : right - outer_left][shape] = 255
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (2 * margin + 1, 2 * margin + 1))
    ring = near[(cv2.dilate(mask, kernel) > 0) & (mask == 0)]
    if not len(ring):
        near[:] = 255  # the area is the whole picture
        return
    colour = np.median(ring, axis=0)
    if np.percentile(np.abs(ring - colour).max(axis=1), 98 if thin else 80) <= _EVEN:
        near[mask > 0] = colour.astype(np.uint8)
    elif thin:
        near[mask > 0] = cv2.inpaint(np.ascontiguousarray(near), mask, 3, cv2.INPAINT_TELEA)[mask > 0]
    else:
        near[mask > 0] = _continued(near, mask)[mask > 0]


def _continued(near: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """`near` with the surroundings continued into `mask`; worked out smaller where the area is large."""
    scale = _INPAINT_SIDE / max(near.shape[:2])
    if scale >= 1:
        return cv2.inpaint(np.ascontiguousarray(near), mask, 5, cv2.INPAINT_TELEA)
    # the mean of a small pixel must not mix in what is to go
    hole = cv2.resize(mask, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    small = cv2.resize(near, hole.shape[::-1], interpolation=cv2.INTER_AREA)
    small = cv2.inpaint(small, (hole > 0).astype(np.uint8), 5, cv2.INPAINT_TELEA)
    return cv2.resize(small, near.shape[1::-1], interpolation=cv2.INTER_LINEAR)


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
    along = _content(np.asarray(image))[0].sum(axis=0 if wide else 1)
    start = _best_start(along, window) if window < length else 0
    stop = min(length, start + window)
    return (start, 0, stop, image.height) if wide else (0, start, image.width, stop)


def edge_crop(image: Image.Image, regions: Sequence[Region], most: float) -> Box:
    """The part of a picture that is left when regions near its edges are cut off, where that costs little.

    A cut costs little while all cuts together take at most `most` of the area and, on a plain ground, next to nothing
    of the content. Cheapest cuts first.

    Args:
        image: mode RGB.
        regions: what is to go; one that would cost more stays inside.
        most: share of the picture's area, 0…1.

    Returns:
        (left, top, right, bottom); the whole picture where no cut is worth it.
    """
    kept = (0, 0, image.width, image.height)
    content, plain = _content(np.asarray(image))
    for region in regions:
        box = region.box
        content[box[1] : box[3], box[0] : box[2]][region.mask] = False
    total = max(1, int(content.sum()))
    while True:
        cuts = [cut for region in regions if _inside(region.box, kept) for cut in _cuts(kept, region.box, image.size)]
        cuts = [cut for cut in cuts if 1 - _area(cut) / (image.width * image.height) <= most]
        if plain:
            cuts = [
                cut
                for cut in cuts
                if total - content[cut[1] : cut[3], cut[0] : cut[2]].sum() <= _SPARED_CONTENT * total
            ]
        if not cuts:
            return kept
        kept = max(cuts, key=_area)


def within(region: Region, kept: Box) -> bool:
    """Whether anything of a region is left in `kept`."""
    return _inside(region.box, kept)


def _inside(box: Box, kept: Box) -> bool:
    return box[0] < kept[2] and kept[0] < box[2] and box[1] < kept[3] and kept[1] < box[3]


def _area(box: Box) -> int:
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])


def _cuts(kept: Box, box: Box, size: tuple[int, int]) -> list[Box]:
    """The four ways to cut `box` off `kept`, a little beyond it."""
    left, top, right, bottom = kept
    gap = max(2, min(size) // 100)
    return [
        (min(right, box[2] + gap), top, right, bottom),
        (left, min(bottom, box[3] + gap), right, bottom),
        (left, top, max(left, box[0] - gap), bottom),
        (left, top, right, max(top, box[1] - gap)),
    ]


def _content(pixels: np.ndarray) -> tuple[np.ndarray, bool]:
    """Which pixels, bool (height, width), differ from the border's colour; and whether most of the border has it."""
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    colour = np.median(border, axis=0).astype(np.int16)
    differs = np.abs(pixels.astype(np.int16) - colour).max(axis=2) > _CONTENT
    return differs, bool(np.mean(np.abs(border - colour).max(axis=1) <= _CONTENT) > 0.7)


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
