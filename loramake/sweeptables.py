"""The sweeps of a character's report: a variant a row, its weights or its epochs across, as the sweep's own grids."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from loramake.cells import weight_text
from loramake.views import Shown, View, label_variant

Spot = tuple[int, float]  # epoch and weight


@dataclass(frozen=True)
class Row:
    """One variant: its name in the sweep, where it is shown, and the pictures of each column; [] where it has none."""

    label: str
    view: View
    where: str
    places: Sequence[Sequence[Shown]]


@dataclass(frozen=True)
class Table:
    """One prompt: `word` names the columns."""

    prompt: str
    word: str
    columns: Sequence[str]
    rows: Sequence[Row]


@dataclass(frozen=True)
class Sweep:
    """A sweep of the config, its weights across and its epochs across, a table a prompt."""

    name: str
    weights: Sequence[Table]
    epochs: Sequence[Table]


def lay_out_sweeps(sweeps: Mapping[str, Sequence[tuple[str, str]]], views: Mapping[str, View]) -> list[Sweep]:
    """The tables of each sweep.

    Args:
        sweeps: name → (a variant's name in the sweep, the key of `views` that it is), in the sweep's order.
        views: by variant.
    """
    return [_lay_out(name, [(label, views[key]) for label, key in pairs]) for name, pairs in sweeps.items()]


def _lay_out(name: str, swept: Sequence[tuple[str, View]]) -> Sweep:
    weights = list(dict.fromkeys(weight for _, view in swept for weight in view.outcome.grid.weights))
    epochs = sorted({epoch for _, view in swept for epoch in view.outcome.grid.epochs})
    looks = {label: _look_at(view) for label, view in swept}
    across = _tables(
        swept,
        "weight",
        [weight_text(weight) + (" (no LoRA)" if weight == 0 else "") for weight in weights],
        lambda label: (f"epoch {looks[label][0]}", [(looks[label][0], weight) for weight in weights]),
    )
    down = _tables(
        swept,
        "epoch",
        [str(epoch) for epoch in epochs],
        lambda label: (f"weight {weight_text(looks[label][1])}", [(epoch, looks[label][1]) for epoch in epochs]),
    )
    return Sweep(name, across, down)


def _look_at(view: View) -> Spot:
    """Epoch and weight at which a variant is shown: the recommended ones, else the last and the one nearest to 1."""
    grid, pick = view.outcome.grid, view.outcome.pick
    return (pick.epoch, pick.weight) if pick else (grid.epochs[-1], min(grid.weights, key=lambda each: abs(each - 1)))


def _tables(
    swept: Sequence[tuple[str, View]],
    word: str,
    columns: Sequence[str],
    spots: Callable[[str], tuple[str, Sequence[Spot]]],
) -> list[Table]:
    tables = []
    for number, prompt in enumerate(swept[0][1].outcome.grid.prompts):
        rows = []
        for label, view in swept:
            where, wanted = spots(label)
            rows.append(Row(label_variant(label), view, where, [_shown(view, number, spot) for spot in wanted]))
        tables.append(Table(prompt, word, columns, rows))
    return tables


def _shown(view: View, number: int, spot: Spot) -> Sequence[Shown]:
    epoch, weight = spot
    return view.panels[number].pictures.get((epoch if weight else None, weight), [])
