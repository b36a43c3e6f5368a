"""Which adapter and weight each sample of a batch takes from a bank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Choice:
    """What each sample of a batch takes.

    Args:
        adapter: the one adapter of the whole batch; None where samples differ.
        weight: the one weight of the whole batch; None where samples differ.
        adapters: (B,) long, adapter of each sample (0 where its weight is 0).
        weights: (B,), 0 for the base alone; None where all are 0.
        runs: neighbours that take the same: (first, after the last, adapter, weight), weight 0 for the base alone.
    """

    adapter: int | None
    weight: float | None
    adapters: Tensor
    weights: Tensor | None
    runs: tuple[tuple[int, int, int, float], ...] = ()


class Current:
    """The choices in force, seen by all layers of one bank; none: base alone."""

    choices: tuple[Choice, ...] = ()


def find_runs(adapters: Sequence[int], weights: Sequence[float]) -> tuple[tuple[int, int, int, float], ...]:
    """Neighbours with the same adapter and weight, see `Choice`."""
    runs: list[tuple[int, int, int, float]] = []
    for place, (adapter, weight) in enumerate(zip(adapters, weights, strict=True)):
        if runs and runs[-1][2:] == (adapter, weight):
            runs[-1] = (runs[-1][0], place + 1, adapter, weight)
        else:
            runs.append((place, place + 1, adapter, weight))
    return tuple(runs)


def common_runs(
    choices: Sequence[Choice],
) -> tuple[Sequence[tuple[int, int, int, float]], Sequence[tuple[int, float]]]:
    """The runs of the one choice that differs between samples, or of the first, and what all samples take beside it.

    Without choices, or where two of them differ, there are no runs.
    """
    uneven = [choice for choice in choices if len(choice.runs) > 1]
    if not choices or len(uneven) > 1:
        return (), ()
    main = uneven[0] if uneven else choices[0]
    return main.runs, [choice.runs[0][2:] for choice in choices if choice is not main]
