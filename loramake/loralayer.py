"""A LoRA beside one frozen layer, with kohya's initial values."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from loramake.lowrank import LowRankLinear


class LoraLayer(torch.nn.Module):
    """A frozen Linear or Conv2d with a LoRA beside it: base(x) + up(down(x)) · weight · alpha / rank.

    Beside a larger convolution, down has its kernel, stride and padding, and up is 1x1, as in kohya's `networks.lora`.

    Args:
        base: the frozen layer.
        rank: columns of the two matrices.
        alpha: scale; 0 means alpha = rank.
        generator: draws the initial down weights; up starts at zero.
        dropout: share of down's outputs set to zero in training, 0…1; drawn from torch's own generator, which
            gradient checkpointing winds back.
    """

    def __init__(
        self, base: torch.nn.Module, rank: int, alpha: float, generator: torch.Generator, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.base = base
        self.rank = rank
        self.alpha = float(alpha) or float(rank)
        self.factor = self.alpha / rank
        self.dropout = dropout
        out_size, in_size = base.weight.shape[:2]
        kernel = tuple(base.weight.shape[2:])
        # Kaiming uniform with a = √5 comes down to ±1/√fan_in
        bound = math.sqrt(6.0 / ((1 + 5) * in_size * math.prod(kernel)))
        down = torch.empty(rank, in_size, *kernel).uniform_(-bound, bound, generator=generator)
        device = base.weight.device
        self.down = torch.nn.Parameter(down.to(device))  # (r, in[, k, k])
        tail = (1,) * len(kernel)
        self.up = torch.nn.Parameter(torch.zeros(out_size, rank, *tail, device=device))  # (out, r[, 1, 1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # half precision would round the correction away inside the large weight: keep it apart
        low_precision = x.dtype != torch.float32 or torch.is_autocast_enabled(x.device.type)
        if low_precision or self._drops() or self.down.shape[2:] not in ((), (1, 1)):
            return self._apart(x)
        base = self.base
        if self.down.ndim == 2:
            rows = x.reshape(-1, x.shape[-1])
            y = LowRankLinear.apply(rows, base.weight, base.bias, self.down, self.up, self.factor)
            return y.view(*x.shape[:-1], -1)
        # a 1x1 convolution as a linear map of channels; the result lies channels-last in memory
        batch, channels, height, width = x.shape
        rows = x.permute(0, 2, 3, 1).reshape(-1, channels)
        down, up = self.down.flatten(1), self.up.flatten(1)
        y = LowRankLinear.apply(rows, base.weight.flatten(1), base.bias, down, up, self.factor, True)
        return y.view(batch, height, width, -1).permute(0, 3, 1, 2)

    def _drops(self) -> bool:
        return self.dropout > 0 and self.training

    def _apart(self, x: torch.Tensor) -> torch.Tensor:
        """Base and correction one after the other."""
        if self.down.ndim == 2:
            low = functional.linear(x, self.down)
        else:
            low = functional.conv2d(x, self.down, stride=self.base.stride, padding=self.base.padding)
        if self._drops():
            low = functional.dropout(low, self.dropout)
        high = functional.linear(low, self.up) if self.up.ndim == 2 else functional.conv2d(low, self.up)
        return self.base(x) + high * self.factor

    @torch.no_grad()
    def limit_norm(self, limit: float) -> None:
        """Scale both factors so that the 2-norm of the whole correction, alpha / rank included, is at most `limit`.

        What kohya's `scale_weight_norms` does. ‖up·down‖² is Σ (upᵀup)∘(down·downᵀ), which needs no full matrix.
        """
        down, up = self.down.flatten(1), self.up.flatten(1)
        norm = ((up.t() @ up) * (down @ down.t())).sum().clamp(min=0).sqrt() * self.factor
        ratio = (limit / norm.clamp(min=limit)).sqrt()
        self.down.mul_(ratio)
        self.up.mul_(ratio)
