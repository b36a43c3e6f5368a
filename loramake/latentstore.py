"""The latents of a training's pictures: kept in memory where they fit, else read from their files each time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from loramake.checkpoints import SafetensorsFile
from loramake.latentfiles import TENSOR, LatentFile

_LARGEST = 2 * 2**30  # bytes in main memory
_SHARE = 16  # a part of a card's memory; the model needs the rest


class LatentStore:
    """Latents by picture, float32, times the VAE's scaling factor.

    Args:
        files: of each picture; with mirrored ones for all pictures or for none.
        device: where they go.
        room: bytes that may be kept there; None: 2 GiB, on a CUDA card a sixteenth of its memory. At 512 px a
            picture takes 64 KiB.
    """

    def __init__(
        self, files: Sequence[LatentFile], scaling_factor: float, device: torch.device, room: int | None = None
    ) -> None:
        self._factor, self._device = scaling_factor, device
        self._paths = {False: [file.path for file in files]}
        if all(file.flipped for file in files):
            self._paths[True] = [file.flipped for file in files]
        needed = sum(_bytes(file) for file in files) * len(self._paths)
        self._kept: dict[bool, list[torch.Tensor]] = {}
        if needed <= (_room(device) if room is None else room):
            self._kept = {side: [self._load(path) for path in paths] for side, paths in self._paths.items()}
        else:
            print(f"latents take {needed / 2**30:.1f} GiB and are read batch by batch")

    def get(self, index: int, *, mirrored: bool = False) -> torch.Tensor:
        """The latents of a picture, (4, h, w), on the device; may be called from several threads."""
        return self._kept[mirrored][index] if self._kept else self._load(self._paths[mirrored][index])

    def _load(self, path: Path) -> torch.Tensor:
        return (SafetensorsFile(path).get(TENSOR) * self._factor).to(self._device, torch.float32)


def _bytes(file: LatentFile) -> int:
    """4 channels of float32 at an eighth of the bucket's sides."""
    return file.bucket[0] * file.bucket[1] // 64 * 4 * 4


def _room(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory // _SHARE
    return _LARGEST
