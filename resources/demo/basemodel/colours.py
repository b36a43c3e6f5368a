"""Other colours and patterns for the VAE's pictures, so that it can show what the drawings never had."""

from __future__ import annotations

import colorsys

import numpy as np


def _turned(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turn all hues by one random angle about the grey axis and change the saturation by 0.8 to 1.6."""
    angle, saturation = rng.uniform(0, 2 * np.pi), rng.uniform(0.8, 1.6)
    grey = np.full((3, 3), 1 / 3)
    axis = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    # Rodrigues' rotation about (1, 1, 1), the part off the axis scaled by the saturation
    turn = grey + saturation * (np.cos(angle) * (np.eye(3) - grey) + np.sin(angle) * axis)
    return np.clip(picture @ turn.T.astype(np.float32), 0, 255)


def _bright(rng: np.random.Generator) -> np.ndarray:
    """A random colour, mostly saturated: (3,) in 0..255."""
    return 255 * np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.4, 1), rng.uniform(0.3, 1)))


def _patched(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lay an ellipse or a box of stripes in two random colours over a random place, outlined in dark."""
    height, width = picture.shape[:2]
    across, down = rng.integers(10, 64, 2) / 2
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    rows, columns = np.mgrid[:height, :width]
    u, v = (columns - x) / across, (rows - y) / down
    inside = np.maximum(abs(u), abs(v)) if rng.random() < 0.5 else np.hypot(u, v)
    angle = rng.choice([0, np.pi / 2, rng.uniform(0, np.pi)])
    bands = ((columns * np.sin(angle) + rows * np.cos(angle)) // rng.integers(3, 16)) % 2
    stripes = np.where(bands[..., None] > 0, _bright(rng), _bright(rng))
    framed = np.where((inside > 1 - 2 / min(across, down))[..., None], 40.0, stripes)
    return np.where((inside < 1)[..., None], framed, picture)


def vary(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A picture uint8 (h, w, 3) in other hues (2 of 3 times) and with up to three striped patches on it."""
    made = picture.astype(np.float32)
    if rng.random() < 2 / 3:
        made = _turned(made, rng)
    for _ in range(rng.integers(0, 4)):
        made = _patched(made, rng)
    return made.astype(np.uint8)
