"""Aspect-ratio buckets: which size a picture trains at, after kohya sd-scripts (see make_buckets, assign)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loramake.errors import UserError

Size = tuple[int, int]  # (width, height) in pixels


@dataclass(frozen=True)
class Placement:
    """How one picture is fitted into its bucket. All sizes are (width, height) in pixels.

    Attributes:
        bucket: the size it trains at.
        resized: the size it is scaled to, aspect kept; covers the bucket.
        crop_offset: (left, top) of the bucket's window in the resized picture.
    """

    bucket: Size
    resized: Size
    crop_offset: tuple[int, int]


def make_buckets(resolution: Size, min_reso: int, max_reso: int, step: int) -> list[Size]:
    """All bucket sizes of a training resolution, sorted.

    The area is counted in whole step×step blocks; every side from `min_reso` to `max_reso` is paired with
    the longest partner that stays within that area, both ways round. The largest square belongs to the list.
    Source: kohya sd-scripts `make_bucket_resolutions`, described in its bucketing notes.

    Args:
        resolution: training (width, height), pixels.
        min_reso: shortest side of a bucket, pixels.
        max_reso: longest side of a bucket, pixels.
        step: sides are multiples of this, pixels (64 for SD 1.x: 8 of the VAE × 8 of the U-Net).

    Raises:
        UserError: the resolution is smaller than one block, or min_reso exceeds max_reso.
    """
    blocks = (resolution[0] // step) * (resolution[1] // step)
    if blocks < 1:
        raise UserError(
            "The training resolution is smaller than one bucket step.",
            found=f"{resolution[0]}x{resolution[1]}, step {step}",
            expected=f"at least {step}x{step}",
            setting="train.resolution or train.bucket_reso_steps",
        )
    if min_reso > max_reso:
        raise UserError(
            "The smallest bucket side is longer than the longest one.",
            found=f"min {min_reso}, max {max_reso}",
            expected="min_bucket_reso <= max_bucket_reso",
            setting="train.min_bucket_reso or train.max_bucket_reso",
        )
    square = math.isqrt(blocks) * step
    found = {(square, square)}
    for side in range(min_reso, max_reso + 1, step):
        partner = min(max_reso, blocks // (side // step) * step) if side >= step else 0
        if partner >= min_reso:
            found |= {(side, partner), (partner, side)}
    return sorted(found)


def _half_up(value: float) -> int:
    return int(value + 0.5)


def _cover(size: Size, bucket: Size) -> Size:
    """The smallest aspect-keeping size that covers `bucket`, sides rounded half up."""
    (width, height), (bucket_width, bucket_height) = size, bucket
    wider = width / height > bucket_width / bucket_height
    scale = bucket_height / height if wider else bucket_width / width
    return _half_up(width * scale), _half_up(height * scale)


def _shrink_to_area(size: Size, resolution: Size, step: int) -> Size:
    """Scale a picture to the area of `resolution`, one side a multiple of `step`; smaller ones stay as they are."""
    width, height = size
    area = resolution[0] * resolution[1]
    if width * height <= area:
        return size
    aspect = width / height

    def floored(value: float) -> int:
        return _half_up(value) // step * step

    ideal_width = math.sqrt(area * aspect)
    by_width = floored(ideal_width)
    its_height = floored(by_width / aspect)
    by_height = floored(area / ideal_width)
    its_width = floored(by_height * aspect)

    def error(candidate: Size) -> float:
        return abs(candidate[0] / candidate[1] - aspect) if min(candidate) else math.inf

    if error((by_width, its_height)) < error((its_width, by_height)):
        return by_width, _half_up(by_width / aspect)
    return _half_up(by_height * aspect), by_height


def _centred(resized: Size, bucket: Size) -> Placement:
    left, top = ((whole - part) // 2 for whole, part in zip(resized, bucket, strict=True))
    return Placement(bucket, resized, (left, top))


def square_options(
    resolution: int,
    enable_bucket: bool,
    min_bucket_reso: int,
    max_bucket_reso: int,
    bucket_reso_steps: int,
    bucket_no_upscale: bool,
) -> dict[str, object]:
    """The config's bucket settings as keyword arguments of `assign`; `resolution` is the side of a square, pixels."""
    return {
        "resolution": (resolution, resolution),
        "min_reso": min_bucket_reso,
        "max_reso": max_bucket_reso,
        "step": bucket_reso_steps,
        "enable_bucket": enable_bucket,
        "no_upscale": bucket_no_upscale,
    }


def listed_buckets(options: Mapping[str, object]) -> list[Size] | None:
    """The buckets for options of `square_options`, to be made once and passed to `assign`; None without buckets."""
    sizes = (options[key] for key in ("resolution", "min_reso", "max_reso", "step"))
    return make_buckets(*sizes) if options["enable_bucket"] else None


def assign(
    size: Size,
    *,
    resolution: Size,
    min_reso: int = 256,
    max_reso: int = 1024,
    step: int = 64,
    enable_bucket: bool = True,
    no_upscale: bool = False,
    buckets: Sequence[Size] | None = None,
) -> Placement:
    """The bucket of a picture and how it gets there: scaled to cover it, then cropped around the centre.

    With buckets the one of the nearest aspect is taken (difference of width/height; first in sorted order on a
    tie), a bucket of exactly the picture's size before all. With `no_upscale` the picture is never enlarged,
    its bucket is its own size floored to `step`, and `min_reso` and `max_reso` do not apply (as in kohya's).
    Without `enable_bucket` every picture goes to `resolution`.

    Args:
        size: upright (width, height) of the picture, pixels.
        buckets: the list of `make_buckets`, to save making it for each picture.

    Raises:
        UserError: `no_upscale` and a side that would be under one `step` (kohya gives a bucket of 0 there).
    """
    if min(size) < 1:
        raise ValueError(f"size must be positive, got {size}")
    if not enable_bucket:
        return _centred(_cover(size, resolution), resolution)
    if no_upscale:
        resized = _shrink_to_area(size, resolution, step)
        bucket = (resized[0] // step * step, resized[1] // step * step)
        if min(bucket) < step:
            raise UserError(
                "The picture is too small or too narrow to train without enlarging it.",
                found=f"{size[0]}x{size[1]}, which trains at {resized[0]}x{resized[1]}",
                expected=f"both sides at least {step}",
                setting="train.bucket_no_upscale: false, or screen.min_side",
            )
        return _centred(resized, bucket)
    if buckets is None:
        buckets = make_buckets(resolution, min_reso, max_reso, step)
    if size in buckets:
        return _centred(size, size)
    aspect = size[0] / size[1]
    bucket = min(buckets, key=lambda each: abs(each[0] / each[1] - aspect))
    return _centred(_cover(size, bucket), bucket)


def aspect_error(size: Size, placement: Placement) -> float:
    """Bucket's width/height minus the picture's: what kohya averages as `mean_img_ar_error`."""
    return placement.bucket[0] / placement.bucket[1] - size[0] / size[1]
