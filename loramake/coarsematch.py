"""Which of many small pictures can be a slightly cut copy of another: all cuts at once, by matrix products."""

from __future__ import annotations

import cv2
import numpy as np

SIDE = 32  # of the small pictures, pixels
# where they are compared: every second pixel, apart from a border that a cut may have taken away
_PLACES = np.arange(4, SIDE - 4, 2) + 0.5
# what a side has lost against the other picture's, as a share of its length; both ways, finely enough for SIDE
_CUTS = (-0.06, -0.03, 0.0, 0.03, 0.06)


def shrink(thumbnail: np.ndarray) -> np.ndarray:
    """A thumbnail, uint8 (n, n, 3), as blurred luminance, float32 (SIDE, SIDE)."""
    grey = thumbnail.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    return cv2.GaussianBlur(cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA), (0, 0), 2.0)


def _samplings() -> np.ndarray:
    """How one axis is sampled under each pair of cuts: float32 (cuts², places, SIDE)."""
    matrices = []
    for before in _CUTS:
        for after in _CUTS:
            position = (before + (1 - before - after) * _PLACES / SIDE) * SIDE - 0.5
            low = np.floor(position).astype(int)
            weights = np.zeros((len(_PLACES), SIDE), dtype=np.float32)
            rows = np.arange(len(_PLACES))
            weights[rows, low] = 1 - (position - low)
            weights[rows, low + 1] = position - low
            matrices.append(weights)
    return np.stack(matrices)


_SAMPLINGS = _samplings()


def least_differences(picture: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Root mean square difference (0…255) to each other picture, under the cut of `picture` that suits it best.

    Args:
        picture: from `shrink`.
        others: float32 (count, SIDE, SIDE).

    Returns:
        float32 (count,).
    """
    ways, places = _SAMPLINGS.shape[:2]
    flat = _SAMPLINGS.reshape(ways * places, SIDE)
    # every cut of the rows with every cut of the columns: (ways², places²)
    cut = (flat @ picture @ flat.T).reshape(ways, places, ways, places).swapaxes(1, 2).reshape(ways**2, places**2)
    at = np.floor(_PLACES).astype(int)
    fixed = others[:, at][:, :, at].reshape(len(others), -1)
    squares = (cut**2).sum(axis=1)[:, None] - 2 * (cut @ fixed.T) + (fixed**2).sum(axis=1)
    return np.sqrt(np.maximum(0, squares.min(axis=0)) / places**2)
