"""What drawn cells show, on pairs made up for each case; and the judge on a tiny model."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from test_bank import random_lora
from tinymodels import tiny_models

from loramake.bank import LoraBank
from loramake.models import load_tokenizer
from loramake.pickingcells import Cells
from loramake.pickingseen import Judge, pairs
from loramake.pickingshown import Seen, Shown, summarise, view, word


def seen(look: float, wish: float | None = None, size: float = 1.0) -> Seen:
    return Seen([(look * size, size)] * 4, None if wish is None else (wish * size, size))


def test_a_prompt_is_taken_apart():
    found = word("(shim:1.2), red dress, <lora:detail:0.5>, night sky", "shim")
    assert (found.text, found.rest, found.has_trigger) == ("shim, red dress, night sky", "red dress, night sky", True)
    assert word("shim", "shim").rest == "" and not word("1girl", "shim").has_trigger


def test_likeness_pools_pictures_and_obedience_is_against_the_base():
    wordings = [word("shim", "shim"), word("shim, red dress", "shim")]
    found = summarise(
        {
            (None, 0.0, 1, 1): seen(0.0),
            (None, 0.0, 2, 1): seen(0.0, 1.6),
            (3, 1.0, 1, 1): seen(0.5),
            (3, 1.0, 1, 2): seen(1.0, size=3.0),  # a picture on which there is more to say counts for more
            (3, 1.0, 2, 1): seen(0.625, 1.2),
            (3, 0.5, 1, 1): seen(0.2),
            (3, 0.5, 2, 1): seen(0.4, 0.0),
        },
        wordings,
    )
    assert found[3, 1.0].likeness == pytest.approx(0.75) and found[3, 1.0].obedience == pytest.approx(0.75)
    assert found[3, 0.5].likeness == pytest.approx(0.3) and found[3, 0.5].obedience == 0.0


def test_what_no_prompt_tells_is_not_told():
    trigger_alone = {(None, 0.0, 1, 1): seen(0.0), (1, 1.0, 1, 1): seen(0.5)}
    assert summarise(trigger_alone, [word("shim", "shim")]) == {(1, 1.0): Shown(pytest.approx(0.5), None)}
    # the base does not do it either
    vain = {(None, 0.0, 1, 1): seen(0.0, 0.1), (1, 1.0, 1, 1): seen(0.5, 0.1)}
    assert summarise(vain, [word("shim, unheard of", "shim")])[1, 1.0].obedience is None
    assert summarise(vain, [word("unheard of", "shim")])[1, 1.0].likeness is None
    unknown = {(None, 0.0, 1, 1): seen(0.0), (1, 1.0, 1, 1): Seen([(None, None)] * 4, None)}
    assert summarise(unknown, [word("shim", "shim")])[1, 1.0].likeness is None


def test_each_picture_is_looked_at_once(tmp_path):
    for name in ("base.png", "one.png"):
        Image.new("RGB", (8, 8), "red" if name == "one.png" else "blue").save(tmp_path / name)
    files = {(None, 0.0, 1, 1): "base.png", (1, 1.0, 1, 1): "one.png"}
    cells = Cells(tmp_path, [1], [1.0], ["shim, red dress"], files)
    asked = []

    def look_at(pixels, name, text, rest):
        asked.append((name, text, rest, pixels.shape))
        return Seen([(0.5, 1.0), (float("nan"), 1.0)], (1.0, 1.0))

    for _ in range(2):
        found = view(cells, "shim", look_at, recipe="a", cache=tmp_path / "cache")
    assert asked == [("shim, red dress/1", "shim, red dress", "red dress", (8, 8, 3))] * 2
    assert found == {(1, 1.0): Shown(None, pytest.approx(1.0))}
    kept = [json.loads(path.read_text()) for path in (tmp_path / "cache").glob("*/*.json")]
    assert len(kept) == 2 and kept[0]["look"][1] == [None, 1.0]
    view(cells, "shim", look_at, recipe="b", cache=tmp_path / "cache")
    assert len(asked) == 4


def test_the_judge_tells_which_way_a_picture_lies():
    models = replace(tiny_models(), tokenizer=load_tokenizer())
    bank = LoraBank(models.unet, models.text_encoder, [random_lora(4, 4, 2)], ["shim"])
    judge = Judge(models, models.vae, bank, 0, ["shim, red dress"], clip_skip=2, seed=7)
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    first = judge.look_at(pixels, "a", "shim, red dress", "red dress")
    assert first == judge.look_at(pixels, "a", "shim, red dress", "red dress")
    assert len(first.look) == 4 and all(size > 0 for _, size in first.look) and first.wish[1] > 0
    assert judge.look_at(pixels, "b", "shim, red dress", "red dress") != first
    assert judge.look_at(pixels, "a", "shim", "").wish is None


def test_a_pair_divides_to_how_far_it_lies_that_way():
    pull = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    for along, size in pairs(pull, 0.4 * pull):
        assert along / size == pytest.approx(0.4)
