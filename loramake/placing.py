"""Where a picture file trains: its upright size and its bucket."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from loramake.buckets import Placement, Size, assign
from loramake.errors import UserError
from loramake.images import read_header


def place_picture(path: Path, placing: Mapping[str, object]) -> tuple[Size, Placement]:
    """Upright size in pixels, and placement, of a picture.

    Args:
        path: the file.
        placing: keyword arguments of `buckets.assign` besides the size.

    Raises:
        UserError: names the file, which cannot be read or fits no bucket.
    """
    size = read_header(path).size
    try:
        return size, assign(size, **placing)
    except UserError as error:
        raise UserError(
            error.what, file=path, found=error.found, expected=error.expected, setting=error.setting
        ) from error
