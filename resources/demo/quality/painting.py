"""Draws many pictures with one model and its LoRA files: each with its own prompt, seed, file and weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from loramake.bank import BASE, load_bank
from loramake.models import load_sd1
from loramake.samplers import find_sampler, guide, make_denoiser, sample, seeded_noise
from loramake.textencode import encode
from loramake.tokens import text_ids, windows


@dataclass(frozen=True)
class Ask:
    """One picture: ``lora`` is the number of a file, or -1 for the base alone."""

    prompt: str
    seed: int
    lora: int = BASE
    weight: float = 0.0


@dataclass(frozen=True)
class Manner:
    """How pictures are drawn: size in pixels (multiples of 8), webui sampler name, steps, CFG, clip skip."""

    width: int = 160
    height: int = 160
    sampler: str = "DPM++ 2M Karras"
    steps: int = 12
    cfg_scale: float = 5.0
    clip_skip: int = 2
    batch_size: int = 16


class Painter:
    """A model with LoRA files beside it, float32 on the CPU."""

    def __init__(self, base: Path, loras: Sequence[Path], manner: Manner) -> None:
        self.model = load_sd1(base)
        self.bank = load_bank(self.model.unet, self.model.text_encoder, loras)
        self.manner = manner

    def paint(self, asks: Sequence[Ask], title: str) -> list[np.ndarray]:
        """The pictures, uint8 (h, w, 3), in the order asked; a picture asked twice is drawn once."""
        once = list(dict.fromkeys(asks))
        # Neighbours with one adapter take a quicker path in the bank.
        once.sort(key=lambda ask: (ask.lora, ask.weight))
        done: dict[Ask, np.ndarray] = {}
        with tqdm(total=len(once), desc=title) as bar:
            for start in range(0, len(once), self.manner.batch_size):
                some = once[start : start + self.manner.batch_size]
                done.update(zip(some, self._batch(some), strict=True))
                bar.update(len(some))
        return [done[ask] for ask in asks]

    @torch.inference_mode()
    def _batch(self, asks: Sequence[Ask]) -> np.ndarray:
        m, like = self.manner, next(self.model.unet.parameters())
        adapters, weights = [a.lora for a in asks], [a.weight for a in asks]
        both = self.bank.choose(adapters * 2, weights * 2, like=like)
        with self.bank.using(both):
            states = self._states([""] * len(asks) + [a.prompt for a in asks])

            def predict(x: Tensor, timestep: float, step: int) -> Tensor:
                out = self.model.unet(torch.cat([x, x]), timestep, encoder_hidden_states=states).sample
                return guide(*out.chunk(2)[::-1], m.cfg_scale)

            noise = seeded_noise([a.seed for a in asks], (4, m.height // 8, m.width // 8))
            denoise = make_denoiser(predict, self.model.prediction_type)
            latents = sample(find_sampler(m.sampler), denoise, noise(), m.steps, noise)
        pictures = self.model.vae.decode(latents / self.model.scaling_factor).sample
        return ((pictures.permute(0, 2, 3, 1) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()

    def _states(self, prompts: Sequence[str]) -> Tensor:
        """(B, 77, dim)."""
        ids = torch.tensor([windows(text_ids(self.model.tokenizer, p), 75) for p in prompts])
        return encode(self.model.text_encoder, ids, self.manner.clip_skip)
