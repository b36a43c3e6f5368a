"""The loss log as TensorBoard event files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class EventLog:
    """Writes what was logged of each epoch; `tensorboard --logdir` shows it while the run goes on.

    Args:
        folder: of the event files; one more for each process that worked on the run.
        first_step: what earlier processes wrote from here on does not count any more.
    """

    def __init__(self, folder: Path, first_step: int) -> None:
        from tensorboardX import SummaryWriter  # half a second: only where there is something to train

        self._writer = SummaryWriter(logdir=str(folder), purge_step=first_step or None)

    def add(self, rows: Sequence[str], names: Sequence[str]) -> None:
        """Add rows of a tab-separated log; the columns after step and epoch become curves.

        Args:
            rows: as in loss.tsv: optimizer step, epoch, values.
            names: of all columns.
        """
        for row in rows:
            step, _, *values = row.split("\t")
            for name, value in zip(names[2:], values, strict=True):
                self._writer.add_scalar(f"train/{name}", float(value), int(step))
        self._writer.flush()

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()
