"""The lean gate: diffusers' result and gradient, and in use where a model is trained on a CPU."""

from __future__ import annotations

import torch
from diffusers.models.activations import GEGLU
from tinymodels import tiny_models

from loramake.gating import GatedGelu, use_lean_gates


def _value_and_gradient(gate, x):
    x = x.clone().requires_grad_()
    out = gate(x)
    (out * torch.linspace(-1, 1, out.numel()).view(out.shape)).sum().backward()
    return out.detach(), x.grad


def test_value_and_gradient_are_diffusers():
    torch.manual_seed(0)
    layer = GEGLU(8, 6)
    layer.proj = torch.nn.Identity()
    x = torch.randn(2, 5, 12)
    ours, theirs = _value_and_gradient(GatedGelu.apply, x), _value_and_gradient(layer, x)
    assert torch.equal(ours[0], theirs[0])
    assert torch.allclose(ours[1], theirs[1], atol=1e-6)


def test_a_model_answers_the_same_with_lean_gates():
    model = tiny_models()
    noise, time, states = torch.randn(1, 4, 16, 16), torch.tensor([500]), torch.randn(1, 77, 16)
    with torch.no_grad():
        before = model.unet(noise, time, states, return_dict=False)[0]
        assert use_lean_gates(model.unet)
        assert not use_lean_gates(model.unet)  # they are already
        after = model.unet(noise, time, states, return_dict=False)[0]
    assert torch.allclose(before, after, atol=1e-6)
