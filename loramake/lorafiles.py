"""Saving a LoRA in kohya's format, and refusing one that came out broken."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from loramake.checkpoints import data_chunks, save_tensors, serialise
from loramake.errors import UserError
from loramake.lora import Network
from loramake.metadata import epoch_metadata, model_hashes
from loramake.recipe import Recipe


def save_lora(
    path: Path,
    network: Network,
    dtype: torch.dtype,
    common: Mapping[str, str],
    *,
    epoch: int,
    steps: int,
    started: float,
    finished: float,
) -> None:
    """Write one epoch's LoRA with full metadata, atomically.

    Args:
        dtype: of the stored weights and alphas.
        common: metadata that all epochs share (`metadata.training_metadata`).
        steps: optimizer steps taken up to here.
        started, finished: seconds since 1970.
    """
    tensors = network.tensors(dtype)
    stated = epoch_metadata(common, title=path.stem, epoch=epoch, steps=steps, started=started, finished=finished)
    header, ordered = serialise(tensors, {k: v for k, v in stated.items() if k.startswith("ss_")})
    save_tensors(path, tensors, {**stated, **model_hashes(header, data_chunks(ordered))})


def gate(network: Network, recipe: Recipe, precision: str) -> None:
    """Refuse a LoRA that cannot be right.

    Raises:
        UserError: NaN or infinite weights, also after rounding to the saved precision, or one that does nothing.
    """
    dtype = {"float": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[recipe.save_precision]
    weights = [parameter.detach() for parameter in network.parameters()]
    finite = torch.stack([torch.isfinite(w.to(dtype)).all() for w in weights]).all()
    if not finite:
        remedy = "train.mixed_precision: bf16, or " if precision == "fp16" else ""
        raise UserError(
            "Training has diverged: the LoRA holds NaN or infinite weights.",
            found=f"unet_lr {recipe.unet_lr:g}, network_alpha {recipe.network_alpha:g}, precision {precision}",
            expected="finite weights",
            setting=f"{remedy}a lower train.unet_lr and train.text_encoder_lr",
        )
    if not any(layer.up.detach().to(dtype).any() for layer in network.layers.values()):
        raise UserError(
            "The LoRA does nothing: all its up-weights are zero.",
            found=f"unet_lr {recipe.unet_lr:g}, text_encoder_lr {recipe.resolved_text_encoder_lr():g}",
            expected="weights that moved",
            setting="a higher train.unet_lr, or train.mixed_precision: bf16",
        )
