"""What a sampler walks with: a U-Net as an estimate of clean latents, guidance, and each picture's own noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from loramake.errors import UserError
from loramake.sigmas import sigma_to_timestep, training_sigmas

Denoise = Callable[[Tensor, float, int], Tensor]
Noise = Callable[[], Tensor]


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


def compose(conditioned: Sequence[Tensor], unconditioned: Tensor, pulls: Tensor, cfg_scale: float) -> Tensor:
    """Composable diffusion (Liu et al. 2022, eq. 11): every part of a prompt pulls from the unconditioned prediction.

    Args:
        conditioned: of each part, like `unconditioned`, (B, 4, h, w).
        pulls: weight of each part and sample, (parts, B); times `cfg_scale`, as the webui does.
    """
    guided = unconditioned
    for part, weights in zip(conditioned, pulls, strict=True):
        guided = guided + (part - unconditioned) * (weights.view(-1, 1, 1, 1) * cfg_scale)
    return guided


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
