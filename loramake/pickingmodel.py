"""Loads what figures are taken with: base model, all epochs of a LoRA beside it, pictures' latents."""

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


def load_gauge(ground: Ground, files: Sequence[Path], threads: int) -> Gauge:
    """A gauge of these LoRA files; adapter k is file k.

    Raises:
        UserError: a missing model, or a LoRA that does not apply to it.
    """
    torch.set_num_threads(threads)
    where = resolve_device(ground.device)
    dtype = COMPUTE_DTYPES[resolve_precision("auto", where)]
    parts = ("text_encoder", "unet")
    model = load_sd1(ground.base_model, config=ground.base_model_config, device=where, dtype=dtype, parts=parts)
    model = as_set(model, v_parameterization=ground.v_parameterization, zero_terminal_snr=ground.zero_terminal_snr)
    bank = load_bank(model.unet, model.text_encoder, files)
    samples = [
        Sample(p.key, p.caption, (SafetensorsFile(file.path).get(TENSOR) * model.scaling_factor).float())
        for p, file in ground.pictures
    ]
    return Gauge(
        model,
        bank,
        samples,
        trigger=ground.trigger,
        wishes=dict(ground.wishes),
        clip_skip=ground.clip_skip,
        prediction_type=model.prediction_type,
        zero_terminal_snr=model.zero_terminal_snr,
        seed=SEED,
    )
