"""Batches of an epoch: the same with any number of threads and wherever the latents lie; shared among processes."""

from __future__ import annotations

import pytest
import torch
from trainable import SETTINGS

from loramake.checkpoints import save_tensors
from loramake.latentfiles import TENSOR, LatentFile
from loramake.latentstore import LatentStore
from loramake.models import load_tokenizer
from loramake.recipe import make_recipe
from loramake.trainfeed import Feed
from loramake.trainset import Picture

BUCKETS = [(64, 64)] * 5 + [(32, 96)] * 3


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("latents")
    made = []
    for number, (width, height) in enumerate(BUCKETS):
        path, flipped = folder / f"{number}.safetensors", folder / f"{number}f.safetensors"
        value = torch.full((4, height // 8, width // 8), float(number))
        save_tensors(path, {TENSOR: value}, {})
        save_tensors(flipped, {TENSOR: -value}, {})
        made.append(LatentFile(path, "", "", (width, height), (width, height), flipped))
    return made


def make_feed(files, tokenizer, number=0, count=1, **changes):
    recipe = make_recipe({**SETTINGS, "flip_aug": True, "caption_tag_dropout_rate": 0.3, **changes})
    pictures = [Picture(f"3_shim/{n}", file.path, f"shim, a, b, tag {n}", 3) for n, file in enumerate(files)]
    return Feed(recipe, pictures, files, tokenizer, 1.0, torch.device("cpu"), number, count)


def flatten(steps):
    return [tensor for step in steps for b in step for tensor in (b.input_ids, b.latents, b.noise, b.timesteps)]


@pytest.mark.parametrize("workers", [1, 4])
def test_threads_change_nothing(files, tokenizer, workers):
    alone = flatten(make_feed(files, tokenizer).steps(2))
    ahead = flatten(make_feed(files, tokenizer, max_data_loader_n_workers=workers).steps(2))
    assert len(alone) == len(ahead) == 13 * 4
    assert all(torch.equal(a, b) for a, b in zip(alone, ahead, strict=True))


def test_latents_that_do_not_fit_are_read_each_time(files, capsys):
    kept, read = (LatentStore(files, 0.5, torch.device("cpu"), room) for room in (None, 0))
    assert "batch by batch" in capsys.readouterr().out
    for index in range(len(files)):
        for mirrored in (False, True):
            value = read.get(index, mirrored=mirrored)
            assert torch.equal(value, kept.get(index, mirrored=mirrored))
            assert value.unique().item() == (-0.5 if mirrored else 0.5) * index
    assert read.get(0) is not read.get(0) and kept.get(0) is kept.get(0)


@pytest.mark.parametrize(("count", "accumulated"), [(2, 1), (3, 2)])
def test_processes_share_the_batches_of_every_step(files, tokenizer, count, accumulated):
    shared = {"gradient_accumulation_steps": accumulated}
    feeds = [make_feed(files, tokenizer, n, count, **shared) for n in range(count)]
    alone = make_feed(files, tokenizer, gradient_accumulation_steps=count * accumulated)
    assert {feed.steps_per_epoch for feed in feeds} == {alone.steps_per_epoch}
    steps = [list(feed.steps(1)) for feed in feeds]
    for number, whole in enumerate(alone.steps(1)):
        parts = [
            batch for taken in zip(*(s[number] + [None] * accumulated for s in steps), strict=False) for batch in taken
        ]
        together = [batch for batch in parts if batch is not None]
        assert len(together) == len(whole)
        assert all(torch.equal(a, b) for a, b in zip(flatten([together]), flatten([whole]), strict=True))
