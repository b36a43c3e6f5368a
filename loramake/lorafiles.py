"""Saving a LoRA in kohya's format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from loramake.checkpoints import data_chunks, save_tensors, serialise
from loramake.lora import Network
from loramake.metadata import epoch_metadata, model_hashes


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
