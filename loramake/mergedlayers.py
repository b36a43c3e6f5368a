"""Layers of a merged U-Net for oneDNN, in float32 on a CPU: channels last, weights laid out once for all steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

Weigh = Callable[[torch.nn.Module], Tensor]


class Conv:
    """A convolution of any size on (B, C, h, w) with channels last in memory.

    Args:
        layer: may have a bank beside it.
        weight: of `layer`, with its LoRAs.
    """

    def __init__(self, layer: torch.nn.Module, weight: Tensor) -> None:
        base = base_of(layer)
        self._shape = list(base.padding), list(base.stride), list(base.dilation), base.groups
        self._weight, self._laid_out, self.bias = weight, False, base.bias

    def __call__(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """The convolution, with another bias than its own where one is given."""
        bias = self.bias if bias is None else bias
        convolve = torch.ops.mkldnn._convolution_pointwise
        return convolve(x, self._weight_for(x), bias, *self._shape, "none", [], "")

    def add(self, x: Tensor, other: Tensor) -> Tensor:
        """The convolution and `other` together."""
        convolve = torch.ops.mkldnn._convolution_pointwise.binary
        return convolve(x, other, self._weight_for(x), self.bias, *self._shape, "add", 1.0, None, [], None)

    def _weight_for(self, x: Tensor) -> Tensor:
        if not self._laid_out:
            # the best layout depends on the size of the picture
            reorder = torch.ops.mkldnn._reorder_convolution_weight
            self._weight, self._laid_out = reorder(self._weight.contiguous(), *self._shape, list(x.shape)), True
        return self._weight


class Linear:
    """A linear layer, or some side by side, on rows (N, in)."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight, self._bias = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous()), bias

    def __call__(self, rows: Tensor, activation: str = "none") -> Tensor:
        """(N, in) → (N, out); `activation` is "none" or "gelu"."""
        return torch.ops.mkldnn._linear_pointwise(rows, self._weight, self._bias, activation, [], "none")

    def joined(self, rows: Tensor, other: Tensor, how: str) -> Tensor:
        """The layer's output and `other`, (N, out), added up ("add") or multiplied ("mul")."""
        return torch.ops.mkldnn._linear_pointwise.binary(rows, other, self._weight, self._bias, how)


def convolution(layer: torch.nn.Module, weigh: Weigh, known: dict[torch.nn.Module, Conv]) -> Conv:
    """A convolution; one that no LoRA touches is laid out once and then `known`."""
    weight = weigh(layer)
    if weight is not getattr(layer, "weight", None):
        return Conv(layer, weight)
    if layer not in known:
        known[layer] = Conv(layer, weight)
    return known[layer]


def onednn_is_there() -> bool:
    """Whether this PyTorch has the operations that these layers are made of."""
    needed = ("_convolution_pointwise", "_linear_pointwise", "_reorder_convolution_weight", "_reorder_linear_weight")
    return torch.backends.mkldnn.is_available() and all(hasattr(torch.ops.mkldnn, name) for name in needed)


def base_of(layer: torch.nn.Module) -> torch.nn.Module:
    """The layer below a bank's, or the layer."""
    return getattr(layer, "base", layer)


def bias_of(layer: torch.nn.Module) -> Tensor:
    """The bias of a layer, on which a bank may be."""
    return base_of(layer).bias


def side_by_side(layers: Sequence[torch.nn.Module], weigh: Weigh) -> Linear:
    """Linear layers, or 1x1 convolutions, side by side."""
    biases = [bias_of(layer) for layer in layers]
    weight = torch.cat([weigh(layer).flatten(1) for layer in layers])
    return Linear(weight, None if biases[0] is None else torch.cat(biases))


def norm(layer: torch.nn.GroupNorm, x: Tensor) -> Tensor:
    """Group norm of (B, C, h, w)."""
    return functional.group_norm(x, layer.num_groups, layer.weight, layer.bias, layer.eps)


def norm_rows(layer: torch.nn.LayerNorm, rows: Tensor) -> Tensor:
    """Layer norm of (N, C)."""
    return functional.layer_norm(rows, layer.normalized_shape, layer.weight, layer.bias, layer.eps)


def as_rows(x: Tensor) -> Tensor:
    """(B, C, h, w) with channels last in memory → (B·h·w, C) without a copy."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
