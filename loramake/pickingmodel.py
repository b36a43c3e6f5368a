"""Loads what a pick is taken with: base model, all epochs of a LoRA beside it, pictures' latents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from loramake.bank import load_bank
from loramake.checkpoints import SafetensorsFile
from loramake.devices import COMPUTE_DTYPES, resolve_device, resolve_precision
from loramake.latentfiles import TENSOR
from loramake.models import as_set, load_sd1
from loramake.pickingfigures import Gauge, Sample
from loramake.pickingground import SEED, Ground
from loramake.pickingseen import Judge


class Instruments:
    """A base model with these LoRA files beside it; adapter k is file k.

    Raises:
        UserError: a missing model, or a LoRA that does not apply to it.
    """

    def __init__(self, ground: Ground, files: Sequence[Path], threads: int) -> None:
        torch.set_num_threads(threads)
        self._ground, self._device = ground, resolve_device(ground.device)
        dtype = COMPUTE_DTYPES[resolve_precision("auto", self._device)]
        where = {"config": ground.base_model_config, "device": self._device}
        model = load_sd1(ground.base_model, **where, dtype=dtype, parts=("text_encoder", "unet"))
        self._model = as_set(
            model, v_parameterization=ground.v_parameterization, zero_terminal_snr=ground.zero_terminal_snr
        )
        self._bank = load_bank(model.unet, model.text_encoder, files)

    def gauge(self) -> Gauge:
        """Takes figures from predictions."""
        ground, model = self._ground, self._model
        samples = [
            Sample(p.key, p.caption, (SafetensorsFile(file.path).get(TENSOR) * model.scaling_factor).float())
            for p, file in ground.pictures
        ]
        return Gauge(
            model,
            self._bank,
            samples,
            trigger=ground.trigger,
            wishes=dict(ground.wishes),
            clip_skip=ground.clip_skip,
            prediction_type=model.prediction_type,
            zero_terminal_snr=model.zero_terminal_snr,
            seed=SEED,
        )

    def judge(self, adapter: int, texts: Sequence[str]) -> Judge:
        """Looks at pictures that were drawn to these texts, with one of the LoRAs."""
        ground = self._ground
        where = {"config": ground.base_model_config, "vae": ground.vae, "device": self._device}
        vae = load_sd1(ground.base_model, **where, parts=("vae",)).vae  # in float32: half overflows in several models
        return Judge(self._model, vae, self._bank, adapter, texts, clip_skip=ground.clip_skip, seed=SEED)
