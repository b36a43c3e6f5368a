"""The diffusion process of SD1.x and the random draws of training, each a pure function of what it is for."""

from __future__ import annotations

import torch

from loramake.seeds import derived_seed

STEPS = 1000


def alphas_cumprod(*, zero_terminal_snr: bool = False) -> torch.Tensor:
    """Share of signal variance left at each of 1000 timesteps, shape (1000,), float32.

    DDPM (Ho et al. 2020, arXiv:2006.11239) with Stable Diffusion's "scaled linear" betas, 0.00085 to 0.012.

    Args:
        zero_terminal_snr: shift and scale so that nothing is left at the last one (Lin et al. 2023, arXiv:2305.08891,
            algorithm 1).
    """
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, STEPS, dtype=torch.float32) ** 2
    kept = torch.cumprod(1.0 - betas, dim=0)
    if zero_terminal_snr:
        root = kept.sqrt()
        kept = ((root - root[-1]) * (root[0] / (root[0] - root[-1]))) ** 2
    return kept


def add_noise(latents: torch.Tensor, noise: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """Noisy latents √ā·x + √(1−ā)·ε.

    Args:
        latents: (B, 4, h, w), already times the VAE's scaling factor.
        noise: like latents.
        kept: ā of each sample's timestep, (B,).
    """
    kept = kept.view(-1, 1, 1, 1)
    return kept.sqrt() * latents + (1.0 - kept).sqrt() * noise


def velocity(latents: torch.Tensor, noise: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """Target of v-prediction models: √ā·ε − √(1−ā)·x (Salimans & Ho 2022, arXiv:2202.00512)."""
    kept = kept.view(-1, 1, 1, 1)
    return kept.sqrt() * noise - (1.0 - kept).sqrt() * latents


def min_snr_weight(kept: torch.Tensor, gamma: float, prediction_type: str) -> torch.Tensor:
    """Weight of each sample's loss, (B,): min(SNR, γ) / SNR, for velocity / (SNR + 1).

    Hang et al. 2023, arXiv:2303.09556. `kept` is ā of each sample's timestep.
    """
    snr = (kept.sqrt() / (1.0 - kept).sqrt()) ** 2
    capped = torch.minimum(snr, torch.full_like(snr, gamma))
    return capped / (snr + 1.0 if prediction_type == "v_prediction" else snr)


def draw(
    seed: int, epoch: int, item: str, shape: tuple[int, int, int], noise_offset: float = 0.0
) -> tuple[torch.Tensor, int]:
    """Noise (C, h, w), float32, and timestep 0…999 of one item in one epoch.

    Drawn on the CPU whatever the device, so that a resumed run, another batch order or another card change nothing.

    Args:
        item: names the item within the epoch, e.g. file and repeat.
        noise_offset: adds offset · N(0, 1) to each channel.
    """
    generator = torch.Generator().manual_seed(derived_seed(seed, "noise", epoch, item))
    timestep = int(torch.randint(0, STEPS, (), generator=generator))
    noise = torch.randn(shape, generator=generator)
    if noise_offset:
        noise += noise_offset * torch.randn((shape[0], 1, 1), generator=generator)
    return noise, timestep
