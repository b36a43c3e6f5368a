"""A trained variant as the character's report shows it: its pictures by prompt, weight and epoch, and its pick."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from loramake.cells import weight_text
from loramake.figures import Matrix
from loramake.outcomes import Outcome, cell_text
from loramake.variants import BASE


def label_variant(name: str) -> str:
    """A variant's name for people: settings one after the other."""
    return name if name == BASE else name.replace("__", ", ").replace("=", " = ")


@dataclass(frozen=True)
class Place:
    """Where the page lies and how it shows pictures.

    Attributes:
        folder: the page's own; dataset: the dataset report.
        size: of the cells, px; scale: shown size / that.
    """

    folder: Path
    dataset: Path
    size: tuple[int, int]
    scale: float

    def address(self, path: Path) -> str:
        """A file as the page's links name it."""
        return quote(os.path.relpath(path, self.folder).replace(os.sep, "/"))


@dataclass(frozen=True)
class Shown:
    """One picture of the page.

    Attributes:
        uri: `data:image/…`; file: address of the cell itself.
        prompt, rest: the webui's text.
        picked: whether it is of the recommended epoch and weight.
    """

    uri: str
    file: str
    variant: str
    epoch: int | None
    weight: float
    prompt_number: int
    seed: int
    prompt: str
    rest: str
    picked: bool

    @property
    def words(self) -> str:
        """What it is, for those who do not see it."""
        lora = (
            "base model without LoRA" if self.weight == 0 else f"epoch {self.epoch}, weight {weight_text(self.weight)}"
        )
        return f"{lora}, prompt {self.prompt_number}, seed {self.seed}" + (", recommended" if self.picked else "")


@dataclass(frozen=True)
class Panel:
    """The pictures of one variant and prompt: those of a weight and epoch by seed; weight 0 under epoch None."""

    prompt_number: int
    prompt: str
    epochs: Sequence[int]
    weights: Sequence[float]
    pictures: Mapping[tuple[int | None, float], Sequence[Shown]]

    def at(self, epoch: int, weight: float) -> Sequence[Shown]:
        """The pictures of a place, by seed."""
        return self.pictures[None if weight == 0 else epoch, weight]


@dataclass(frozen=True)
class View:
    """One variant as the page shows it."""

    outcome: Outcome
    kind: int
    panels: Sequence[Panel]
    matrices: Sequence[Matrix]

    @property
    def name(self) -> str:
        return self.outcome.variant

    @property
    def label(self) -> str:
        """Its name for people."""
        return label_variant(self.name)

    @property
    def score(self) -> float | None:
        """What the recommended epoch and weight scored; None where that was not measured."""
        pick = self.outcome.pick
        rows = [row for row in pick.rows if (row["epoch"], row["weight"]) == (pick.epoch, pick.weight)] if pick else []
        score = rows[0].get("score") if rows else None
        return float(score) if isinstance(score, int | float) else None

    @property
    def picked(self) -> list[tuple[str, Sequence[Shown]]]:
        """Each prompt with the recommended pictures."""
        pick = self.outcome.pick
        if not pick:
            return []
        found = [(each, (None if pick.weight == 0 else pick.epoch, pick.weight)) for each in self.panels]
        return [(panel.prompt, panel.pictures[place]) for panel, place in found if place in panel.pictures]

    @property
    def call(self) -> str:
        """What goes into a prompt."""
        pick = self.outcome.pick
        saved = pick and self.outcome.epoch(pick.epoch)
        return f"<lora:{saved.file.stem}:{weight_text(pick.weight)}>" if saved else ""


def list_panels(outcome: Outcome, pictures: Mapping[Path, str], place: Place) -> list[Panel]:
    """The pictures of a variant, a panel a prompt.

    Args:
        pictures: a data URI of each cell.
    """
    grid, pick = outcome.grid, outcome.pick
    panels = []
    for number, prompt in enumerate(grid.prompts, start=1):
        shown: dict[tuple[int | None, float], list[Shown]] = {}
        for (epoch, weight, prompt_number, seed_number), name in grid.cells.items():
            if prompt_number == number:
                path = grid.folder / name
                text, rest = cell_text(path)
                picked = pick is not None and (epoch, weight) == (pick.epoch if weight else None, pick.weight)
                shown.setdefault((epoch, weight), []).append(
                    Shown(
                        pictures[path], place.address(path), outcome.variant, epoch, weight, number,
                        grid.seeds[seed_number - 1], text, rest, picked,
                    )
                )  # fmt: skip
        panels.append(Panel(number, prompt, grid.epochs, grid.weights, shown))
    return panels
