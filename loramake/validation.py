"""Loss on pictures that were held out, with noise and timesteps fixed: what shows over-training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from loramake.checkpoints import SafetensorsFile
from loramake.latentfiles import TENSOR, LatentFile
from loramake.noise import STEPS, draw
from loramake.stepping import Batch

TIMES = (1, 3, 5, 7)  # eighths of the timesteps: the middles of four equal parts


def make_batches(
    keys: Sequence[str],
    ids: Sequence[torch.Tensor],
    latents: Sequence[LatentFile],
    *,
    seed: int,
    scaling_factor: float,
    device: torch.device,
) -> list[Batch]:
    """One batch a picture: the same picture at four timesteps, each with its own noise, the same in every epoch.

    Args:
        keys: name of each held-out picture.
        ids: (1, n, 77) token ids of each whole caption.
        latents: cached latents of each.
    """
    batches = []
    for key, tokens, file in zip(keys, ids, latents, strict=True):
        latent = (SafetensorsFile(file.path).get(TENSOR) * scaling_factor).float()
        noise = torch.stack([draw(seed, 0, f"validation/{key}/{time}", tuple(latent.shape))[0] for time in TIMES])
        count = len(TIMES)
        batches.append(
            Batch(
                tokens.expand(count, -1, -1).to(device),
                latent.expand(count, -1, -1, -1).to(device),
                noise.to(device),
                torch.tensor([STEPS * time // 8 for time in TIMES], device=device),
            )
        )
    return batches


@torch.no_grad()
def validation_loss(batches: Sequence[Batch], loss: Callable[[Batch], torch.Tensor]) -> float:
    """Mean loss of the held-out pictures, without Min-SNR weights."""
    return torch.stack([loss(batch) for batch in batches]).mean().item()
