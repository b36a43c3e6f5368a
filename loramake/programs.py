"""Programs of their own that run modules of this package."""

from __future__ import annotations

import os
from pathlib import Path


def package_environment(**more: str) -> dict[str, str]:
    """This process's environment for another Python, which finds this package first; `more` variables win."""
    package = os.fspath(Path(__file__).resolve().parents[1])
    paths = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": paths, **more}
