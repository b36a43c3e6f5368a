"""Which device and which precision a job computes in."""

from __future__ import annotations

import torch

from loramake.errors import UserError

SAVE_DTYPES = {"float": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def resolve_device(setting: str) -> torch.device:
    """The device for "auto" (CUDA, then MPS, then CPU), "cuda", "mps" or "cpu".

    Raises:
        UserError: the device asked for is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if setting == "auto":
        return torch.device(next(name for name, present in there.items() if present))
    if not there.get(setting, False):
        usable = ", ".join(["auto", *(name for name, present in there.items() if present)])
        raise UserError("This device is not available.", found=setting, expected=usable, setting="device")
    return torch.device(setting)


def resolve_precision(setting: str, device: torch.device) -> str:
    """The precision of the computation: no (float32), fp16 or bf16.

    "auto" takes bf16 where the card computes in it, else fp16; float32 on a CPU and on MPS.

    Raises:
        UserError: fp16 on a CPU, bf16 on a card that lacks it.
    """
    cuda = device.type == "cuda"
    if setting == "auto":
        if not cuda:
            return "no"
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if setting == "fp16" and device.type == "cpu":
        raise UserError(
            "Half precision (fp16) cannot train on a CPU.",
            found="mixed_precision: fp16, device: cpu",
            expected="auto, no or bf16",
            setting="train.mixed_precision",
        )
    if setting == "bf16" and cuda and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise UserError(
            "This card does not compute in bf16.", found="bf16", expected="fp16", setting="train.mixed_precision"
        )
    return setting
