"""One training step: a batch to its loss. Pure, so that recorded batches can be fed through it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch.nn import functional

from loramake.noise import add_noise, min_snr_weight, velocity
from loramake.textencode import encode


@dataclass(frozen=True)
class Batch:
    """What one step is fed with, on the models' device.

    Attributes:
        input_ids: (B, n, 77) token ids.
        latents: (B, 4, h, w), times the VAE's scaling factor, float32.
        noise: like latents.
        timesteps: (B,) 0…999.
        weights: (B,) weight of each sample's loss, or None for 1.
    """

    input_ids: torch.Tensor
    latents: torch.Tensor
    noise: torch.Tensor
    timesteps: torch.Tensor
    weights: torch.Tensor | None = None


class StepResult(NamedTuple):
    """Loss (scalar, float32), text states (B, 75n + 2, dim) and the U-Net's prediction (B, 4, h, w)."""

    loss: torch.Tensor
    states: torch.Tensor
    prediction: torch.Tensor


def training_step(
    unet: torch.nn.Module,
    text_encoder: torch.nn.Module,
    batch: Batch,
    kept: torch.Tensor,
    *,
    clip_skip: int,
    prediction_type: str = "epsilon",
    min_snr_gamma: float = 0.0,
) -> StepResult:
    """Loss of one batch: squared error of the prediction, mean over C·h·w, weighted, mean over the batch.

    Args:
        unet, text_encoder: with the LoRA on.
        kept: ā of all 1000 timesteps (`noise.alphas_cumprod`), on the batch's device.
        clip_skip: see `textencode.encode`.
        min_snr_gamma: γ of `noise.min_snr_weight`; 0 is off.
    """
    states = encode(text_encoder, batch.input_ids, clip_skip)
    kept_now = kept[batch.timesteps]
    noisy = add_noise(batch.latents, batch.noise, kept_now).to(next(unet.parameters()).dtype)
    prediction = unet(noisy, batch.timesteps, states.to(noisy.dtype), return_dict=False)[0]
    is_velocity = prediction_type == "v_prediction"
    target = velocity(batch.latents, batch.noise, kept_now) if is_velocity else batch.noise
    loss = functional.mse_loss(prediction.float(), target, reduction="none").mean(dim=(1, 2, 3))  # (B,)
    if batch.weights is not None:
        loss = loss * batch.weights
    if min_snr_gamma:
        loss = loss * min_snr_weight(kept_now, min_snr_gamma, prediction_type)
    return StepResult(loss.mean(), states, prediction)
