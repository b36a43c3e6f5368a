"""The `cells.json` of a folder of cells, and an epoch x weight grid as it says it. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loramake import files
from loramake.errors import UserError


@dataclass(frozen=True)
class EpochGrid:
    """Axis values, and the file of (epoch, weight, prompt number, seed number); epoch None at weight 0."""

    folder: Path
    epochs: Sequence[int]
    weights: Sequence[float]
    prompts: Sequence[str]
    seeds: Sequence[int]
    cells: Mapping[tuple[int | None, float, int, int], str]
    settings: Mapping[str, object]

    def path(self, epoch: int, weight: float, prompt: int, seed: int) -> Path:
        """The picture of a place; weight 0 is one picture for all epochs."""
        return self.folder / self.cells[None if weight == 0 else epoch, weight, prompt, seed]

    @property
    def files(self) -> list[Path]:
        """All its pictures."""
        return [self.folder / name for name in self.cells.values()]


def read_index(cells_dir: Path) -> Mapping:
    """The content of `cells.json`.

    Raises:
        UserError: no cells here.
    """
    path = Path(cells_dir) / "cells.json"
    if not path.is_file():
        raise UserError("There are no cells here.", file=path, expected="cells.json", setting="render the cells first")
    return files.read_json(path)


def epoch_grid(cells_dir: Path, index: Mapping) -> EpochGrid:
    """An epoch x weight grid from the content of its `cells.json`."""
    axes = index["axes"]
    cells = {(row["epoch"], row["weight"], row["prompt"], row["seed"]): row["file"] for row in index["cells"]}
    values = axes["epoch"], axes["weight"], axes["prompt"], axes["seed"]
    return EpochGrid(Path(cells_dir), *values, cells, index["settings"])


def read_epoch_grid(cells_dir: Path) -> EpochGrid:
    """The epoch x weight grid of `work/cells/{character}/{variant}`.

    Raises:
        UserError: no cells here.
    """
    return epoch_grid(cells_dir, read_index(cells_dir))
