"""The training's learning-rate curve and its log."""

from __future__ import annotations

from pathlib import Path


def rate(step: int, steps: int, peak: float, warmup: int = 100, decay: float = 0.3) -> float:
    """Learning rate of `step` (from 0): linear warm-up, level, linear decay over the last share.

    The level middle lets a run be prolonged without starting over (warm-up, stable, decay).
    """
    rising = min(1.0, (step + 1) / warmup)
    falling = min(1.0, (steps - step) / (decay * steps)) if decay else 1.0
    return peak * min(rising, falling)


class LossLog:
    """Averages losses over `every` steps and appends them to a TSV file: stage, step, loss.

    A run that goes on from step `start` keeps its earlier rows.
    """

    def __init__(self, path: Path, stage: str, start: int = 0, every: int = 50) -> None:
        self.path, self.stage, self.every = path, stage, every
        self.sum, self.count = 0.0, 0
        path.parent.mkdir(parents=True, exist_ok=True)
        old = path.read_text(encoding="utf-8").splitlines()[1:] if path.exists() else []
        rows = [row.split("\t") for row in old]
        kept = ["\t".join(row) for row in rows if row[0] != stage or int(row[1]) <= start]
        path.write_text("\n".join(["stage\tstep\tloss", *kept]) + "\n", encoding="utf-8")

    def add(self, step: int, loss: float) -> None:
        """Note one step's loss."""
        self.sum, self.count = self.sum + loss, self.count + 1
        if self.count == self.every:
            with open(self.path, "a", encoding="utf-8") as handle:
                handle.write(f"{self.stage}\t{step + 1}\t{self.sum / self.count:.5f}\n")
            self.sum, self.count = 0.0, 0
