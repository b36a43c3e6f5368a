"""torch.compile: the same training, refused where it cannot work."""

from __future__ import annotations

import pytest
import torch
from trainable import SETTINGS, make_ground

from loramake.abilities import training_refusals
from loramake.capabilities import Capabilities, Card, probe
from loramake.errors import UserError
from loramake.recipe import make_recipe
from loramake.training import train_lora

LIMIT = 1e-5


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    return make_ground(tmp_path_factory.mktemp("ground"))


def losses(ground, folder, **changes):
    options = {**SETTINGS, "max_train_epochs": 2, "device": "cpu", "name": "shim", **changes}
    base = str(ground / "base.safetensors")
    train_lora(ground / "dataset", ground / "latents", folder / "out", folder / "runs", base_model=base, **options)
    return [float(row.split("\t")[2]) for row in (folder / "out/loss.tsv").read_text().splitlines()[1:]]


@pytest.mark.skipif(not probe(device="cpu").compiler, reason="no C++ compiler, or no Python.h")
def test_compiled_blocks_train_as_plain_ones_do(ground, tmp_path, capsys):
    plain = losses(ground, tmp_path / "plain")
    compiled = losses(ground, tmp_path / "compiled", torch_compile=True)
    assert len(plain) == 8 and max(abs(a - b) for a, b in zip(plain, compiled, strict=True)) <= LIMIT
    assert "compiled the U-Net's transformer blocks" in capsys.readouterr().out
    # of one width, all blocks and both buckets share a graph
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] <= 8


def test_what_it_needs_is_named():
    recipe = make_recipe({"torch_compile": True})
    card = Card("Card", 2**34, 2**34, True)
    for machine, device, words in (
        (Capabilities(compiler=True), "cpu", []),
        (Capabilities(), "cpu", ["g++"]),
        (Capabilities((card,), packages=frozenset({"triton"}), compiler=True), "cuda", []),
        (Capabilities((card,)), "cuda", ["pip install triton", "g++"]),
        (Capabilities(mps=True, compiler=True), "mps", ["CPUs only"]),
    ):
        refusals = [str(error) for error in training_refusals(recipe, device, machine)]
        refusals = [text for text in refusals if "torch_compile" in text]
        assert len(refusals) == len(words), (device, refusals)
        assert all(word in text for word, text in zip(words, refusals, strict=True))


def test_a_compiler_that_fails_is_a_message(ground, tmp_path, monkeypatch):
    def broken(*_arguments, **_options):
        raise torch._dynamo.exc.TorchDynamoException("the compiler said no")

    monkeypatch.setattr(torch, "compile", lambda function, **_options: broken)
    with pytest.raises(UserError) as error:
        losses(ground, tmp_path, torch_compile=True)
    assert "train.torch_compile: false" in str(error.value) and "said no" in str(error.value)
