"""Drawings of random characters for training, kept in memory-mapped arrays.

None of them is shimakaze, nor shows one of her signature details.
"""

from __future__ import annotations

import json
import random
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from drawing import Attributes, draw, random_attributes
from tqdm import tqdm

# (width, height) and share of the drawings: the buckets of a 160 px training that people use most
SHAPES: dict[tuple[int, int], float] = {(160, 160): 0.7, (128, 192): 0.2, (192, 128): 0.1}


def _one(job: tuple[int, tuple[int, int]]) -> tuple[dict[str, str], np.ndarray]:
    """Draw the picture of one seed: (attributes, uint8 (h, w, 3))."""
    seed, size = job
    attributes = random_attributes(random.Random(seed))
    return vars(attributes), np.asarray(draw(attributes, size, seed=seed))


def draw_all(folder: Path, count: int, workers: int) -> None:
    """Draw `count` pictures into `folder`, one array per shape plus its attributes.

    Seeds are consecutive, so that a longer run begins with the same pictures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    first = 0
    for size, share in SHAPES.items():
        amount = round(count * share)
        width, height = size
        path = folder / f"{width}x{height}.npy"
        jobs = [(seed, size) for seed in range(first, first + amount)]
        first += amount
        array = np.lib.format.open_memmap(path, "w+", np.uint8, (amount, height, width, 3))
        rows = []
        with Pool(workers) as pool:
            drawn = pool.imap(_one, jobs, chunksize=32)
            for index, (row, picture) in enumerate(tqdm(drawn, total=amount, desc=path.stem)):
                array[index] = picture
                rows.append(row)
        array.flush()
        path.with_suffix(".json").write_text(json.dumps(rows), encoding="utf-8")


def load(folder: Path, size: tuple[int, int]) -> tuple[np.ndarray, list[Attributes]]:
    """The drawings of one shape: uint8 (n, h, w, 3), read as needed, and their attributes."""
    path = folder / f"{size[0]}x{size[1]}.npy"
    rows = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return np.load(path, mmap_mode="r"), [Attributes(**row) for row in rows]
