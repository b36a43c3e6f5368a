"""The UniPC sampler: a predictor and a corrector of one solver, at one model call a step."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from loramake.denoising import Denoise, Noise

ORDER = 3


def unipc(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Noise, eta: float) -> Tensor:
    """UniPC-3 in data prediction with B(h) = h, "bh1" (Zhao et al. 2023, algorithms 5 and 6); `eta` has no meaning.

    The order grows from 1 and falls again towards the end, where the last point is not corrected: the webui's
    defaults. `sigmas` must not end at 0.
    """
    known: list[tuple[float, Tensor]] = []  # (lambda, x0) of the points behind, newest last
    step_start, order = x, 1
    for step, (sigma, target) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
        x0 = denoise(x, sigma, step)
        if step:
            x = _advance(step_start, known, sigma, order, corrected_by=x0)
        known = [*known[1 - ORDER :], (-math.log(sigma), x0)]
        order = min(ORDER, step + 1, len(sigmas) - 1 - step)
        step_start, x = x, _advance(x, known, target, order)
    return x


def _advance(
    x: Tensor, known: Sequence[tuple[float, Tensor]], target: float, order: int, corrected_by: Tensor | None = None
) -> Tensor:
    """From the last known point to `target`; with the model's answer there, the corrector instead of the predictor.

    Args:
        x: latents at the last known point, in k-diffusion's scale, where the paper's alpha is 1.
        known: (lambda, x0) of at least `order` points.
        target: sigma to go to.
        order: 1 … ORDER.
    """
    start, x0 = known[-1]
    width = -math.log(target) - start
    ratios = [(known[-1 - back][0] - start) / width for back in range(1, order)]
    slopes = [(known[-1 - back][1] - x0) / ratio for back, ratio in zip(range(1, order), ratios, strict=True)]
    if corrected_by is not None:
        ratios, slopes = [*ratios, 1.0], [*slopes, corrected_by - x0]
    moved = x * math.exp(-width) - x0 * math.expm1(-width)
    for weight, slope in zip(_weights(ratios, width), slopes, strict=True):
        moved = moved + slope * (weight * width)
    return moved


def _weights(ratios: Sequence[float], width: float) -> list[float]:
    """The coefficients a of eq. 5 in the paper for points at `ratios` of the step; 1/2 for a single one."""
    if len(ratios) <= 1:
        return [0.5] * len(ratios)
    phi, factorial, wanted = math.expm1(-width) / -width - 1, 1, []
    for power in range(1, len(ratios) + 1):
        wanted.append(phi * factorial / -width)
        factorial *= power + 1
        phi = phi / -width - 1 / factorial
    powers = torch.tensor([[ratio**power for ratio in ratios] for power in range(len(ratios))], dtype=torch.float64)
    return torch.linalg.solve(powers, torch.tensor(wanted, dtype=torch.float64)).tolist()
