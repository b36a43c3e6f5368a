"""The character's report as HTML: what the outcomes are becomes what the page's template shows."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from loramake import losscurves, pages
from loramake.cells import weight_text
from loramake.curves import KINDS, short
from loramake.figures import Matrix, matrices
from loramake.outcomes import Outcome, cell_text
from loramake.settingstable import Row, compare_settings
from loramake.variants import BASE


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
        """Its name for people: settings one after the other."""
        return "base" if self.name == BASE else self.name.replace("__", ", ").replace("=", " = ")

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


def render(
    character: str,
    outcomes: Sequence[Outcome],
    settings: Mapping[str, Mapping[str, object]],
    pictures: Mapping[Path, str],
    place: Place,
) -> str:
    """The page.

    Args:
        character: heading.
        outcomes: of the variants, the first one first.
        settings: stage → the settings that all variants share.
        pictures: a data URI of each cell.
        place: where the page lies.
    """
    views = [
        View(each, number % KINDS, _panels(each, pictures, place), matrices(each.pick))
        for number, each in enumerate(outcomes)
    ]
    first = outcomes[0].grid
    values = {
        "character": character,
        "views": views,
        "place": place,
        "grid": first,
        "loss_plot": losscurves.training_plot(outcomes),
        "check_plot": losscurves.validation_plot(outcomes),
        "loss_table": losscurves.epoch_table(outcomes),
        "settings": _settings(outcomes, settings),
        "shared": [(stage, [Row(key, (value,)) for key, value in found.items()]) for stage, found in settings.items()],
    }
    return pages.render_page("overview", values, {"short": short, "weight": weight_text, "hash": _hash})


def _panels(outcome: Outcome, pictures: Mapping[Path, str], place: Place) -> list[Panel]:
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


def _settings(outcomes: Sequence[Outcome], shared: Mapping[str, object]) -> list[tuple[str, list[Row]]]:
    """Stage → its settings, one row each, one value a variant."""
    stages = list(dict.fromkeys(stage for each in outcomes for stage in each.settings if stage not in shared))
    return [(stage, compare_settings([each.settings.get(stage, {}) for each in outcomes])) for stage in stages]


def _hash(digest: str) -> Markup:
    """A hash that can be told at a glance: its first ten digits stand out."""
    return Markup('<code class="hash"><b>{}</b>{}</code>').format(digest[:10], digest[10:])
