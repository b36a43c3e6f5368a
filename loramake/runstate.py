"""The state between two epochs: written atomically with a checksum, read back exactly."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch

from loramake.checkpoints import SafetensorsFile, data_chunks, save_tensors, serialise
from loramake.errors import UserError
from loramake.lora import Network
from loramake.optimizing import load_optimizer_tensors, optimizer_tensors


def save_state(
    path: Path,
    network: Network,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    *,
    epoch: int,
    started: float,
) -> None:
    """Write the LoRA (float32), the optimizer's moments and the loss scale after an epoch.

    Args:
        epoch: whole epochs done.
        started: when the run began, seconds since 1970.
    """
    tensors = {**network.tensors(), **optimizer_tensors(network, optimizer)}
    _, ordered = serialise(tensors, {})
    digest = hashlib.sha256()
    for chunk in data_chunks(ordered):
        digest.update(chunk)
    metadata = {
        "epoch": str(epoch),
        "started": repr(started),
        "scaler": json.dumps(scaler.state_dict()),
        "checksum": digest.hexdigest(),
    }
    save_tensors(path, tensors, metadata)


def load_state(
    path: Path, network: Network, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler
) -> tuple[int, float]:
    """Restore what `save_state` wrote.

    Returns:
        Whole epochs done and when the run began; (0, 0.0) where there is no state, or a damaged one (which is said).
    """
    if not path.is_file():
        return 0, 0.0
    try:
        file = SafetensorsFile(path)
        tensors = {name: file.get(name) for name in file.names()}
        _, ordered = serialise(tensors, {})
        digest = hashlib.sha256()
        for chunk in data_chunks(ordered):
            digest.update(chunk)
        if digest.hexdigest() != file.metadata["checksum"]:
            raise UserError("checksum differs")
    except (UserError, KeyError) as error:
        print(f"starting over: the saved state is damaged ({error})")
        return 0, 0.0
    network.load(tensors)
    load_optimizer_tensors(network, optimizer, tensors)
    if state := json.loads(file.metadata["scaler"]):
        scaler.load_state_dict(state)
    return int(file.metadata["epoch"]), float(file.metadata["started"])
