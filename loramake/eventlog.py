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

        self._broken = False
        self._writer = SummaryWriter(logdir=str(folder), purge_step=first_step or None)

    def add(self, rows: Sequence[str], names: Sequence[str]) -> None:
        """Add rows of a tab-separated log; the columns after step and epoch become curves.

        Args:
            rows: as in loss.tsv: optimizer step, epoch, values.
            names: of all columns.
        """
        if self._broken:
            return
        try:
            for row in rows:
                step, _, *values = row.split("\t")
                for name, value in zip(names[2:], values, strict=True):
                    self._writer.add_scalar(f"train/{name}", float(value), int(step))
            self._writer.flush()
        except OSError as error:
            # curves are no reason to lose a training; a full disk is said by the next save
            self._broken = True
            print(f"TensorBoard's events are not written any more: {error}")

    def close(self) -> None:
        """Finish the file."""
        if not self._broken:
            self._writer.close()
