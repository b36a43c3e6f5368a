"""The U-Net's training on cached latents, the text encoder learning along at a lower rate."""

from __future__ import annotations

import copy
import random
from pathlib import Path

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from torch.nn import functional
from tqdm import tqdm
from transformers import CLIPTextModel

from loramake.tokens import Tokenizer

from . import curve, text

BATCH = 16
TEXT_RATE = 0.3  # the text encoder's share of the learning rate: it has had its first lesson
DECAY = 0.15  # share of the run over which the rate falls
SNR_RANGE = (0.2, 5.0)
NOISE_OFFSET = 0.05  # so that plain backgrounds follow the prompt, not the mean of the first noise


def _alphas() -> torch.Tensor:
    """Cumulated alphas of SD1's schedule, (1000,)."""
    schedule = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    return schedule.alphas_cumprod


def _average(shadow: torch.nn.Module, live: torch.nn.Module, step: int) -> None:
    """Move the averaged weights towards the live ones; the memory grows to about 1,000 steps."""
    decay = min(0.999, (step + 1) / (step + 10))
    with torch.no_grad():
        torch._foreach_lerp_(list(shadow.parameters()), list(live.parameters()), 1 - decay)


class Training:
    """Everything that a run of the U-Net carries from step to step, so that it can go on later."""

    def __init__(self, encoder: CLIPTextModel, unet: UNet2DConditionModel, seed: int) -> None:
        self.unet, self.encoder = unet, encoder.train()
        self.mean_unet, self.mean_encoder = copy.deepcopy(unet).eval(), copy.deepcopy(encoder).eval()
        groups = [{"params": list(unet.parameters())}, {"params": list(encoder.parameters())}]
        self.optimizer = torch.optim.AdamW(groups, lr=1.0, betas=(0.9, 0.98), weight_decay=0.0)
        self.rng = random.Random(seed)
        self.noise = torch.Generator().manual_seed(seed)
        self.alphas = _alphas()
        self.step = 0

    def save(self, path: Path) -> None:
        """Write the whole state to `path`."""
        parts = ("unet", "encoder", "mean_unet", "mean_encoder", "optimizer")
        state = {part: getattr(self, part).state_dict() for part in parts}
        state |= {"rng": self.rng.getstate(), "noise": self.noise.get_state(), "step": self.step}
        torch.save(state, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)

    def restore(self, path: Path) -> None:
        """Go on from a state written by `save`."""
        state = torch.load(path, weights_only=False)
        for part in ("unet", "encoder", "mean_unet", "mean_encoder", "optimizer"):
            getattr(self, part).load_state_dict(state[part])
        self.rng.setstate(state["rng"])
        self.noise.set_state(state["noise"])
        self.step = state["step"]

    def learn(self, latents: torch.Tensor, ids: torch.Tensor, places: torch.Tensor, rate: float) -> float:
        """One step; returns the loss.

        Args:
            latents: (B, 4, h, w), already scaled.
            ids: token ids (B, 77).
            places: weights of the loss (B, 1, h, w).
            rate: learning rate.
        """
        batch = len(latents)
        noise = torch.randn(latents.shape, generator=self.noise)
        noise += NOISE_OFFSET * torch.randn(batch, 4, 1, 1, generator=self.noise)
        # one timestep from each of B equal parts of the schedule, which evens out the batches
        parts = (torch.arange(batch) + torch.rand(batch, generator=self.noise)) / batch
        times = (parts * 1000).long()
        alpha = self.alphas[times][:, None, None, None]
        noisy = alpha.sqrt() * latents + (1 - alpha).sqrt() * noise
        made = self.unet(noisy, times, text.encode(self.encoder, ids)).sample
        snr = self.alphas[times] / (1 - self.alphas[times])
        # min-SNR, Hang et al. 2023, eq. 5 for noise prediction; the floor makes more of the strong
        # noise, where it is settled what a caption gets drawn
        weight = snr.clamp(*SNR_RANGE) / snr
        error = functional.mse_loss(made, noise, reduction="none") * places
        loss = (error.mean((1, 2, 3)) * weight).mean()
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.unet.parameters(), 1.0)
        torch.nn.utils.clip_grad_norm_(self.encoder.parameters(), 1.0)
        for group, share in zip(self.optimizer.param_groups, (1.0, TEXT_RATE), strict=True):
            group["lr"] = rate * share
        self.optimizer.step()
        _average(self.mean_unet, self.unet, self.step)
        _average(self.mean_encoder, self.encoder, self.step)
        self.step += 1
        return float(loss.detach())


def train(
    training: Training,
    tokenizer: Tokenizer,
    sets: list[tuple[torch.Tensor, list, torch.Tensor]],
    log: Path,
    steps: int,
    peak: float,
    state: Path,
) -> None:
    """Train up to `steps` in all, saving every 250 to `state`.

    Args:
        training: where the run stands.
        tokenizer: CLIP's.
        sets: per shape the latents (n, 4, h, w), of unit variance, the attributes of each, and `regions.weights`.
        log: loss TSV.
        steps: length of the whole run; the rate falls over its second half.
        peak: highest learning rate.
        state: file of the run's state.
    """
    losses = curve.LossLog(log, "unet", training.step)
    weights = [len(latents) for latents, *_ in sets]
    bar = tqdm(range(training.step, steps), initial=training.step, total=steps, desc="U-Net")
    for step in bar:
        latents, people, places = training.rng.choices(sets, weights)[0]
        chosen = training.rng.choices(range(len(people)), k=BATCH)
        ids = text.tokenize(tokenizer, [text.caption(people[i], training.rng) for i in chosen])
        loss = training.learn(latents[chosen], ids, places[chosen], curve.rate(step, steps, peak, decay=DECAY))
        losses.add(step, loss)
        bar.set_postfix(loss=f"{loss:.4f}")
        if step % 250 == 249:
            training.save(state)
    training.save(state)
