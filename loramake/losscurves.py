"""The loss logs of several variants over epochs, as plots and as a table of figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from loramake.curves import KINDS, Curve, draw_curves, thin
from loramake.lossplot import smooth
from loramake.outcomes import Outcome

_MOST_POINTS = 240  # of a curve: more cannot be told apart on a screen
_SEEN = 0.97  # single steps above are cut off


@dataclass(frozen=True)
class EpochLosses:
    """The figures of one epoch, one a variant; None where there is none."""

    epoch: int
    training: Sequence[float | None]
    validation: Sequence[float | None]


def training_plot(outcomes: Sequence[Outcome]) -> Markup | None:
    """The training's loss, each value the mean of the last half epoch; of a single variant the steps too.

    None where there is no log.
    """
    curves = []
    for number, each in enumerate(outcomes):
        places, losses = _places(each), each.losses.get("loss", [])
        if not losses:
            continue
        window = max(1, round(len(losses) / (2 * max(each.losses["epoch"]))))
        if len(outcomes) == 1:
            curves.append(Curve("each step", thin(list(zip(places, losses, strict=True)), 4 * _MOST_POINTS), -1))
        line = list(zip(places, smooth(losses, window), strict=True))
        # the first means have hardly any steps in them
        curves.append(Curve(each.variant, thin(line[min(window, len(line) - 1) :], _MOST_POINTS), number % KINDS))
    title = "Training loss over epochs"
    return draw_curves(curves, title=title, x_label="epoch", seen=_SEEN) if curves else None


def validation_plot(outcomes: Sequence[Outcome]) -> Markup | None:
    """The loss on held-out pictures, before training (epoch 0) and after each epoch; None where there is none."""
    curves = [
        Curve(
            each.variant,
            list(zip(each.checks["epoch"], each.checks["validation_loss"], strict=True)),
            kind % KINDS,
            True,
        )
        for kind, each in enumerate(outcomes)
        if each.checks.get("epoch")
    ]
    return draw_curves(curves, title="Validation loss over epochs", x_label="epoch") if curves else None


def epoch_table(outcomes: Sequence[Outcome]) -> list[EpochLosses]:
    """Mean training loss and validation loss of each epoch."""
    training, validation = [], []
    for each in outcomes:
        groups: dict[int, list[float]] = {}
        for epoch, loss in zip(each.losses.get("epoch", []), each.losses.get("loss", []), strict=True):
            groups.setdefault(int(epoch), []).append(loss)
        training.append({epoch: sum(found) / len(found) for epoch, found in groups.items()})
        checks = each.checks
        validation.append(
            {int(e): v for e, v in zip(checks.get("epoch", []), checks.get("validation_loss", []), strict=True)}
        )
    epochs = sorted({epoch for found in (*training, *validation) for epoch in found})
    return [
        EpochLosses(epoch, [found.get(epoch) for found in training], [found.get(epoch) for found in validation])
        for epoch in epochs
    ]


def _places(outcome: Outcome) -> list[float]:
    """Each step's place in epochs: 0.5 is the middle of the first."""
    epochs = [int(epoch) for epoch in outcome.losses.get("epoch", [])]
    sizes = {epoch: epochs.count(epoch) for epoch in set(epochs)}
    seen: dict[int, int] = {}
    places = []
    for epoch in epochs:
        seen[epoch] = seen.get(epoch, 0) + 1
        places.append(epoch - 1 + seen[epoch] / sizes[epoch])
    return places
