"""Blocks of SD1's U-Net and VAE (Rombach et al. 2022, arXiv:2112.10752), with diffusers' names for their weights.

Written out here, since importing diffusers takes longer than drawing a few cells; class names are those that trainers
tell layers by.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

TRANSFORMER_EPS = 1e-6  # of the group norm before each transformer and in the VAE


class ResnetBlock2D(nn.Module):
    """norm, silu, convolution, twice, beside the input; the time embedding is added in between.

    Args:
        channels, out_channels: of input and output.
        groups, eps: of the norms.
        time_channels: of the time embedding; 0 for none.
    """

    def __init__(self, channels: int, out_channels: int, groups: int, eps: float, time_channels: int = 0) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, channels, eps)
        self.conv1 = nn.Conv2d(channels, out_channels, 3, padding=1)
        if time_channels:
            self.time_emb_proj = nn.Linear(time_channels, out_channels)
        self.norm2 = nn.GroupNorm(groups, out_channels, eps)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        if channels != out_channels:
            self.conv_shortcut = nn.Conv2d(channels, out_channels, 1)

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        """(B, C, h, w), (B, time_channels) → (B, C', h, w)."""
        y = self.conv1(functional.silu(self.norm1(x)))
        if time is not None:
            y = y + self.time_emb_proj(functional.silu(time))[:, :, None, None]
        y = self.conv2(functional.silu(self.norm2(y)))
        return y + (self.conv_shortcut(x) if "conv_shortcut" in self._modules else x)


class Downsample2D(nn.Module):
    """A convolution of stride 2; the VAE's (`padding` 0) pads right and below alone."""

    def __init__(self, channels: int, padding: int) -> None:
        super().__init__()
        self.padding = padding
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) → (B, C, ⌈h/2⌉, ⌈w/2⌉)."""
        return self.conv(x if self.padding else functional.pad(x, (0, 1, 0, 1)))


class Upsample2D(nn.Module):
    """Every pixel fourfold, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """(B, C, h, w) → (B, C, *size), by default twice as large."""
        wider = {"size": size} if size else {"scale_factor": 2.0}
        return self.conv(functional.interpolate(x, mode="nearest", **wider))


def attend_with(
    attend: Callable[[Tensor, Tensor, Tensor], Tensor],
    attention: Attention,
    hidden_states: Tensor,
    encoder_hidden_states: Tensor | None = None,
) -> Tensor:
    """What an `Attention` does: (B, N, C) to itself, or to (B, M, context).

    Args:
        attend: of queries (B, heads, N, d), keys and values (B, heads, M, d): (B, heads, N, d).
    """
    states = hidden_states if encoder_hidden_states is None else encoder_hidden_states
    parts = (attention.to_q(hidden_states), attention.to_k(states), attention.to_v(states))
    q, k, v = (part.unflatten(-1, (attention.heads, -1)).transpose(1, 2) for part in parts)
    return attention.to_out[1](attention.to_out[0](attend(q, k, v).transpose(1, 2).flatten(2)))


attend_plainly = partial(attend_with, functional.scaled_dot_product_attention)


class Attention(nn.Module):
    """Attention of `heads` heads; what it computes with can be exchanged.

    Args:
        channels, context: of the states that ask, and of those that are looked at.
        heads: as many parts have the channels.
        bias: whether queries, keys and values have one.
        groups: of a norm before, in the VAE's attention, which is added to its input; 0 for none.
    """

    def __init__(self, channels: int, context: int, heads: int, *, bias: bool = False, groups: int = 0) -> None:
        super().__init__()
        self.heads, self.inner_dim = heads, channels
        self.processor: Callable[..., Tensor] = attend_plainly
        if groups:
            self.group_norm = nn.GroupNorm(groups, channels, TRANSFORMER_EPS)
        self.to_q = nn.Linear(channels, channels, bias=bias)
        self.to_k = nn.Linear(context, channels, bias=bias)
        self.to_v = nn.Linear(context, channels, bias=bias)
        self.to_out = nn.ModuleList([nn.Linear(channels, channels), nn.Identity()])

    def set_processor(self, processor: Callable[..., Tensor]) -> None:
        """Let `processor(self, hidden_states, encoder_hidden_states=…)` compute it."""
        self.processor = processor

    def forward(self, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None) -> Tensor:
        """(B, N, C), or in the VAE (B, C, h, w) → the same shape."""
        if hidden_states.ndim == 3:
            return self.processor(self, hidden_states, encoder_hidden_states=encoder_hidden_states)
        rows = self.group_norm(hidden_states.flatten(2)).transpose(1, 2)
        return hidden_states + self.processor(self, rows).transpose(1, 2).reshape(hidden_states.shape)


class GEGLU(nn.Module):
    """A linear layer to twice as many values, one half gating the other by GELU (Shazeer 2020, arXiv:2002.05202)."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.proj = nn.Linear(channels, 2 * out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(…, C) → (…, out_channels)."""
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * functional.gelu(gate)


class FeedForward(nn.Module):
    """GEGLU to four times as many channels, and back."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.net = nn.Sequential(GEGLU(channels, 4 * channels), nn.Identity(), nn.Linear(4 * channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """(…, C) → (…, C)."""
        return self.net(x)


class BasicTransformerBlock(nn.Module):
    """Attention to itself, to the text, and a feed-forward layer, each after a norm and added to its input."""

    def __init__(self, channels: int, context: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attn1 = Attention(channels, channels, heads)
        self.norm2 = nn.LayerNorm(channels)
        self.attn2 = Attention(channels, context, heads)
        self.norm3 = nn.LayerNorm(channels)
        self.ff = FeedForward(channels)

    def forward(self, x: Tensor, text: Tensor) -> Tensor:
        """(B, N, C), (B, M, context) → (B, N, C)."""
        x = self.attn1(self.norm1(x)) + x
        x = self.attn2(self.norm2(x), text) + x
        return self.ff(self.norm3(x)) + x


class Transformer2DModel(nn.Module):
    """A transformer over the pixels of a feature map, added to it."""

    def __init__(self, channels: int, context: int, heads: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, TRANSFORMER_EPS)
        self.proj_in = nn.Conv2d(channels, channels, 1)
        self.transformer_blocks = nn.ModuleList([BasicTransformerBlock(channels, context, heads)])
        self.proj_out = nn.Conv2d(channels, channels, 1)
        self.gradient_checkpointing = False

    def forward(self, x: Tensor, text: Tensor) -> Tensor:
        """(B, C, h, w), (B, M, context) → (B, C, h, w)."""
        batch, channels, height, width = x.shape
        rows = self.proj_in(self.norm(x)).permute(0, 2, 3, 1).reshape(batch, height * width, channels)
        for block in self.transformer_blocks:
            rows = run_block(block, rows, text, again=self.gradient_checkpointing)
        back = rows.reshape(batch, height, width, channels).permute(0, 3, 1, 2).contiguous()
        return self.proj_out(back) + x


def run_block(block: nn.Module, *inputs: Tensor, again: bool) -> Tensor:
    """A block's output; with `again` what it computes inside is not kept but computed again in the backward pass."""
    if again and torch.is_grad_enabled():
        return checkpoint(block, *inputs, use_reentrant=False)
    return block(*inputs)
