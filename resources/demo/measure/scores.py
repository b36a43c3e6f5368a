"""How good the reader is: balanced accuracy, false and missed signature details, agreement."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from drawing.attributes import SIGNATURE, Attributes

from .classes import FIELDS, visible
from .reading import Reading

Pair = tuple[Attributes, Reading]


def balanced_accuracy(pairs: Iterable[tuple[str, str]]) -> float:
    """The mean over the true values of the share read rightly; pairs are (true, read)."""
    right, count = Counter(), Counter()
    for true, seen in pairs:
        count[true] += 1
        right[true] += true == seen
    return sum(right[v] / count[v] for v in count) / len(count) if count else float("nan")


def balanced_accuracies(pairs: Sequence[Pair]) -> dict[str, float]:
    """Balanced accuracy of each field over the pictures that show it."""
    return {
        field: balanced_accuracy((getattr(a, field), getattr(r, field)) for a, r in pairs if visible(a, field))
        for field in FIELDS
    }


def signature_rates(pairs: Sequence[Pair]) -> dict[str, tuple[float, float]]:
    """For each signature detail: (share found where it is, share found where it is not)."""
    out = {}
    for field, own in SIGNATURE.items():
        found = defaultdict(list)
        for a, r in pairs:
            if visible(a, field) or getattr(a, field) != own:
                found[getattr(a, field) == own].append(r.signature[field])
        out[field] = tuple(sum(found[k]) / max(1, len(found[k])) for k in (True, False))
    return out


def agreement(labels: Sequence[dict[str, str]], readings: Sequence[Reading]) -> dict[str, float]:
    """Share of labelled fields (those a person could tell) where reading and label agree; "all": of all of them."""
    same: dict[str, list[bool]] = defaultdict(list)
    for label, reading in zip(labels, readings, strict=True):
        for field, value in label.items():
            same[field].append(getattr(reading, field) == value)
            same["all"].append(same[field][-1])
    return {field: sum(v) / len(v) for field, v in same.items()}
