"""Where the recorded figures of kohya's trainer lie, beside the checkout; tests that need them skip without."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("LORAMAKE_VECTORS") or Path(__file__).resolve().parents[2] / "shared" / "vectors")


def vectors() -> Path:
    """The folder of recorded figures; skips the test where it is missing. LORAMAKE_VECTORS names another place."""
    if not FOLDER.is_dir():
        pytest.skip(f"recorded figures are not here: {FOLDER}")
    return FOLDER
