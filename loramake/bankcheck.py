"""Refuses LoRAs that a bank cannot put beside a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from loramake.errors import UserError
from loramake.lora import Target


def kernel_of(shape: Sequence[int]) -> tuple[int, ...]:
    """Height and width of a convolution larger than 1x1, of its weight's shape; of any other layer nothing."""
    return () if tuple(shape[2:]) in ((), (1, 1)) else tuple(shape[2:])


def check_lora(tensors: Mapping[str, Tensor], targets: Sequence[Target], file: Path | str) -> None:
    """Refuse a file that would spoil a grid.

    Raises:
        UserError: a LoRA for another base, not finite, or without effect.
    """
    known = {target.name: target.module.weight.shape for target in targets}
    for name in sorted({key.split(".")[0] for key in tensors}):
        if name not in known:
            raise UserError(
                "This LoRA was made for another kind of model.",
                file=file,
                found=f"weights for {name}",
                expected="layers of an SD1.x model that kohya's networks.lora adapts",
                setting="grid.model or base_model",
            )
        down, up = tensors.get(f"{name}.lora_down.weight"), tensors.get(f"{name}.lora_up.weight")
        out_size, in_size = known[name][:2]
        fits = down is not None and up is not None and (up.shape[0], down.shape[1]) == (out_size, in_size)
        if not fits or kernel_of(down.shape) != kernel_of(known[name]) or f"{name}.lora_mid.weight" in tensors:
            found = "a half" if down is None or up is None else f"{down.shape[1]} → {up.shape[0]}"
            raise UserError(
                "This LoRA does not fit the model.",
                file=file,
                found=f"{name}: {found}",
                expected=f"{in_size} → {out_size}",
                setting="grid.model or base_model: the one it was trained on, or a relative of the same size",
            )
    ups = [tensor for key, tensor in tensors.items() if key.endswith(".lora_up.weight")]
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise UserError(
            "This LoRA holds values that are not finite: training went astray.",
            file=file,
            found="NaN or infinity",
            expected="finite weights",
            setting="train.unet_lr and train.text_encoder_lr (lower), or train.save_precision",
        )
    if not any(bool(tensor.any()) for tensor in ups):
        raise UserError(
            "This LoRA has no effect: all its up-weights are zero.",
            file=file,
            found="zeros",
            expected="trained weights",
            setting="train.unet_lr and train.text_encoder_lr (0 trains nothing), train.lr_warmup_steps (too long)",
        )
