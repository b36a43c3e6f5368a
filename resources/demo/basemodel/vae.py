"""The VAE's training: crops first, whole pictures after them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch.nn import functional
from tqdm import tqdm

from . import architecture, colours, curve, pictures


def _batch(arrays: list[np.ndarray], rng: np.random.Generator, size: int, side: int, recolour: bool) -> torch.Tensor:
    """`size` random pictures of one shape, cropped to `side` where side > 0: (B, 3, h, w) in [-1, 1]."""
    array = arrays[rng.choice(len(arrays), p=[0.7, 0.2, 0.1])]
    chosen = []
    for index in rng.integers(len(array), size=size):
        picture = array[index]
        if side:
            top = rng.integers(picture.shape[0] - side + 1)
            left = rng.integers(picture.shape[1] - side + 1)
            picture = picture[top : top + side, left : left + side]
        chosen.append(colours.vary(picture, rng) if recolour else picture)
    batch = torch.from_numpy(np.stack(chosen)).permute(0, 3, 1, 2).float() / 127.5 - 1
    return batch.contiguous(memory_format=torch.channels_last)


def _loss(
    picture: torch.Tensor, made: torch.Tensor, posterior: DiagonalGaussianDistribution, colour: float
) -> torch.Tensor:
    """L1 on pixels and on their differences (edges), at full and half size, plus a light KL term.

    `colour` weighs the error of areas (pooled by 4): edges alone teach shapes long before hues.
    """
    areas, made_areas = functional.avg_pool2d(picture, 4), functional.avg_pool2d(made, 4)
    total = colour * (functional.l1_loss(made_areas, areas) + functional.mse_loss(made_areas, areas))
    for _ in range(2):
        total = total + functional.l1_loss(made, picture)
        for axis in (2, 3):
            total = total + functional.l1_loss(made.diff(dim=axis), picture.diff(dim=axis))
        picture, made = functional.avg_pool2d(picture, 2), functional.avg_pool2d(made, 2)
    return total + 2e-4 * posterior.kl().mean() / posterior.mean[0].numel()


@dataclass(frozen=True)
class Phase:
    """One part of the training: `crop` in px (0: whole pictures), peak learning rate, its final decay's share."""

    name: str
    steps: int
    batch: int
    crop: int
    peak: float
    decay: float
    colour: float
    recolour: bool = False
    decoder_only: bool = False


# Crops show many pictures a second; whole ones fit the group norms to what the model will see; other
# colours and patterns than the drawings' make it a VAE for any flat picture. The last phase leaves the
# latents as they are, so that the U-Net can be trained at the same time.
PHASES = (
    Phase("vae crops", 4000, 8, 80, 2e-3, 0.0, 0.0),
    Phase("vae whole", 2600, 2, 0, 1.5e-3, 0.7, 3.0),
    Phase("vae colours", 2400, 4, 0, 1.5e-3, 0.7, 2.0, recolour=True),
    Phase("vae decoder", 2500, 2, 0, 1.0e-3, 0.7, 1.0, recolour=True, decoder_only=True),
)


def train(vae: AutoencoderKL, folder: Path, log: Path, phase: Phase, seed: int, state: Path) -> None:
    """Train `vae` in place through one phase, writing its weights to `state` every 200 steps and at the end.

    Args:
        vae: the model, float32.
        folder: the drawings.
        log: loss TSV.
        phase: what to do.
        seed: of the batches.
        state: file of the weights.
    """
    arrays = [pictures.load(folder, size)[0] for size in pictures.SHAPES]
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    vae.train().to(memory_format=torch.channels_last)
    frozen = [vae.encoder, vae.quant_conv] if phase.decoder_only else []
    for part in frozen:
        part.requires_grad_(False)
    learning = [weight for weight in vae.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=1.0, betas=(0.9, 0.98), weight_decay=1e-4)
    losses = curve.LossLog(log, phase.name)
    bar = tqdm(range(phase.steps), desc=phase.name)
    for step in bar:
        picture = _batch(arrays, rng, phase.batch, phase.crop, phase.recolour)
        for group in optimizer.param_groups:
            group["lr"] = curve.rate(step, phase.steps, phase.peak, decay=phase.decay)
        posterior = vae.encode(picture).latent_dist
        made = vae.decode(posterior.sample()).sample
        loss = _loss(picture, made, posterior, phase.colour)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        losses.add(step, float(loss.detach()))
        bar.set_postfix(loss=f"{float(loss.detach()):.4f}")
        if step % 200 == 199 or step + 1 == phase.steps:
            torch.save(vae.state_dict(), state)


@torch.inference_mode()
def latents(vae: AutoencoderKL, folder: Path, size: tuple[int, int]) -> torch.Tensor:
    """Posterior means of all drawings of one shape, unscaled: (n, 4, h/8, w/8) float16."""
    array = pictures.load(folder, size)[0]
    made = []
    for start in tqdm(range(0, len(array), 32), desc=f"latents {size[0]}x{size[1]}"):
        batch = torch.from_numpy(np.array(array[start : start + 32])).permute(0, 3, 1, 2).float()
        made.append(vae.encode(batch / 127.5 - 1).latent_dist.mean.half())
    return torch.cat(made)


def moments(latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of each channel of latents (n, 4, h, w), each (4, 1, 1)."""
    values = latents.float()
    return values.mean((0, 2, 3))[:, None, None], values.std((0, 2, 3))[:, None, None]


@torch.no_grad()
def rescale(vae: AutoencoderKL, sample: torch.Tensor) -> None:
    """Scale the latent space in place, so that `sample` times SD1's 0.18215 has zero mean and unit variance.

    Factor and shift go into the convolution that ends the encoder and the one that begins the
    decoder, so decoding is unchanged.

    Args:
        sample: latents before scaling, (n, 4, h, w).
    """
    mean, scale = (moment.flatten() for moment in moments(sample))  # (4,) each
    factor = 1.0 / (architecture.SCALING_FACTOR * scale)
    quant, post = vae.quant_conv, vae.post_quant_conv
    quant.weight[:4] *= factor[:, None, None, None]
    quant.bias[:4] = (quant.bias[:4] - mean) * factor
    quant.bias[4:] += 2 * factor.log()  # the posterior's log-variance
    post.bias += (post.weight[:, :, 0, 0] * mean).sum(1)
    post.weight /= factor[None, :, None, None]
