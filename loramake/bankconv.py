"""Adapters of a bank beside a convolution larger than 1x1 (kohya's `conv_dim`, "LoCon")."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from loramake.bankchoice import Choice, Current


class ConvBankLayer(torch.nn.Module):
    """A frozen Conv2d with K adapters: base(x) + up_k(down_k(x)) · weight · alpha_k / rank_k.

    Args:
        base: the frozen convolution.
        down: (K, r, in, k, k), zero rows where an adapter's rank is lower; takes the base's stride and padding.
        up: (K, out, r), already times alpha / rank.
        current: where the layer looks up the batch's choices.
    """

    def __init__(self, base: torch.nn.Conv2d, down: Tensor, up: Tensor, current: Current) -> None:
        super().__init__()
        self.base, self._current = base, current
        self.register_buffer("down", down, persistent=False)
        self.register_buffer("up", up[..., None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.base(x)
        for choice in self._current.choices:
            self._add(y, x, choice)
        return y

    def _add(self, y: Tensor, x: Tensor, choice: Choice) -> None:
        """Add to y (B, out, h, w), in place, what one choice makes of x (B, in, H, W)."""
        if choice.adapter is not None:
            y += self._correction(x, choice.weights, choice.adapter)
            return
        for adapter in choice.adapters[choice.weights != 0].unique().tolist():
            places = ((choice.adapters == adapter) & (choice.weights != 0)).nonzero().flatten()
            y[places] += self._correction(x[places], choice.weights[places], adapter)

    def _correction(self, x: Tensor, weights: Tensor, adapter: int) -> Tensor:
        low = functional.conv2d(x, self.down[adapter], stride=self.base.stride, padding=self.base.padding)
        return functional.conv2d(low * weights.view(-1, 1, 1, 1), self.up[adapter])
