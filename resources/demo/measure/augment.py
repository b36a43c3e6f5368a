"""Makes a drawing look like a picture out of a small diffusion model.

Such pictures are soft, their outlines waver, colours are off by a few per cent and
blotchy, and figures stand and scale as they please.
"""

from __future__ import annotations

import cv2
import numpy as np


def imitate(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A changed copy of ``picture`` (uint8 (h, w, 3)) of the same size."""
    changed = warp(picture, rng)
    if rng.random() < 0.75:
        changed = soften(changed, rng)
    changed = recolour(changed, rng)
    if rng.random() < 0.3:
        quality = int(rng.integers(40, 95))
        changed = cv2.imdecode(cv2.imencode(".jpg", changed, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1)
    return changed


def field(rng: np.random.Generator, shape: tuple[int, int], cells: int, channels: int) -> np.ndarray:
    """Smooth random values, normal with deviation about 1: float32 (h, w, channels)."""
    coarse = rng.standard_normal((cells, cells, channels)).astype(np.float32)
    return cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)


def warp(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turned up to 6 degrees, scaled 0.82..1.18, moved up to 8 %, and wavering."""
    height, width = picture.shape[:2]
    angle = np.radians(rng.uniform(-6, 6))
    scale = rng.uniform(0.85, 1.22)
    stretch = rng.uniform(0.94, 1.06)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = x - width / 2, y - height / 2
    to_x = (x * np.cos(angle) - y * np.sin(angle)) * scale * stretch
    to_y = (x * np.sin(angle) + y * np.cos(angle)) * scale / stretch
    # Details at the edge (ears, feet) must not leave the picture: move within the room left.
    to_x += width / 2 + rng.uniform(-0.06, 0.06) * width
    to_y += height / 2 + rng.uniform(-0.05, 0.05) * height
    for cells, reach in ((4, 2.0), (12, 0.9)):
        waves = field(rng, (height, width), cells, 2) * rng.uniform(0, reach)
        to_x, to_y = to_x + waves[..., 0], to_y + waves[..., 1]
    return cv2.remap(
        picture,
        to_x.astype(np.float32),
        to_y.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101 if rng.random() < 0.3 else cv2.BORDER_REPLICATE,
    )


def soften(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gaussian blur, or fewer pixels and back, as a VAE that drops detail does."""
    height, width = picture.shape[:2]
    if rng.random() < 0.5:
        return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.3))
    share = 1 / rng.uniform(1.2, 2.4)
    small = cv2.resize(picture, (round(width * share), round(height * share)), interpolation=cv2.INTER_AREA)
    back = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)[rng.integers(3)]
    return cv2.resize(small, (width, height), interpolation=back)


def recolour(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gains, offsets and saturation off by about 8 %, blotches, grain."""
    height, width = picture.shape[:2]
    value = picture.astype(np.float32)
    value *= rng.uniform(0.92, 1.08) * rng.uniform(0.95, 1.05, 3).astype(np.float32)
    value += rng.uniform(-12, 12) + rng.uniform(-6, 6, 3).astype(np.float32)
    grey = value.mean(-1, keepdims=True)
    value = grey + (value - grey) * np.float32(rng.uniform(0.8, 1.15))
    value += field(rng, (height, width), int(rng.integers(4, 20)), 3) * np.float32(rng.uniform(0, 8))
    if rng.random() < 0.5:
        value += rng.standard_normal(value.shape, np.float32) * np.float32(rng.uniform(0, 9))
    return np.clip(value, 0, 255).astype(np.uint8)
