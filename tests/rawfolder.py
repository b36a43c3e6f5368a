"""Builds raw folders of tiny pictures for the tests of the dataset stages."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

from PIL import Image, ImageDraw

from loramake import manifest


def picture(seed: int, size: tuple[int, int] = (72, 96), mode: str = "RGB") -> Image.Image:
    """A random drawing on white, or on nothing in mode RGBA; equal seeds and sizes give equal pictures."""
    rng = random.Random(seed)
    image = Image.new(mode, size, (255, 255, 255) if mode == "RGB" else (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    for _ in range(9):
        x, y = rng.randrange(size[0]), rng.randrange(size[1])
        reach = max(4, min(size) // 3)
        box = (x - rng.randrange(2, reach), y - rng.randrange(2, reach), x + rng.randrange(2, reach), y + reach)
        pen.ellipse(box, fill=tuple(rng.randrange(256) for _ in range(3)))
    return image


def write_raw(folder: Path, files: Mapping[str, Image.Image | bytes | str]) -> Path:
    """Write pictures, bytes and tag texts into `folder` and its manifest beside it; the manifest's path."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        if isinstance(content, Image.Image):
            content.save(folder / name)
        else:
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return write_manifest(folder)


def write_manifest(folder: Path) -> Path:
    """List `folder` as planning does."""
    path = folder.with_name(f"{folder.name}.json")
    path.write_text(manifest.raw_text(str(folder), "x"), encoding="utf-8")
    return path
