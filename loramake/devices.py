"""Which device and which precision a job computes in."""

from __future__ import annotations

import torch

from loramake.capabilities import choose_device, choose_precision, probe

COMPUTE_DTYPES = {"no": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
SAVE_DTYPES = {"float": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def resolve_device(setting: str, number: int = 0) -> torch.device:
    """The device for "auto" (CUDA, then MPS, then CPU), "cuda", "mps" or "cpu".

    Args:
        number: of the card, among the visible ones; other devices have one.

    Raises:
        UserError: the device asked for is not there.
    """
    kind = choose_device(setting, probe(device=setting))
    if kind != "cuda" or not number:
        return torch.device(kind)
    # what says no more than "cuda" means this card too
    torch.cuda.set_device(number)
    return torch.device(kind, number)


def resolve_precision(setting: str, device: torch.device) -> str:
    """The precision of the computation on this machine; see `capabilities.choose_precision`."""
    return choose_precision(setting, device.type, probe(device=device.type))
