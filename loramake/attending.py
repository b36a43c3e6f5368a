"""Attention with narrow heads on a CPU, as small models have them: plain products beat PyTorch's fused kernel."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.nn import functional

NAME = "narrow_heads"
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
    """What diffusers' `Attention` calls: q, k, v, attention, output, without divisions by 1 between."""

    def __call__(
        self,
        attn: torch.nn.Module,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Attention of (B, N, C) to itself or to (B, M, context), as SD1's transformer blocks use it: without mask."""
        if attention_mask is not None:
            raise NotImplementedError("SD1's U-Net attends without a mask")
        states = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        parts = (attn.to_q(hidden_states), attn.to_k(states), attn.to_v(states))
        q, k, v = (part.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for part in parts)
        return attn.to_out[1](attn.to_out[0](attend(q, k, v).transpose(1, 2).flatten(2)))


def _clip_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """What transformers' `CLIPAttention` calls; the mask is (1, 1, N, N), the result (B, N, heads, d)."""
    mask = None if attention_mask is None else attention_mask[0, 0]
    return attend(query, key, value, mask).transpose(1, 2), None


def use_narrow_attention(unet: torch.nn.Module, text_encoder: torch.nn.Module) -> int:
    """Let the narrow heads of both models attend through `attend`; returns how many layers that are.

    The U-Net's other layers get the short way too: the same products without what other models than SD1 need.
    The text encoder then wants its mask given, as `textencode.encode` does.
    """
    from diffusers.models.attention_processor import Attention
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    layers = [layer for layer in unet.modules() if isinstance(layer, Attention)]
    narrow = [layer for layer in layers if layer.inner_dim // layer.heads <= _WIDEST]
    for layer in layers:
        layer.set_processor(NarrowProcessor())
    config = text_encoder.config
    if config.hidden_size // config.num_attention_heads > _WIDEST:
        return len(narrow)
    ALL_ATTENTION_FUNCTIONS.register(NAME, _clip_attention)
    config._attn_implementation = NAME
    return len(narrow) + config.num_hidden_layers
