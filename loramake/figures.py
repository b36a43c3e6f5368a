"""The figures behind a pick as tables of epoch by weight, with a shade for each value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loramake.outcomes import Pick

# what the figures of docs/pick.md say; one that is not listed is shown under its own name alone
MEANINGS = {
    "score": "what the pick maximises: gain × likeness × obedience, these at most 1; 0 where something is broken",
    "gain": "share of the base model's loss on her pictures that is gone",
    "likeness": "how much of her the pictures of the grid show, as the model sees it; 1 is as much as her own pictures",
    "obedience": "how far these pictures show what else their prompts ask for; 1 is as far as the base model's",
    "trigger": "how much her name changes a prediction, against a clothes or background tag",
    "clothes": "how far it follows clothes tags beside her name; 1 is as far as the base model",
    "background": "how far it follows background tags beside her name; 1 is as far as the base model",
    "drift": "how far prompts without her name have moved from the base model",
    "reach": "how much stronger the change would have to be to fit her pictures best; below 1 it is too strong",
    "broken": "pictures that are black, flat, burnt or noise",
    "tags": "share of the prompts' tags that the tagger sees in the pictures",
}
_COUNTS = ("epoch", "weight", "pictures")


@dataclass(frozen=True)
class Matrix:
    """One figure.

    Attributes:
        name: its key.
        weights: None alone where it does not depend on the weight.
        values: (epoch, weight) → value; None where it is missing.
    """

    name: str
    epochs: Sequence[int]
    weights: Sequence[float | None]
    values: Mapping[tuple[int, float | None], float | None]

    @property
    def meaning(self) -> str:
        """In words; "" where nobody wrote any."""
        return MEANINGS.get(self.name, "")

    def shade(self, value: float | None) -> float:
        """Where a value lies between the lowest (0) and the highest (1)."""
        known = [each for each in self.values.values() if each is not None]
        low, high = min(known), max(known)
        return 0.0 if value is None or low == high else (value - low) / (high - low)

    def text(self, value: float | None) -> str:
        """A value to so many places that a hundredth of the range shows."""
        known = [each for each in self.values.values() if each is not None]
        if value is None:
            return "–"
        if all(each == round(each) for each in known):
            return f"{value:.0f}"
        spread = max(known) - min(known) or abs(value)
        return f"{value:.{min(8, max(0, 2 - math.floor(math.log10(spread))))}f}"


def matrices(pick: Pick | None) -> list[Matrix]:
    """Each numeric figure of a pick's rows, in the order of MEANINGS; those without any value are left out."""
    rows = pick.rows if pick else []
    names = dict.fromkeys(key for row in rows for key in row if key not in _COUNTS)
    epochs, weights = sorted({row["epoch"] for row in rows}), sorted({row["weight"] for row in rows})
    found = []
    for name in sorted(names, key=lambda name: list(MEANINGS).index(name) if name in MEANINGS else len(MEANINGS)):
        values = {(row["epoch"], row["weight"]): _number(row.get(name)) for row in rows}
        if all(value is None for value in values.values()):
            continue
        if all(len({values.get((epoch, weight)) for weight in weights}) == 1 for epoch in epochs):
            found.append(Matrix(name, epochs, [None], {(epoch, None): values[epoch, weights[0]] for epoch in epochs}))
        else:
            full = {(epoch, weight): values.get((epoch, weight)) for epoch in epochs for weight in weights}
            found.append(Matrix(name, epochs, weights, full))
    return found


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
