"""The gate of a transformer's feed-forward layer on a CPU, with less to keep and to copy than PyTorch's parts need."""

from __future__ import annotations

import torch
from torch.nn import functional

from loramake.unet import UNet
from loramake.unetblocks import GEGLU


class GatedGelu(torch.autograd.Function):
    """a · gelu(b) of x = [a, b] along the last axis (Shazeer 2020, arXiv:2002.05202); keeps nothing but x."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        ctx.save_for_backward(x)
        value, gate = x.chunk(2, dim=-1)
        return functional.gelu(gate).mul_(value)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: torch.Tensor) -> torch.Tensor:  # noqa: D102
        (x,) = ctx.saved_tensors
        value, gate = x.chunk(2, dim=-1)
        both = torch.empty_like(x)
        grad_value, grad_gate = both.chunk(2, dim=-1)
        torch.mul(grad, functional.gelu(gate), out=grad_value)
        torch.ops.aten.gelu_backward.grad_input(grad * value, gate, grad_input=grad_gate)
        return both


class LeanGEGLU(GEGLU):
    """Same weights, same result."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(…, C) → (…, out_channels)."""
        return GatedGelu.apply(self.proj(x))


def use_lean_gates(unet: UNet) -> int:
    """Let the feed-forward layers of a U-Net compute their gates so; returns how many those are."""
    layers = [layer for layer in unet.modules() if type(layer) is GEGLU]
    for layer in layers:
        layer.__class__ = LeanGEGLU
    return len(layers)
