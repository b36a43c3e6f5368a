"""The state between two epochs: written atomically with a checksum, the last two kept, read back exactly."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import torch

from loramake.checkpoints import SafetensorsFile, data_chunks, save_tensors, serialise
from loramake.errors import UserError
from loramake.lora import Network
from loramake.optimizing import pack_state, unpack_state

KEPT = 2  # a damaged one then costs an epoch, not the run


class State(NamedTuple):
    """A state read from disk and found whole.

    Attributes:
        epoch: whole epochs done.
        started: when the run began, seconds since 1970.
    """

    epoch: int
    started: float
    tensors: dict[str, torch.Tensor]
    scaler: dict[str, object]
    optimizer: object


def state_files(folder: Path) -> list[Path]:
    """The states in a run's folder, newest first."""
    return sorted(Path(folder).glob("state-*.safetensors"), reverse=True)


def state_path(folder: Path, epoch: int) -> Path:
    """Where the state after an epoch lies."""
    return Path(folder) / f"state-{epoch:06d}.safetensors"


def save_state(
    folder: Path,
    network: Network,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    *,
    epoch: int,
    started: float,
) -> None:
    """Write the LoRA (float32), the optimizer's state and the loss scale after an epoch; the last `KEPT` stay.

    Args:
        epoch: whole epochs done.
        started: when the run began, seconds since 1970.
    """
    packed, plain = pack_state(optimizer)
    tensors = {**network.tensors(), **packed}
    metadata = {
        "epoch": str(epoch),
        "started": repr(started),
        "scaler": json.dumps(scaler.state_dict()),
        "optimizer": json.dumps(plain),
    }
    save_tensors(state_path(folder, epoch), tensors, {**metadata, "checksum": _checksum(tensors, metadata)})
    for old in state_files(folder)[KEPT:]:
        old.unlink(missing_ok=True)


def read_state(path: Path) -> State:
    """A state, checked against its checksum.

    Raises:
        UserError: truncated or damaged; names the file.
    """
    try:
        file = SafetensorsFile(path)
        tensors = {name: file.get(name) for name in file.names()}
        metadata = dict(file.metadata)
        stated = metadata.pop("checksum")
        if _checksum(tensors, metadata) != stated:
            raise ValueError("its checksum does not fit its content")
        return State(
            int(metadata["epoch"]),
            float(metadata["started"]),
            tensors,
            json.loads(metadata["scaler"]),
            json.loads(metadata["optimizer"]),
        )
    except (UserError, OSError, KeyError, ValueError, RuntimeError) as error:
        raise UserError("A saved training state is damaged.", file=path, found=_reason(error)) from error


def restore(state: State, network: Network, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler) -> None:
    """Put a state back into what it was taken from."""
    network.load(state.tensors)
    unpack_state(optimizer, state.tensors, state.optimizer)
    if state.scaler:
        scaler.load_state_dict(state.scaler)


def _checksum(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> str:
    header, ordered = serialise(tensors, metadata)
    digest = hashlib.sha256(header)
    for chunk in data_chunks(ordered):
        digest.update(chunk)
    return digest.hexdigest()


def _reason(error: Exception) -> object:
    return error.found or error.what if isinstance(error, UserError) else error
