"""Samplers under the webui's names: pure functions on k-diffusion's sigma schedules.

Pictures x are in k-diffusion's scale, x = x0 + sigma·noise. A sampler has the signature

    integrate(denoise, x, sigmas, noise) -> x

with `denoise(x, sigma, step) -> x0`, `sigmas` falling (steps + 1 values) and `noise()` the next unit normal like x.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from loramake.errors import UserError
from loramake.noise import alphas_cumprod

KARRAS_RHO = 7.0

Denoise = Callable[[Tensor, float, int], Tensor]
Noise = Callable[[], Tensor]
Integrate = Callable[[Denoise, Tensor, Sequence[float], Noise], Tensor]


def training_sigmas() -> Tensor:
    """Noise level of each of SD1's 1000 timesteps, rising, about 0.029 … 14.6. Shape (1000,), float64."""
    kept = alphas_cumprod().double()
    return ((1 - kept) / kept) ** 0.5


def sigma_to_timestep(sigma: float, table: Tensor) -> float:
    """The timestep of a noise level, interpolated in log sigma between the trained ones (0 … 999)."""
    log_sigma, logs = math.log(sigma), table.log()
    low = int(torch.searchsorted(logs, log_sigma, right=True)) - 1
    low = min(max(low, 0), len(table) - 2)
    share = (log_sigma - float(logs[low])) / float(logs[low + 1] - logs[low])
    return low + min(max(share, 0.0), 1.0)


def timestep_to_sigma(timestep: Tensor, table: Tensor) -> Tensor:
    """The noise level of real timesteps (0 … 999), interpolated in log sigma."""
    low, high = timestep.floor().long(), timestep.ceil().long()
    share = timestep - low
    return ((1 - share) * table[low].log() + share * table[high].log()).exp()


def even_schedule(table: Tensor, steps: int) -> list[float]:
    """k-diffusion's own schedule: timesteps evenly from 999 to 0, then sigma 0. `steps` + 1 values."""
    timesteps = torch.linspace(len(table) - 1, 0, steps, dtype=torch.float64)
    return [*timestep_to_sigma(timesteps, table).tolist(), 0.0]


def karras_schedule(table: Tensor, steps: int) -> list[float]:
    """The schedule of Karras et al. (2022), eq. 5, rho 7, over the trained range, then sigma 0."""
    low, high = float(table[0]) ** (1 / KARRAS_RHO), float(table[-1]) ** (1 / KARRAS_RHO)
    ramp = torch.linspace(0, 1, steps, dtype=torch.float64)
    return [*((high + ramp * (low - high)) ** KARRAS_RHO).tolist(), 0.0]


def ddim_schedule(table: Tensor, steps: int) -> list[float]:
    """DDIM's: every (1000 // steps)-th timestep plus 1, down to the noise level of timestep 0 (not to zero)."""
    stride = len(table) // steps
    timesteps = [min(index * stride + 1, len(table) - 1) for index in reversed(range(steps))]
    return [float(table[timestep]) for timestep in [*timesteps, 0]]


def euler(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Noise) -> Tensor:
    """Euler steps on the probability-flow ODE (Karras et al. 2022, algorithm 2 without churn)."""
    for step, (sigma, target) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
        x0 = denoise(x, sigma, step)
        x = x + (x - x0) * ((target - sigma) / sigma)
    return x


def euler_ancestral(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Noise) -> Tensor:
    """Euler steps that go below the target and add fresh noise up to it (eta 1)."""
    for step, (sigma, target) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
        x0 = denoise(x, sigma, step)
        up = min(target, math.sqrt(target**2 * (sigma**2 - target**2) / sigma**2))
        down = math.sqrt(target**2 - up**2)
        x = x + (x - x0) * ((down - sigma) / sigma)
        if target > 0:
            x = x + noise() * up
    return x


def dpmpp_2m(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Noise) -> Tensor:
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


@dataclass(frozen=True)
class Sampler:
    """A schedule and an integrator. `variance_preserving`: starts from x at full variance, as DDIM does."""

    schedule: Callable[[Tensor, int], list[float]]
    integrate: Integrate
    variance_preserving: bool = False


SAMPLERS = {
    "Euler": Sampler(even_schedule, euler),
    "Euler a": Sampler(even_schedule, euler_ancestral),
    "DPM++ 2M": Sampler(even_schedule, dpmpp_2m),
    "DPM++ 2M Karras": Sampler(karras_schedule, dpmpp_2m),
    # with eta 0 a DDIM step (Song et al. 2021, eq. 12) is Euler's in this scale
    "DDIM": Sampler(ddim_schedule, euler, variance_preserving=True),
}


def find_sampler(name: str) -> Sampler:
    """The sampler of a webui name.

    Raises:
        UserError: unknown name; lists the known ones.
    """
    if name not in SAMPLERS:
        raise UserError("Unknown sampler.", found=name, expected=", ".join(SAMPLERS), setting="grid.sampler")
    return SAMPLERS[name]


def sample(sampler: Sampler, denoise: Denoise, start: Tensor, steps: int, noise: Noise) -> Tensor:
    """From unit noise to clean latents.

    Args:
        denoise: see the module.
        start: unit normal, (B, 4, h, w).
        steps: 1 … 1000.
        noise: further unit normals like `start`.
    """
    sigmas = sampler.schedule(training_sigmas(), steps)
    first = math.hypot(1.0, sigmas[0]) if sampler.variance_preserving else sigmas[0]
    x = sampler.integrate(denoise, start * first, sigmas, noise)
    # 1 for schedules that end at 0
    return x / math.hypot(1.0, sigmas[-1])


def make_denoiser(
    predict: Callable[[Tensor, float, int], Tensor], prediction_type: str, table: Tensor | None = None
) -> Denoise:
    """Turn a U-Net's prediction into an estimate of the clean latents at any noise level.

    Args:
        predict: (x of unit variance (B, 4, h, w), real timestep 0 … 999, step) → noise or velocity, like x.
        prediction_type: "epsilon" or "v_prediction" (Salimans & Ho 2022, appendix D).
        table: noise level of each timestep; SD1's by default.

    Raises:
        UserError: another prediction type.
    """
    if prediction_type not in ("epsilon", "v_prediction"):
        raise UserError(
            "This model predicts something this renderer does not know.",
            found=prediction_type,
            expected="epsilon or v_prediction",
            setting="grid.model",
        )
    sigmas = training_sigmas() if table is None else table

    def denoise(x: Tensor, sigma: float, step: int) -> Tensor:
        scale = 1 / math.hypot(1.0, sigma)
        output = predict(x * scale, sigma_to_timestep(sigma, sigmas), step)
        if prediction_type == "epsilon":
            return x - output * sigma
        return x * scale**2 - output * (sigma * scale)

    return denoise


def guide(conditioned: Tensor, unconditioned: Tensor, cfg_scale: float) -> Tensor:
    """Classifier-free guidance (Ho & Salimans 2022): from the unconditioned past the conditioned prediction."""
    return unconditioned + (conditioned - unconditioned) * cfg_scale


def seeded_noise(seeds: Sequence[int], shape: tuple[int, ...], device: torch.device | str = "cpu") -> Noise:
    """Unit normals in the webui's CPU form: one generator per picture, so that batches and cards change nothing.

    Args:
        seeds: one per picture.
        shape: of one picture's latents, (4, h, w).

    Returns:
        a function that gives the next (len(seeds), *shape), float32.
    """
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]

    def draw() -> Tensor:
        return torch.stack([torch.randn(shape, generator=generator) for generator in generators]).to(device)

    return draw
