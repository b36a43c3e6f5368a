"""What a grid needs of memory: a batch that can never fit is refused, adapters that do not fit at once take turns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import torch

from loramake.cells import Cell
from loramake.errors import UserError
from loramake.models import StableDiffusion1

# of SD1's U-Net: channels of its largest feature maps, an eighth of the picture a side, and how many live at once
_CHANNELS, _LIVE = 320, 8
ADAPTERS_SHARE = 0.5  # of the memory that is free beside the model, for the adapters


def batch_bytes(cells: int, width: int, height: int, value_bytes: int = 4) -> int:
    """The least that a batch takes in the U-Net, in bytes; twice as many samples as cells, for the guidance."""
    return 2 * cells * _CHANNELS * _LIVE * (width // 8) * (height // 8) * value_bytes


def check_batch(cells: Sequence[Cell], batch_size: int, device: torch.device) -> None:
    """Refuse a batch that cannot fit into the machine, before a model is loaded.

    Raises:
        UserError: says how much it needs at least and how much there is.
    """
    whole = _memory(device)
    at_once = min(batch_size, len(cells))
    look = max((cell.look for cell in cells), key=lambda look: look.width * look.height)
    needed = batch_bytes(at_once, look.width, look.height, 4 if device.type == "cpu" else 2)
    if whole and needed > whole:
        raise UserError(
            "A batch of this grid is too big for the memory.",
            found=f"{at_once} cells of {look.width}x{look.height} px, at least {needed / 2**30:.0f} GB",
            expected=f"at most {whole / 2**30:.0f} GB",
            setting="grid.batch_size, grid.width, grid.height",
        )


def shares_that_fit(cells: Sequence[Cell], model: StableDiffusion1, device: torch.device) -> list[list[Cell]]:
    """Cut cells, those of one LoRA side by side, where the adapters would outgrow the free memory.

    Args:
        model: already loaded.
    """
    value_bytes = next(model.unet.parameters()).element_size()
    free = _memory(device, free=True)
    return cut_by_size(cells, free * ADAPTERS_SHARE if free else float("inf"), value_bytes)


def cut_by_size(cells: Sequence[Cell], room: float, value_bytes: int) -> list[list[Cell]]:
    """Shares of cells whose LoRA files together take at most `room` bytes, or of one cell that takes more.

    Args:
        value_bytes: of a value in memory; in a file it has at least 2.
    """
    shares: list[list[Cell]] = [[]]
    held: dict[Path, float] = {}
    for cell in cells:
        new = {file: file.stat().st_size * value_bytes / 2 for file in cell.files if file not in held}
        if shares[-1] and sum(held.values()) + sum(new.values()) > room:
            shares.append([])
            held = {}
            new = {file: file.stat().st_size * value_bytes / 2 for file in cell.files}
        held |= new
        shares[-1].append(cell)
    return shares


def _memory(device: torch.device, *, free: bool = False) -> int:
    """Bytes of memory of a device; 0 where it cannot be told."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0 if free else 1]
    names = {"SC_AVPHYS_PAGES" if free else "SC_PHYS_PAGES", "SC_PAGE_SIZE"}
    if device.type != "cpu" or not names <= set(getattr(os, "sysconf_names", {})):
        return 0
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES" if free else "SC_PHYS_PAGES")
