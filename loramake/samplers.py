"""Samplers under the webui's names: pure functions on k-diffusion's sigma schedules.

Pictures x are in k-diffusion's scale, x = x0 + sigma·noise. A sampler has the signature

    integrate(denoise, x, sigmas, noise, eta) -> x

with `denoise(x, sigma, step) -> x0`, `sigmas` falling (steps + 1 values), `noise()` the next unit normal like x, and
`eta` the share of fresh noise (0 … 1), which deterministic samplers leave alone. The two calls of a second-order step
have the same `step`, so prompts are scheduled by the steps that the user set.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from numpy.polynomial import Polynomial
from torch import Tensor

from loramake.denoising import Denoise, Noise
from loramake.samplernames import check_sampler
from loramake.sigmas import ddim_schedule, even_schedule, karras_schedule, training_sigmas, unipc_schedule
from loramake.unipc import unipc

LMS_ORDER = 4

Integrate = Callable[[Denoise, Tensor, Sequence[float], Noise, float], Tensor]


def euler(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Noise, eta: float) -> Tensor:
    """Euler steps on the probability-flow ODE (Karras et al. 2022, algorithm 2 without churn)."""
    for step, (sigma, target) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
        x0 = denoise(x, sigma, step)
        x = x + (x - x0) * ((target - sigma) / sigma)
    return x


def heun(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Noise, eta: float) -> Tensor:
    """Heun's second-order steps (Karras et al. 2022, algorithm 1), two model calls each; Euler's for one to 0."""
    for step, (sigma, target) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
        slope = (x - denoise(x, sigma, step)) / sigma
        if target > 0:
            reached = x + slope * (target - sigma)
            slope = (slope + (reached - denoise(reached, target, step)) / target) / 2
        x = x + slope * (target - sigma)
    return x


def euler_ancestral(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Noise, eta: float) -> Tensor:
    """Euler steps that go below the target and add fresh noise up to it (k-diffusion's ancestral step)."""
    for step, (sigma, target) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
        x0 = denoise(x, sigma, step)
        down, up = split_noise(sigma, target, eta)
        x = x + (x - x0) * ((down - sigma) / sigma)
        if up > 0:
            x = x + noise() * up
    return x


def split_noise(sigma: float, target: float, eta: float) -> tuple[float, float]:
    """How far down to go, and how much fresh noise then leads up to `target`; variances add up.

    With eta 1 as much as DDPM's posterior has (Ho et al. 2020, eq. 7), in sigma scale.
    """
    if eta == 0 or target == 0:
        return target, 0.0
    up = min(target, eta * math.sqrt(target**2 * (sigma**2 - target**2) / sigma**2))
    return math.sqrt(target**2 - up**2), up


def lms(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Noise, eta: float) -> Tensor:
    """Linear multistep, Adams–Bashforth of order 4 on uneven steps (k-diffusion's LMS; Liu et al. 2022 for diffusion).

    The slopes of the last steps are joined by a polynomial in sigma, which is integrated exactly.
    """
    slopes: list[Tensor] = []  # newest first
    for step, (sigma, target) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
        slopes = [(x - denoise(x, sigma, step)) / sigma, *slopes[: LMS_ORDER - 1]]
        points = [sigmas[step - back] for back in range(len(slopes))]
        for own, slope in zip(points, slopes, strict=True):
            others = [point for point in points if point != own]
            area = Polynomial.fromroots(others).integ() if others else Polynomial([0, 1])
            scale = math.prod(own - other for other in others)
            x = x + slope * float((area(target) - area(sigma)) / scale)
    return x


def dpmpp_2m(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Noise, eta: float) -> Tensor:
    """DPM-Solver++(2M) in data prediction (Lu et al. 2022, algorithm 2), on lambda = -log sigma."""
    previous: Tensor | None = None
    for step, (sigma, target) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
        x0 = denoise(x, sigma, step)
        if target == 0:
            return x0  # the limit of the step, and of its first-order form
        width = math.log(sigma / target)
        estimate = x0
        if previous is not None:
            ratio = math.log(sigmas[step - 1] / sigma) / width
            estimate = x0 + (x0 - previous) / (2 * ratio)
        x = x * (target / sigma) - estimate * math.expm1(-width)
        previous = x0
    return x


def dpmpp_sde(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Noise, eta: float) -> Tensor:
    """Stochastic DPM-Solver++ of two stages (Lu et al. 2022, with k-diffusion's ancestral noise), two calls a step.

    Each step needs the Brownian path in sigma to its middle and to its end. Steps follow one another, so two draws of
    each picture's own generator make that path, with no tree to search: the distribution of k-diffusion's, in which
    a seed has other noise.
    """
    for step, (sigma, target) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
        x0 = denoise(x, sigma, step)
        if target == 0:
            return x0
        middle = math.sqrt(sigma * target)
        down, up = split_noise(sigma, middle, eta)
        first = noise() if up else 0.0
        between = x * (down / sigma) + x0 * (1 - down / sigma) + first * up
        x0 = denoise(between, middle, step)
        down, up = split_noise(sigma, target, eta)
        x = x * (down / sigma) + x0 * (1 - down / sigma)
        if up > 0:
            share = (sigma - middle) / (sigma - target)  # of the path's variance that lies before the middle
            x = x + (first * math.sqrt(share) + noise() * math.sqrt(1 - share)) * up
    return x


@dataclass(frozen=True)
class Sampler:
    """A schedule and an integrator. `variance_preserving`: starts from x at full variance, as DDIM does."""

    schedule: Callable[[Tensor, int], list[float]]
    integrate: Integrate
    variance_preserving: bool = False


SAMPLERS = {
    "Euler": Sampler(even_schedule, euler),
    "Euler a": Sampler(even_schedule, euler_ancestral),
    "LMS": Sampler(even_schedule, lms),
    "Heun": Sampler(even_schedule, heun),
    "DPM++ 2M": Sampler(even_schedule, dpmpp_2m),
    "DPM++ 2M Karras": Sampler(karras_schedule, dpmpp_2m),
    "DPM++ SDE": Sampler(even_schedule, dpmpp_sde),
    "DPM++ SDE Karras": Sampler(karras_schedule, dpmpp_sde),
    # in this scale a DDIM step (Song et al. 2021, eqs. 12 and 16) is the ancestral one, with its own eta
    "DDIM": Sampler(ddim_schedule, euler_ancestral, variance_preserving=True),
    "UniPC": Sampler(unipc_schedule, unipc, variance_preserving=True),
}


def find_sampler(name: str) -> Sampler:
    """The sampler of a webui name.

    Raises:
        UserError: unknown name; lists the known ones.
    """
    check_sampler(name)
    return SAMPLERS[name]


def sample(
    sampler: Sampler,
    denoise: Denoise,
    start: Tensor,
    steps: int,
    noise: Noise,
    eta: float,
    table: Tensor | None = None,
) -> Tensor:
    """From unit noise to clean latents.

    Args:
        denoise: see the module.
        start: unit normal, (B, 4, h, w).
        steps: 1 … 1000.
        noise: further unit normals like `start`.
        eta: from `samplernames.resolve_eta`.
        table: noise level of each timestep; SD1's by default.
    """
    sigmas = sampler.schedule(training_sigmas() if table is None else table, steps)
    first = math.hypot(1.0, sigmas[0]) if sampler.variance_preserving else sigmas[0]
    x = sampler.integrate(denoise, start * first, sigmas, noise, eta)
    # 1 for schedules that end at 0
    return x / math.hypot(1.0, sigmas[-1])
