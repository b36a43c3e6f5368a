"""Attention with narrow heads: the same as PyTorch's, forward and backward, and in use where it is meant."""

from __future__ import annotations

import pytest
import torch
from tinymodels import tiny_models
from torch.nn import functional

from loramake.attending import NarrowAttention, NarrowProcessor, attend, use_narrow_attention
from loramake.textencode import encode


def _with_gradients(function, *tensors):
    inputs = [tensor.detach().clone().requires_grad_() for tensor in tensors]
    out = function(*inputs)
    out.backward(torch.ones_like(out) * torch.linspace(-1, 1, out.numel()).view(out.shape))
    return [out.detach(), *(tensor.grad for tensor in inputs)]


@pytest.mark.parametrize(
    ("batch", "heads", "length", "other", "width", "masked"),
    [
        (2, 8, 256, 256, 4, False),
        (1, 3, 700, 152, 8, False),
        (2, 12, 77, 77, 4, True),
        (1, 2, 600, 600, 5, False),
        (2, 2, 9, 9, 4, True),
        (1, 2, 64, 64, 40, False),
    ],
)
def test_attention_and_its_gradients_are_pytorchs(batch, heads, length, other, width, masked):
    torch.manual_seed(0)
    q = torch.randn(batch, length, heads, width).transpose(1, 2)
    k, v = (torch.randn(batch, other, heads, width).transpose(1, 2) for _ in range(2))
    mask = torch.full((length, other), torch.finfo(torch.float32).min).triu(1) if masked else None
    ours = _with_gradients(lambda *x: attend(*x, mask), q, k, v)
    theirs = _with_gradients(lambda *x: functional.scaled_dot_product_attention(*x, attn_mask=mask), q, k, v)
    for mine, reference in zip(ours, theirs, strict=True):
        assert torch.allclose(mine, reference, atol=1e-5, rtol=1e-4)


def test_only_narrow_heads_take_the_way_of_their_own():
    taken = attend(*(torch.randn(1, 2, 64, 8, requires_grad=True) for _ in range(3)))
    left = attend(*(torch.randn(1, 2, 64, 16, requires_grad=True) for _ in range(3)))
    own = NarrowAttention.__name__
    assert own in str(taken.grad_fn.next_functions[0][0].name()) and own not in str(left.grad_fn.name())


def test_a_tiny_model_attends_through_it_and_answers_the_same():
    model = tiny_models()
    noise, time = torch.randn(1, 4, 16, 16), torch.tensor([500])
    states = torch.randn(1, 77, 16)
    with torch.no_grad():
        before = model.unet(noise, time, states, return_dict=False)[0]
        ids = torch.arange(154).view(1, 2, 77)
        text_before = encode(model.text_encoder, ids, 1)
        assert use_narrow_attention(model.unet, model.text_encoder)
        after = model.unet(noise, time, states, return_dict=False)[0]
        text_after = encode(model.text_encoder, ids, 1)
    assert any(isinstance(layer.processor, NarrowProcessor) for layer in model.unet.attentions())
    assert torch.allclose(before, after, atol=1e-5)
    assert torch.allclose(text_before, text_after, atol=1e-5)
