"""Draws many pictures with one model and its LoRA files, by the very code that draws a grid's cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from loramake.bank import BASE, load_bank
from loramake.models import load_sd1
from loramake.painting import paint
from loramake.textstates import Request


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
        requests = [Request(ask.prompt, "", ask.seed, ask.lora, ask.weight) for ask in once]
        drawn = paint(self.model, self.bank, requests, **vars(self.manner))
        done = {once[place]: picture for place, picture in tqdm(drawn, total=len(once), desc=title)}
        return [done[ask] for ask in asks]
