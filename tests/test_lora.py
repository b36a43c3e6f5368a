"""LoRA layers: names, initial values, arithmetic, files."""

from __future__ import annotations

import json

import pytest
import torch
from tinymodels import tiny_models
from vectors import vectors

from loramake import lora
from loramake.checkpoints import save_tensors
from loramake.diffusersfolder import read_configs
from loramake.errors import UserError
from loramake.lowrank import LowRankLinear
from loramake.models import _empty_model


def test_names_and_shapes_of_sd15():
    recorded = json.loads((vectors() / "lora_modules_sd15.json").read_text())["dim8_alpha1"]
    configs = read_configs(None, {})
    unet, text_encoder = (_empty_model(part, configs[part]) for part in ("unet", "text_encoder"))
    ours = [
        (t.name, type(t.module).__name__, list(t.module.weight.shape[:2]))
        for t in lora.find_targets(unet, text_encoder)
    ]
    theirs = [(m["name"], m["org"], [m["up"][0], m["down"][1]]) for m in recorded["text_encoder"] + recorded["unet"]]
    assert ours == theirs


@pytest.fixture
def models():
    return tiny_models()


def test_fresh_lora_changes_nothing_and_comes_off(models):
    ids = torch.randint(0, 49000, (1, 77))
    x, t, c = torch.randn(2, 4, 8, 8), torch.tensor([3, 500]), torch.randn(2, 77, 16)
    before = models.unet(x, t, c)[0], models.text_encoder(ids)
    network = lora.attach(models.unet, models.text_encoder, rank=4, alpha=1, seed=5)
    assert torch.allclose(models.unet(x, t, c)[0], before[0], atol=1e-6)
    assert torch.allclose(models.text_encoder(ids), before[1], atol=1e-6)
    for p in network.parameters():
        torch.nn.init.normal_(p)
    assert not torch.allclose(models.unet(x, t, c)[0], before[0], atol=1e-2)
    network.detach()
    assert torch.equal(models.unet(x, t, c)[0], before[0])


@pytest.mark.parametrize("tokens", [3, 400])
@pytest.mark.parametrize("kind", ["linear", "conv"])
def test_layer_equals_the_formula_with_gradients(kind, tokens):
    torch.manual_seed(0)
    base = torch.nn.Linear(12, 20) if kind == "linear" else torch.nn.Conv2d(12, 20, 1)
    base.requires_grad_(False)
    layer = lora.LoraLayer(base, 4, 2.0, torch.Generator().manual_seed(1))
    torch.nn.init.normal_(layer.up)
    x = torch.randn(2, tokens, 12, requires_grad=True)
    image = x.transpose(1, 2).reshape(2, 12, tokens, 1)
    y = layer(x) if kind == "linear" else layer(image).flatten(2).transpose(1, 2)
    down, up = layer.down.view(4, 12), layer.up.view(20, 4)
    expected = x @ base.weight.view(20, 12).T + base.bias + 0.5 * (x @ down.T) @ up.T
    assert torch.allclose(y, expected, atol=1e-5)
    probe = torch.randn_like(expected)
    wanted = torch.autograd.grad(expected, [x, layer.down, layer.up], probe)
    for got, want in zip(torch.autograd.grad(y, [x, layer.down, layer.up], probe), wanted, strict=True):
        assert torch.allclose(got, want, atol=1e-4)


def test_initial_values_depend_on_the_seed_alone(models):
    first = lora.attach(models.unet, models.text_encoder, rank=4, alpha=1, seed=5)
    first.detach()
    torch.randn(3)
    again = lora.attach(models.unet, models.text_encoder, rank=4, alpha=1, seed=5)
    again.detach()
    other = lora.attach(models.unet, models.text_encoder, rank=4, alpha=1, seed=6)
    a, b, c = (n.tensors() for n in (first, again, other))
    assert all(torch.equal(a[k], b[k]) for k in a)
    key = next(k for k in a if "down" in k)
    assert not torch.equal(a[key], c[key])
    assert a[key].abs().max() <= 1 / a[key].shape[1] ** 0.5
    assert all(not v.any() for k, v in a.items() if "lora_up" in k)


def test_alpha_zero_means_rank():
    layer = lora.LoraLayer(torch.nn.Linear(2, 2), 8, 0, torch.Generator())
    assert layer.alpha == 8 and layer.factor == 1


def test_file_round_trip(models, tmp_path):
    network = lora.attach(models.unet, models.text_encoder, rank=4, alpha=1, seed=5)
    save_tensors(tmp_path / "a.safetensors", network.tensors(torch.float16), {"ss_x": "я"})
    tensors, metadata = lora.load_file(tmp_path / "a.safetensors")
    assert metadata == {"ss_x": "я"}
    assert tensors.keys() == network.tensors().keys()
    assert {t.dtype for t in tensors.values()} == {torch.float16}
    from safetensors.torch import load_file

    assert all(torch.equal(v, tensors[k]) for k, v in load_file(tmp_path / "a.safetensors").items())


def test_other_files_are_refused(tmp_path):
    save_tensors(tmp_path / "vae.safetensors", {"decoder.conv_in.weight": torch.zeros(1)}, {})
    with pytest.raises(UserError):
        lora.load_file(tmp_path / "vae.safetensors")


@pytest.mark.parametrize("rank", [2, 40])
@pytest.mark.parametrize("tokens", [5, 500])
def test_low_rank_gradients_whichever_way_they_are_computed(tokens, rank):
    torch.manual_seed(0)
    weight, bias = torch.randn(24, 30), torch.randn(24)
    down, up = torch.randn(rank, 30, requires_grad=True), torch.randn(24, rank, requires_grad=True)
    x = torch.randn(tokens, 30, requires_grad=True)
    y = LowRankLinear.apply(x, weight, bias, down, up, 0.3)
    expected = x @ weight.T + bias + 0.3 * (x @ down.T) @ up.T
    assert torch.allclose(y, expected, atol=1e-4, rtol=1e-4)
    probe = torch.randn_like(expected)
    wanted = torch.autograd.grad(expected, [x, down, up], probe)
    for got, want in zip(torch.autograd.grad(y, [x, down, up], probe), wanted, strict=True):
        assert torch.allclose(got, want, atol=1e-3, rtol=1e-4)
