"""Pictures in batches: each as if drawn alone."""

import functools
from dataclasses import replace

import numpy
import pytest
import torch
from test_bank import LORAS
from tinymodels import tiny_models

from loramake.bank import LoraBank
from loramake.models import load_tokenizer
from loramake.painting import decode, paint
from loramake.textstates import Request

LOOK = {"sampler": "Euler", "steps": 3, "cfg_scale": 4.0, "width": 64, "height": 48, "clip_skip": 1}
REQUESTS = [
    Request("shim, (smile:1.3)", "bad", 1),
    Request("shim", "", 2, adapter=0, weight=0.5),
    Request("[red|blue] dress", "", 3, adapter=1, weight=1.0),
    Request("one BREAK two", "bad", 4, adapter=1, weight=0.7),  # two windows against one
    Request("one BREAK two", "bad BREAK x", 4, adapter=2, weight=0.7),
    Request("[one BREAK two:three:0.5]", "", 5, adapter=0, weight=0.5),  # windows change between steps
    Request("shim", "", 2, adapter=0, weight=0.0),
    Request("shim", "", 2),
    Request("shim :0.8 AND [red|blue] dress :-0.2", "bad", 6, adapter=1, weight=0.6),
    Request("shim AND one BREAK two", "bad", 7, adapter=0, weight=0.4),
    Request("shim AND two BREAK one :1.5", "x", 8),
    Request("shim", "", 9, adapter=0, weight=0.5, extra=((2, 0.3, 0.9), (1, 0.0, -0.4))),
    Request("dress", "bad", 9, adapter=1, weight=0.7, extra=((2, 0.3, 0.9), (1, 0.0, -0.4))),
]


@functools.cache
def banked():
    models = replace(tiny_models(), tokenizer=load_tokenizer())
    return models, LoraBank(models.unet, models.text_encoder, LORAS, "abc")


def drawn(requests, batch_size=8, **changes) -> list[numpy.ndarray]:
    models, bank = banked()
    pictures = dict(paint(models, bank, requests, batch_size=batch_size, **{**LOOK, **changes}))
    assert sorted(pictures) == list(range(len(requests)))
    return [pictures[place] for place in range(len(requests))]


@pytest.mark.parametrize("sampler", ["Euler a", "DPM++ 2M Karras", "DPM++ SDE", "UniPC"])
@pytest.mark.parametrize("cfg_scale", [1.0, 4.0])
def test_batches_change_nothing(sampler, cfg_scale):
    together = drawn(REQUESTS, sampler=sampler, cfg_scale=cfg_scale)
    for request, picture in zip(REQUESTS, together, strict=True):
        (alone,) = drawn([request], sampler=sampler, cfg_scale=cfg_scale)
        assert picture.shape == (48, 64, 3)
        assert abs(picture.astype(int) - alone.astype(int)).max() <= 1


def test_eta_is_the_samplers_own_unless_set():
    request = REQUESTS[:1]
    (own,), (full,), (none,) = (drawn(request, sampler="Euler a", **eta) for eta in ({}, {"eta": 1}, {"eta": 0}))
    assert numpy.array_equal(own, full) and not numpy.array_equal(own, none)
    assert numpy.array_equal(none, drawn(request, sampler="Euler")[0])


def test_weight_zero_is_the_base():
    together = drawn(REQUESTS)
    assert numpy.array_equal(together[6], together[7])
    assert not numpy.array_equal(together[1], together[7])


def test_alternation_differs_from_both_of_its_words():
    mixed, red, blue = drawn([Request(f"{word} dress", "", 3) for word in ("[red|blue]", "red", "blue")])
    assert not numpy.array_equal(mixed, red) and not numpy.array_equal(mixed, blue)


def far(a: numpy.ndarray, b: numpy.ndarray) -> int:
    return abs(a.astype(int) - b.astype(int)).max()


def test_parts_pull_by_their_weights():
    texts = ["red dress", "red dress :0.5 AND red dress :0.5", "red dress AND blue hat :0", "red dress AND blue hat"]
    plain, halves, nothing, both = drawn([Request(text, "bad", 3) for text in texts])
    assert far(plain, halves) <= 1 and far(plain, nothing) <= 1 and far(plain, both) > 1


def test_at_scale_one_the_parts_still_pull():
    """The conditioned prediction alone would do for one part only."""
    alone, both = drawn([Request(text, "bad", 3) for text in ("red", "red AND blue hat :-3")], cfg_scale=1.0)
    assert far(alone, both) > 1


def test_further_loras_act_like_the_grids_own():
    own, called, text_only, unet_only = drawn(
        [
            Request("shim", "", 2, adapter=1, weight=0.8),
            Request("shim", "", 2, extra=((1, 0.8, 0.8),)),
            Request("shim", "", 2, extra=((1, 0.8, 0.0),)),
            Request("shim", "", 2, extra=((1, 0.0, 0.8),)),
        ]
    )
    assert far(own, called) <= 1
    assert min(far(own, text_only), far(own, unet_only), far(text_only, unet_only)) > 1


def test_decoding_in_parts_is_decoding_at_once(monkeypatch):
    models, _ = banked()
    latents = torch.randn(3, 4, 6, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        whole = list(decode(models.vae, latents))
        monkeypatch.setattr("loramake.painting.DECODED_PIXELS", 64 * 48)
        parts = list(decode(models.vae, latents))
        latents[1] = float("nan")
        broken = list(decode(models.vae, latents))
    assert len(whole) == 3
    for a, b in zip(whole, parts, strict=True):
        assert abs(a.astype(int) - b.astype(int)).max() <= 1
    assert broken[1].max() == 0 and numpy.array_equal(broken[2], parts[2])
