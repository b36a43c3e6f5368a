"""Near-duplicates: the same drawing resized, recompressed or slightly cropped; never a similar drawing.

A perceptual hash, coarse colours and tiny pictures find candidates cheaply. They ignore what tells two drawings of one
artist apart on plain white (a mouth, a colour, a hand), so the two of a candidate pair are then laid over each other
and compared in colour, place by place.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import cv2
import numpy as np
from PIL import Image

from loramake import coarsematch

THUMBNAIL = 128  # side of the square colour thumbnail, pixels
# mean difference of the coarse colours, 0…255: copies cut by up to 5 % on each side reach 16.4 (drawn skylines)
_COARSE_LIMIT = 18.0
# least difference of small pictures under any cut, 0…255: copies reach 5.2 on drawings and 5.9 on photographs
_CUT_LIMIT = 8.0
# thumbnails of 49 kB kept in memory
_REMEMBERED = 1024
# a copy cut by 5 % on each side is a tenth smaller
_SCALES = (0.87, 1.15)
# mean colour difference of a patch, 0…255. On drawings: copies (a third of the size, 5 % cut off and JPEG 60) up to 14,
# another mouth on the same drawing from 27
_PATCH_LIMIT = 17.0
_PATCH = 9  # pixels of a thumbnail
# at half the size; no copy comes near it
_HOPELESS = 25.0


def make_thumbnail(image: Image.Image) -> Image.Image:
    """The picture squeezed into a square of THUMBNAIL pixels, RGB; works on one already flattened on white."""
    return image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX, reducing_gap=None)


@dataclass(frozen=True)
class Signature:
    """What two pictures are first compared by.

    Attributes:
        bits: 64 bits, see `sign`.
        colours: 8×8 RGB, one byte each, as base64.
    """

    bits: int
    colours: str

    @property
    def is_plain(self) -> bool:
        """Whether the picture is one colour all over: the mean colours of its 64 parts are equal."""
        cells = np.frombuffer(base64.b64decode(self.colours), np.uint8).reshape(-1, 3)
        return len(cells) > 0 and not np.ptp(cells, axis=0).any()


def sign(thumbnail: Image.Image) -> Signature:
    """The signature of a thumbnail: its 64-bit perceptual hash and 8×8 mean colours.

    The hash is the method known as pHash: 32×32 grey, cosine transform, which of the 8×8 lowest terms lie above
    their median.
    """
    grey = np.asarray(thumbnail.convert("L").resize((32, 32), Image.Resampling.BOX), dtype=np.float32)
    low = cv2.dct(grey)[:8, :8].reshape(-1)
    bits = int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")
    colours = thumbnail.resize((8, 8), Image.Resampling.BOX).tobytes()
    return Signature(bits, base64.b64encode(colours).decode())


def _align(moving: np.ndarray, fixed: np.ndarray, blur: float, start: np.ndarray) -> np.ndarray:
    """Scale and shift of each axis that lay `moving` over `fixed`, by Gauss-Newton on blurred luminance.

    Args:
        moving: float32 (n, n).
        fixed: float32 (n, n).
        blur: Gaussian sigma, pixels; wide first, to find the way.
        start: (scale x, shift x, scale y, shift y) to begin with.
    """
    side = fixed.shape[0]
    moving, fixed = (cv2.GaussianBlur(each, (0, 0), blur) for each in (moving, fixed))
    x, y = np.meshgrid(np.arange(side, dtype=np.float32), np.arange(side, dtype=np.float32))
    centre, inner = (side - 1) / 2, slice(side // 16, -side // 16)
    found = start.copy()
    for _ in range(12):
        warped = _warp(moving, found)
        slope_x, slope_y = cv2.Sobel(warped, -1, 1, 0, scale=1 / 8), cv2.Sobel(warped, -1, 0, 1, scale=1 / 8)
        columns = [slope_x * (x - centre), slope_x, slope_y * (y - centre), slope_y]
        system = np.stack([column[inner, inner].ravel() for column in columns], axis=1).astype(np.float64)
        error = (fixed - warped)[inner, inner].ravel()
        # a little damping: a blank picture has no slope to follow
        step = np.linalg.solve(system.T @ system + np.diag([10.0, 1e-2, 10.0, 1e-2]), system.T @ error)
        found = found + step
        if np.abs(step * [centre, 1, centre, 1]).max() < 0.02:
            break
        if not np.all(np.abs(found - [1, 0, 1, 0]) < [0.2, side / 10, 0.2, side / 10]):
            return start
    return found


def _warp(picture: np.ndarray, place: np.ndarray, border: int = cv2.BORDER_REPLICATE) -> np.ndarray:
    """`picture` sampled at scale·(x − centre) + centre + shift, on each axis."""
    side = picture.shape[0]
    centre = (side - 1) / 2
    scale_x, shift_x, scale_y, shift_y = place
    across = [scale_x, 0, centre - scale_x * centre + shift_x]
    down = [0, scale_y, centre - scale_y * centre + shift_y]
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(picture, np.array([across, down]), (side, side), flags=how, borderMode=border)


def largest_difference(first: np.ndarray, second: np.ndarray) -> float:
    """Mean colour difference (0…255) of the patch in which two thumbnails differ most, laid over each other.

    A shift of one pixel either way is forgiven everywhere, as resampling causes it.

    Args:
        first: uint8 (THUMBNAIL, THUMBNAIL, 3).
        second: uint8 of the same shape.
    """
    whole = [each.astype(np.float32) for each in (first, second)]
    half = [cv2.resize(each, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for each in whole]
    place, difference = _lay_over(*half, np.array([1.0, 0.0, 1.0, 0.0]), (2.0, 1.0))
    if difference > _HOPELESS:
        return difference  # a quarter of the work tells most pairs apart
    return _lay_over(*whole, place * [1, 2, 1, 2], (1.5,))[1]


def _lay_over(
    first: np.ndarray, second: np.ndarray, place: np.ndarray, blurs: Sequence[float]
) -> tuple[np.ndarray, float]:
    """Where the second picture lies on the first (as in `_align`), and the difference of the worst patch."""
    greys = [each @ np.array([0.299, 0.587, 0.114], dtype=np.float32) for each in (first, second)]
    for blur in blurs:
        place = _align(greys[1], greys[0], blur, place)
    if not all(_SCALES[0] <= scale <= _SCALES[1] for scale in place[::2]):
        return place, 255.0
    fixed = cv2.GaussianBlur(first, (0, 0), 1.0)
    moved = cv2.GaussianBlur(_warp(second, place), (0, 0), 1.0)
    inside = _warp(np.ones_like(greys[0]), place, border=cv2.BORDER_CONSTANT) > 0.99
    least = np.full(greys[0].shape, np.inf, dtype=np.float32)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            shifted = np.roll(moved, (down, right), axis=(0, 1))
            difference = np.abs(fixed - shifted).max(axis=2) * inside
            least = np.minimum(least, cv2.blur(difference, (_PATCH, _PATCH)))
    return place, float(least[2:-2, 2:-2].max())


def find_copies(
    order: Sequence[str],
    signatures: Mapping[str, Signature],
    thumbnail: Callable[[str], np.ndarray],
    distance: int,
) -> dict[str, str]:
    """Which pictures are copies of an earlier one.

    Args:
        order: names, the one to keep of any two first.
        signatures: `sign` of each.
        thumbnail: uint8 (THUMBNAIL, THUMBNAIL, 3) of a name; asked for candidates only.
        distance: bits (of 64) up to which two pictures are looked at closely; 0 = no picture is.

    Returns:
        copy → the picture kept instead, which is itself no copy.
    """
    copies: dict[str, str] = {}
    if distance < 1 or len(order) < 2:
        return copies
    # (n, 192): 8·8·3 colours of each
    colours = np.stack([np.frombuffer(base64.b64decode(signatures[name].colours), dtype=np.uint8) for name in order])
    bits = np.array([signatures[name].bits for name in order], dtype=np.uint64)
    # both are read again and again, but all of the large ones would not fit into memory
    whole = lru_cache(maxsize=_REMEMBERED)(thumbnail)
    small = cache(lambda name: coarsematch.shrink(whole(name)))
    kept = np.zeros(0, dtype=np.intp)
    for index, name in enumerate(order):
        near = kept[np.bitwise_count(bits[kept] ^ bits[index]) <= distance]
        coarse = np.abs(colours[near].astype(np.int16) - colours[index]).mean(axis=1)
        near = near[np.argsort(coarse, kind="stable")[: np.count_nonzero(coarse <= _COARSE_LIMIT)]]
        others = [order[place] for place in near]
        if others:
            likeness = coarsematch.least_differences(small(name), np.stack([small(other) for other in others]))
            others = [other for other, least in zip(others, likeness, strict=True) if least <= _CUT_LIMIT]
        copied = next((o for o in others if largest_difference(whole(o), whole(name)) <= _PATCH_LIMIT), None)
        if copied is None:
            kept = np.append(kept, index)
        else:
            copies[name] = copied
    return copies
