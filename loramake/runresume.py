"""Finding the last whole epoch of a run that was cut short; what is damaged is named and passed over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from loramake.errors import UserError
from loramake.lora import Network
from loramake.runs import Run, read_rows
from loramake.runstate import read_state, restore, state_files
from loramake.weightheader import read_header


@dataclass(frozen=True)
class Resumed:
    """Where a run stands.

    Attributes:
        epoch: whole epochs done; 0 for a fresh start.
        started: when the run began, seconds since 1970; 0 for a fresh start.
        rows, checks: of the loss log and of the validation log up to there.
    """

    epoch: int = 0
    started: float = 0.0
    rows: list[str] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)


def resume(
    run: Run,
    wanted: Mapping[int, Path],
    network: Network,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    *,
    rows_after: Callable[[int], int],
) -> Resumed:
    """Restore the newest state that is whole, and whose epochs are all there; else leave everything fresh.

    Args:
        wanted: the file of each epoch that is saved.
        rows_after: how many rows of the loss log belong to so many epochs.
    """
    found = state_files(run.folder)
    for path in found:
        try:
            state = read_state(path)
            for epoch, file in wanted.items():
                if epoch <= state.epoch:
                    read_header(file)  # of the right length, or it says so
            rows = read_rows(run.loss_log, state.epoch)
            if len(rows) != rows_after(state.epoch):
                raise UserError("The loss log does not fit the state.", file=run.loss_log, found=f"{len(rows)} rows")
        except UserError as error:
            print(f"cannot go on from {path.name}: {' '.join(error.message().split())}")
            continue
        restore(state, network, optimizer, scaler)
        print(f"resuming after epoch {state.epoch}")
        return Resumed(state.epoch, state.started, rows, read_rows(run.validation_log, state.epoch))
    if found:
        print("starting over: no saved state is whole")
    return Resumed()
