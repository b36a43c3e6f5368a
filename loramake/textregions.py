"""What lines of text are part of: speech bubbles and plain writing, as areas to paint over or to crop away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from loramake.edits import Box
from loramake.strokes import find_strokes
from loramake.textboxes import Line

# bubbles are looked for at this size, px of the longer side
_WORKING_SIDE = 768
# colours of the same paper differ by no more than this, 0…255
_SAME_PAPER = 20
# a bubble is no larger than this, share of the picture, and no larger than so many times its text
_LARGEST_BUBBLE, _MOST_EMPTY = 0.3, 8.0
# area / area of the convex hull: ovals and boxes with a tail have more, the gaps of a drawing less
_LEAST_SOLID = 0.6
# outline of a bubble at most, share of the shorter side
_THICKEST_OUTLINE = 0.02


@dataclass(frozen=True)
class Region:
    """One thing to remove.

    Attributes:
        kind: "bubble" or "text".
        box: its bounds in pixels, within the picture.
        mask: bool (box height, box width), what of the box belongs to it.
        strokes: bool of the same shape, what of it must be painted over: of text on the drawing itself, its letters.
    """

    kind: str
    box: Box
    mask: np.ndarray
    strokes: np.ndarray

    @property
    def area(self) -> int:
        """Pixels that belong to it."""
        return int(self.mask.sum())

    @property
    def on_drawing(self) -> bool:
        """Whether only letters are to be painted over, since the drawing goes on between them."""
        return self.kind == "text" and bool((self.mask & ~self.strokes).any())


def find_regions(rgb: np.ndarray, lines: Sequence[Line]) -> list[Region]:
    """Bubbles around lines of text, and the text that stands in none.

    Args:
        rgb: uint8 (height, width, 3).
        lines: of this picture.
    """
    height, width = rgb.shape[:2]
    scale = min(1.0, _WORKING_SIDE / max(height, width))
    small_size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = rgb if scale == 1 else cv2.resize(rgb, small_size, interpolation=cv2.INTER_AREA)
    shapes = [np.array(line.corners, dtype=np.float32) * scale for line in lines]
    regions = []
    for block in _blocks(shapes):
        bubble = _bubble(small, block)
        # a line in a bubble may reach over its edge a little
        writing = _writing(small.shape[:2], block)
        regions.append(("text", writing) if bubble is None else ("bubble", bubble | writing))
    return [_cut(kind, mask, rgb, lines) for kind, mask in _merge(regions)]


def _blocks(shapes: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
    """Lines that stand close together, as of one paragraph or bubble."""
    reach = [0.6 * min(cv2.minAreaRect(shape)[1]) for shape in shapes]
    bounds = [(*shape.min(axis=0) - grow, *shape.max(axis=0) + grow) for shape, grow in zip(shapes, reach, strict=True)]
    groups: list[list[int]] = []
    for index, box in enumerate(bounds):
        near = [group for group in groups if any(_meet(box, bounds[other]) for other in group)]
        groups = [group for group in groups if group not in near] + [[*sum(near, []), index]]
    return [[shapes[index] for index in group] for group in groups]


def _meet(one: Sequence[float], other: Sequence[float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _fill(shape: tuple[int, int], polygons: Sequence[np.ndarray]) -> np.ndarray:
    mask = np.zeros(shape, dtype=np.uint8)
    for polygon in polygons:
        cv2.fillPoly(mask, [polygon.round().astype(np.int32)], 1)
    return mask


def _grow(mask: np.ndarray, reach: float) -> np.ndarray:
    side = 2 * max(1, round(reach)) + 1
    return cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))


def _writing(shape: tuple[int, int], block: Sequence[np.ndarray]) -> np.ndarray:
    """The lines themselves, a little larger: swashes and outlines of letters reach out of what the detector marks."""
    mask = np.zeros(shape, dtype=np.uint8)
    for line in block:
        mask |= _grow(_fill(shape, [line]), 0.15 * min(cv2.minAreaRect(line)[1]))
    return mask


def _bubble(small: np.ndarray, block: Sequence[np.ndarray]) -> np.ndarray | None:
    """The bubble around a block, with its outline; None where the block does not stand in one."""
    shape = small.shape[:2]
    text = _fill(shape, block)
    inside = small[text > 0]
    if len(inside) < 20:
        return None
    paper = _paper(inside)
    same = (np.abs(small.astype(np.int16) - paper).max(axis=2) <= _SAME_PAPER).astype(np.uint8)
    _, labels = cv2.connectedComponents(same, connectivity=4)
    # the part that fills most of the block; 0 is what is no paper
    counts = np.bincount(labels[text > 0])
    if len(counts) < 2:
        return None
    part = (labels == 1 + int(counts[1:].argmax())).astype(np.uint8)
    contours, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = max(contours, key=cv2.contourArea)
    area, solid = cv2.contourArea(contour), cv2.contourArea(cv2.convexHull(contour))
    blob = _fill(shape, [contour[:, 0]])
    edge = blob[0].sum() + blob[-1].sum() + blob[:, 0].sum() + blob[:, -1].sum()
    fits = (
        area <= _LARGEST_BUBBLE * blob.size
        and area <= _MOST_EMPTY * text.sum()
        and area >= _LEAST_SOLID * max(1.0, solid)
        and (blob & text).sum() >= 0.7 * text.sum()
        # one that is cut off by the picture's edge has a straight side there, the ground has several
        and edge <= 0.5 * np.sqrt(max(1.0, area)) * 2
    )
    return _with_outline(small, blob) if fits else None


def _paper(inside: np.ndarray) -> np.ndarray:
    """The commonest colour among pixels (n, 3), as int16 (3,)."""
    coarse = (inside >> 4).astype(np.int32) @ np.array([256, 16, 1])
    commonest = np.bincount(coarse).argmax()
    return np.median(inside[coarse == commonest], axis=0).astype(np.int16)


def _with_outline(small: np.ndarray, blob: np.ndarray) -> np.ndarray:
    """The blob grown over the line around it: ring by ring, while most of a ring has the outline's colour."""
    distance = cv2.distanceTransform(1 - blob, cv2.DIST_L2, 3)
    most = max(3, round(_THICKEST_OUTLINE * min(blob.shape)))
    # the first ring mixes paper and outline
    ring = small[(distance > 1) & (distance <= 2)]
    if not len(ring):
        return blob
    ink = np.median(ring, axis=0)
    reach = 2
    while reach < most:
        ring = small[(distance > reach) & (distance <= reach + 1)]
        if not len(ring) or np.mean(np.abs(ring - ink).max(axis=1) <= 48) < 0.5:
            break
        reach += 1
    # and the last one outline and surroundings
    return (distance <= reach + 2).astype(np.uint8)


def _merge(found: Sequence[tuple[str, np.ndarray]]) -> list[tuple[str, np.ndarray]]:
    """Areas that overlap, as one; with a bubble in it, it is a bubble."""
    merged: list[tuple[str, np.ndarray]] = []
    for kind, mask in found:
        apart = []
        for other_kind, other in merged:
            if (mask & other).any():
                mask, kind = mask | other, min(kind, other_kind)  # "bubble" before "text"
            else:
                apart.append((other_kind, other))
        merged = [*apart, (kind, mask)]
    return merged


def _cut(kind: str, mask: np.ndarray, rgb: np.ndarray, lines: Sequence[Line]) -> Region:
    """A mask of the working size as a region of the picture itself."""
    size = rgb.shape[1::-1]
    full = mask if mask.shape == rgb.shape[:2] else cv2.resize(mask, size, interpolation=cv2.INTER_LINEAR_EXACT)
    if full is not mask:
        full = _grow(full, 1)  # half a working pixel on each side was lost
    strokes = full > 0 if kind == "bubble" else _letters(full, rgb, lines)
    left, top, width, height = cv2.boundingRect(full | strokes.astype(np.uint8))
    where = np.s_[top : top + height, left : left + width]
    return Region(kind, (left, top, left + width, top + height), full[where] > 0, strokes[where])


def _letters(full: np.ndarray, rgb: np.ndarray, lines: Sequence[Line]) -> np.ndarray:
    """The strokes of the lines in a mask, bool of its shape; lines whose letters cannot be told apart, whole."""
    strokes = np.zeros(full.shape, dtype=bool)
    for line in lines:
        corners = np.array(line.corners, dtype=np.float32)
        x, y = corners.mean(axis=0).astype(int)
        if full[np.clip(y, 0, full.shape[0] - 1), np.clip(x, 0, full.shape[1] - 1)]:
            found = find_strokes(rgb, corners)
            strokes |= _writing(full.shape, [corners]) > 0 if found is None else found
    return strokes
