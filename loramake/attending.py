"""Attention with narrow heads on a CPU, as small models have them: plain products beat PyTorch's fused kernel."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch.nn import functional

from loramake.cliptext import TextEncoder
from loramake.unet import UNet
from loramake.unetblocks import attend_with

_WIDEST = 8  # channels of a head; from 16 on the fused kernel is as fast or faster
_FEWEST_SCORES = 2**11  # of one head; below, the fused kernel's one call wins
_MOST_SCORES = 2**24  # of all heads together: 64 MB, kept until the backward pass
_COLUMNS = 16  # the narrowest result that fills BLAS's registers
_SCORES_AT_ONCE = 2**18  # 1 MB


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """softmax(q·kᵀ / √d + mask)·v, the way that is faster.

    Args:
        q: (B, heads, N, d).
        k, v: (B, heads, M, d).
        mask: (N, M), added to the scores.
    """
    batch, heads, length, width = q.shape
    scores = length * k.shape[2]
    narrow = q.device.type == "cpu" and q.dtype == torch.float32 and width <= _WIDEST
    if not narrow or scores < _FEWEST_SCORES or batch * heads * scores > _MOST_SCORES:
        return functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    groups = (part.reshape(batch * heads, -1, width) for part in (q, k, v))
    return NarrowAttention.apply(*groups, mask).view(batch, heads, length, width)


class NarrowAttention(torch.autograd.Function):
    """softmax(q·kᵀ / √d + mask)·v with gradients for q, k and v; the probabilities are kept for the backward pass.

    A few heads at a time, so that their scores stay in the processor's cache.
    """

    @staticmethod
    def forward(  # noqa: D102
        ctx: torch.autograd.function.FunctionCtx,
        q: torch.Tensor,  # (G, N, d), a group for each head and sample
        k: torch.Tensor,  # (G, M, d)
        v: torch.Tensor,  # (G, M, d)
        mask: torch.Tensor | None,  # (N, M)
    ) -> torch.Tensor:
        q = q * q.shape[-1] ** -0.5
        turned, wide = k.transpose(1, 2), _widened(v)
        shares = q.new_empty((*q.shape[:2], k.shape[1]))
        out = torch.empty_like(q)
        for few in _slices(shares):
            scores = torch.bmm(q[few], turned[few])
            if mask is not None:
                scores += mask
            torch.softmax(scores, dim=-1, out=shares[few])
            out[few] = torch.bmm(shares[few], wide[few])[..., : q.shape[-1]]
        ctx.save_for_backward(q, k, v, shares)
        return out

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # noqa: D102
        q, k, v, shares = ctx.saved_tensors
        width = q.shape[-1]
        grad_q, grad_k, grad_v = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        turned_v, wide_k = v.transpose(1, 2), _widened(k * width**-0.5)
        turned_grad, turned_q = grad.transpose(1, 2).contiguous(), q.transpose(1, 2).contiguous()
        for few in _slices(shares):
            # d as rows of the result, not as columns: four times faster
            grad_v[few] = torch.bmm(turned_grad[few], shares[few]).transpose(1, 2)
            grad_shares = torch.bmm(grad[few], turned_v[few])
            grad_scores = torch._softmax_backward_data(grad_shares, shares[few], -1, shares.dtype)
            grad_k[few] = torch.bmm(turned_q[few], grad_scores).transpose(1, 2)
            grad_q[few] = torch.bmm(grad_scores, wide_k[few])[..., :width]
        return grad_q, grad_k, grad_v, None


def _slices(shares: torch.Tensor) -> Iterator[slice]:
    """Groups to take at a time."""
    groups, length, other = shares.shape
    few = max(1, _SCORES_AT_ONCE // (length * other))
    return (slice(first, first + few) for first in range(0, groups, few))


def _widened(narrow: torch.Tensor) -> torch.Tensor:
    """With columns of zeros beside, (G, M, 16): BLAS takes twice as long for a result of 4 columns as for 16."""
    return functional.pad(narrow, (0, _COLUMNS - narrow.shape[-1]))


class NarrowProcessor:
    """What the U-Net's `Attention` calls: q, k, v, attention, output."""

    def __call__(
        self,
        attn: torch.nn.Module,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Attention of (B, N, C) to itself or to (B, M, context), as SD1's transformer blocks use it: without mask."""
        return attend_with(attend, attn, hidden_states, encoder_hidden_states)


def _attend_back(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """`cliptext.attend_back` for narrow heads: the mask is given, since plain products need one."""
    size = q.shape[2]
    mask = torch.full((size, size), torch.finfo(q.dtype).min, device=q.device).triu(1)
    return attend(q, k, v, mask)


def use_narrow_attention(unet: UNet, text_encoder: TextEncoder) -> int:
    """Let the narrow heads of both models attend through `attend`; returns how many layers that are."""
    narrow = [layer for layer in unet.attentions() if layer.inner_dim // layer.heads <= _WIDEST]
    for layer in narrow:
        layer.set_processor(NarrowProcessor())
    layers = [layer.self_attn for layer in text_encoder.encoder.layers]
    narrow_texts = [layer for layer in layers if text_encoder.config.hidden_size // layer.heads <= _WIDEST]
    for layer in narrow_texts:
        layer.attend = _attend_back
    return len(narrow) + len(narrow_texts)


def use_xformers(unet: UNet) -> None:
    """Let the U-Net attend through the xformers library, which must be there."""
    from xformers.ops import memory_efficient_attention

    def attend_by_library(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        # it takes and gives (B, N, heads, d)
        return memory_efficient_attention(*(part.transpose(1, 2) for part in (q, k, v))).transpose(1, 2)

    for layer in unet.attentions():
        layer.set_processor(partial(attend_with, attend_by_library))
