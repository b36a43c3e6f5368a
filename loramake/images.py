"""Reading pictures safely, and fitting them into a bucket."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from loramake.buckets import Placement


def resize_to_bucket(rgb: np.ndarray, placement: Placement, *, enlarge: str = "lanczos") -> np.ndarray:
    """Scale a picture and cut the bucket's window out of it.

    Shrinking averages areas (OpenCV's INTER_AREA), as kohya sd-scripts does.

    Args:
        rgb: uint8 array (height, width, 3).
        placement: from `buckets.assign` for this picture's size.
        enlarge: "lanczos" (kohya's newest version: Pillow's Lanczos unless both sides shrink) or
            "area" (0.4.5 to 0.8.7: INTER_AREA always).

    Returns:
        uint8 array (bucket height, bucket width, 3), contiguous.
    """
    if enlarge not in ("lanczos", "area"):
        raise ValueError(f"enlarge must be 'lanczos' or 'area', got {enlarge!r}")
    height, width = rgb.shape[:2]
    if (width, height) != placement.resized:
        shrinks = width > placement.resized[0] and height > placement.resized[1]
        if shrinks or enlarge == "area":
            rgb = cv2.resize(rgb, placement.resized, interpolation=cv2.INTER_AREA)
        else:
            rgb = np.asarray(Image.fromarray(rgb).resize(placement.resized, Image.Resampling.LANCZOS))
    left, top = placement.crop_offset
    bucket_width, bucket_height = placement.bucket
    return np.ascontiguousarray(rgb[top : top + bucket_height, left : left + bucket_width])
