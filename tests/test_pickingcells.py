"""What a pick reads off drawn cells."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from loramake.errors import UserError
from loramake.pickingcells import examine, is_broken, look_at, prompt_tags, read_cells

RANDOM = np.random.default_rng(0)


def drawing(seed: int = 0) -> np.ndarray:
    """Something with shapes, on white."""
    random = np.random.default_rng(seed)
    picture = np.full((64, 64, 3), 255, np.uint8)
    for _ in range(6):
        y, x = random.integers(0, 44, 2)
        picture[y : y + 20, x : x + 20] = random.integers(30, 220, 3)
    return picture


BROKEN = {
    "black": np.zeros((64, 64, 3), np.uint8),
    "flat": np.full((64, 64, 3), 120, np.uint8) + RANDOM.integers(0, 4, (64, 64, 3), np.uint8),
    "noise": RANDOM.integers(0, 256, (64, 64, 3)).astype(np.uint8),
    "burnt": np.where(drawing() > 128, 255, 0).astype(np.uint8),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_pictures(name):
    base = drawing(1) // 2 + 40 if name == "burnt" else drawing(1)
    assert is_broken(look_at(BROKEN[name]), look_at(base))


def test_what_the_base_does_too_is_not_broken():
    assert not is_broken(look_at(drawing(2)), look_at(drawing(1)))
    flat = BROKEN["flat"]
    assert not is_broken(look_at(flat), look_at(flat + 3))


def write_cells(folder, weights, pictures):
    """Cells of two epochs, one prompt and seed; weight 0 from `pictures[None]`."""
    cells = []
    for epoch, weight in pictures:
        name = f"e{epoch}w{weight}.png"
        Image.fromarray(pictures[epoch, weight]).save(folder / name)
        cells.append({"epoch": epoch, "weight": weight, "prompt": 1, "seed": 1, "file": name})
    axes = {"epoch": [1, 2], "weight": weights, "prompt": ["shim, red dress"], "seed": [1]}
    (folder / "cells.json").write_text(json.dumps({"axes": axes, "cells": cells, "settings": {}}))


def test_cells_of_each_epoch_and_weight_are_counted(tmp_path):
    pictures = {(None, 0): drawing(1), (1, 1): drawing(2), (2, 1): BROKEN["black"]}
    write_cells(tmp_path, [0, 1], pictures)
    cells = read_cells(tmp_path)
    assert list(cells.weights) == [1]
    drawn = examine(cells, lambda pixels, prompt: float(pixels.mean() > 10) if "dress" in prompt else None)
    assert (drawn[1, 1].pictures, drawn[1, 1].broken, drawn[1, 1].tags) == (1, 0, 1.0)
    assert (drawn[2, 1].broken, drawn[2, 1].tags) == (1, 0.0)


def test_a_grid_of_weight_0_alone_is_refused(tmp_path):
    write_cells(tmp_path, [0], {(None, 0): drawing()})
    with pytest.raises(UserError, match=r"grid\.weights"):
        read_cells(tmp_path)


def test_tags_of_a_prompt():
    prompt = r"shim, (red dress:1.2), [smile], shimakaze \(kancolle\), <lora:x:0.8>, (a, b)"
    assert prompt_tags(prompt) == ["shim", "red dress", "smile", "shimakaze (kancolle)", "a", "b"]
