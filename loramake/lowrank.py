"""A frozen linear map with a low-rank correction, in float32: few and large matrix products, forward and backward."""

from __future__ import annotations

import platform
from pathlib import Path

import torch
from torch.nn import functional


def _has_onednn() -> bool:
    operators = torch.ops.mkldnn
    return torch.backends.mkldnn.is_available() and hasattr(operators, "_linear_pointwise")


def _is_intel() -> bool:
    try:
        return b"GenuineIntel" in Path("/proc/cpuinfo").read_bytes()
    except OSError:
        return "GenuineIntel" in platform.processor()


_ONEDNN = _has_onednn()
_INTEL = _is_intel()
# what a product's call costs beside its multiplications, counted in them: decides between few and many products
_CALL = 300_000
# values of the largest merged weight that is kept for the backward pass instead of being made again: 1 MB
_KEPT = 2**18


def multiply(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None, *, conv: bool = False
) -> torch.Tensor:
    """x·weightᵀ + bias for (N, in) and (out, in), without gradient.

    On a CPU through oneDNN, which is about twice as fast as the BLAS of PyTorch's wheels on AMD processors; on Intel's
    that BLAS, MKL, is faster.

    Args:
        conv: the product is a 1x1 convolution, which PyTorch computes through oneDNN everywhere: so do we, since
            optimizers blow up what another rounding does to tiny gradients.
    """
    # torch.compile knows this operator with constant weights alone
    wanted = _ONEDNN and (conv or not _INTEL) and not torch.compiler.is_compiling()
    if wanted and x.device.type == "cpu" and x.dtype == torch.float32:
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return functional.linear(x, weight, bias)


def multiply_columns(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """aᵀ·b for (N, m) and (N, n), without gradient.

    PyTorch's BLAS is MKL, which takes columns as they lie; oneDNN would copy them first. On Intel's processors that
    makes MKL twice as fast.
    """
    return a.t() @ b if _INTEL else multiply(a.t(), b.t())


def merges_pay(tokens: int, in_size: int, out_size: int) -> bool:
    """Whether adding up·down to the weight costs less than passing `tokens` rows through both factors."""
    return tokens * (in_size + out_size) > in_size * out_size


def full_pays(tokens: int, in_size: int, out_size: int, rank: int) -> bool:
    """Whether the factors' gradients cost less through the weight's whole gradient than through the small products."""
    through_full = in_size * out_size * (tokens + 2 * rank) + 3 * _CALL
    return through_full < 2 * tokens * rank * (in_size + out_size) + 4 * _CALL


class LowRankLinear(torch.autograd.Function):
    """y = x·(W + s·up·down)ᵀ + b with gradients for x, down and up; W and b are frozen.

    Nothing but x and small merged weights are kept for the backward pass; the factors' gradients go through the full
    (out, in) gradient where that takes fewer operations than the rank does.
    """

    @staticmethod
    def forward(  # noqa: D102
        ctx: torch.autograd.function.FunctionCtx,
        x: torch.Tensor,  # (N, in)
        weight: torch.Tensor,  # (out, in)
        bias: torch.Tensor | None,
        down: torch.Tensor,  # (r, in)
        up: torch.Tensor,  # (out, r)
        scale: float,
        conv: bool = False,  # see `multiply`
    ) -> torch.Tensor:
        ctx.scale, ctx.conv = scale, conv
        if merges_pay(x.shape[0], weight.shape[1], weight.shape[0]):
            merged = torch.addmm(weight, up, down, alpha=scale)
            ctx.save_for_backward(x, weight, down, up, merged if merged.numel() <= _KEPT else None)
            return multiply(x, merged, bias, conv=conv)
        ctx.save_for_backward(x, weight, down, up, None)
        y = multiply(x, weight, bias, conv=conv)
        return y.addmm_(multiply(x, down), up.t(), alpha=scale)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # noqa: D102
        x, weight, down, up, merged_weight = ctx.saved_tensors
        scale, (tokens, in_size), (out_size, rank) = ctx.scale, x.shape, up.shape
        wants_x, wants_factors = ctx.needs_input_grad[0], ctx.needs_input_grad[3] or ctx.needs_input_grad[4]
        merged = merges_pay(tokens, in_size, out_size)
        through_full = merged and full_pays(tokens, in_size, out_size, rank)
        low_grad = None
        if (wants_x and not merged) or (wants_factors and not through_full):
            low_grad = multiply(grad, up.t())  # (N, r)
        grad_x = grad_down = grad_up = None
        if wants_x and merged:
            if merged_weight is None:
                merged_weight = torch.addmm(weight, up, down, alpha=scale)
            grad_x = multiply(grad, merged_weight.t(), conv=ctx.conv)
        elif wants_x:
            grad_x = multiply(grad, weight.t()).addmm_(low_grad, down, alpha=scale)
        if wants_factors and through_full:
            full = multiply_columns(grad, x)  # (out, in)
            grad_up, grad_down = full @ down.t(), up.t() @ full
        elif wants_factors:
            grad_up, grad_down = multiply_columns(grad, multiply(x, down)), low_grad.t() @ x
        if wants_factors:
            grad_up, grad_down = grad_up.mul_(scale), grad_down.mul_(scale)
        return grad_x, None, None, grad_down, grad_up, None, None
