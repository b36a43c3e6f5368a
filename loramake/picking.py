"""The rule that turns figures of every epoch and weight into one recommended cell, a verdict and a reason; no torch.

docs/pick.md explains it in plain words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from loramake.errors import UserError

PROBED_WEIGHT = 0.9  # up to which a normal LoRA breaks nothing
LEAST_CHANGE = 0.005  # of what the base misses on her pictures: less than this is no effect
CLOSE = 0.001  # scores so close together, relatively, are equal: the earlier epoch and the lower weight win
LEARNED = 0.5  # a gain from which she has been learned, however little the trigger alone does
ENOUGH = 0.5  # obedience in the cells from which what was asked for is there, as counted on the demo's pictures


@dataclass(frozen=True)
class Row:
    """Figures of one epoch at one weight; None where they could not be taken.

    Attributes:
        gain: share of the base model's loss on her pictures that is gone; 1 is perfect, below 0 is worse than the base.
        reach: factor by which the change would have to grow to fit her pictures best; below 1 it is too strong.
        change: how much the LoRA changes predictions on her pictures, in units of what the base misses there.
        drift: how far prompts without the trigger have moved, in units of what such a prompt does to the base.
        trigger: how much the trigger changes a prediction, in units of what a clothes or background tag changes.
        clothes, background: how far predictions follow such tags beside the trigger; 1 is as far as the base's.
        pictures: cells that were drawn here.
        broken: those of them that are black, flat, burnt or noise.
        tags: share of the wished tags that a tagger sees in the cells.
        likeness: how much of what the LoRA knows of her the cells show; 1 is as much as her own pictures do.
        obedience: how far the cells show what their prompts ask for beside her; 1 is as far as the base's.
    """

    epoch: int
    weight: float
    gain: float | None
    reach: float | None
    change: float | None
    drift: float | None
    trigger: float | None
    clothes: float | None
    background: float | None
    pictures: int = 0
    broken: int = 0
    tags: float | None = None
    likeness: float | None = None
    obedience: float | None = None

    @property
    def is_finite(self) -> bool:
        figures = (self.gain, self.reach, self.change, self.drift, self.trigger, self.clothes, self.background)
        return all(figure is not None and math.isfinite(figure) for figure in figures)

    @property
    def control(self) -> float:
        """The weaker of the two obediences."""
        return min(self.clothes or 0.0, self.background or 0.0)

    @property
    def hers(self) -> float:
        """How much of her is there, 0 to 1: in the cells, else in the predictions."""
        return min(1.0, max(0.0, self.trigger if self.likeness is None else self.likeness))

    @property
    def obeyed(self) -> float:
        """How far it does what it is told, 0 to 1: in the cells, else in the predictions."""
        return min(1.0, max(0.0, self.control if self.obedience is None else self.obedience / ENOUGH))

    @property
    def score(self) -> float:
        """What the rule maximises: gain × hers × obeyed; 0 where something is broken.

        With a tagger, times the share of wished tags that is seen.
        """
        if not self.is_finite or self.broken:
            return 0.0
        return max(0.0, self.gain) * self.hers * self.obeyed * (1.0 if self.tags is None else self.tags)


@dataclass(frozen=True)
class Limits:
    """Where a verdict changes.

    Attributes:
        least_gain: below it, everywhere, the LoRA is broken.
        least_trigger: below it at the picked cell the LoRA is under-trained, unless its gain is LEARNED.
        least_control: below it at weight 0.9 the LoRA is over-trained.
    """

    least_gain: float
    least_trigger: float
    least_control: float


@dataclass(frozen=True)
class Pick:
    """The recommended cell; `verdict` is good, under-trained, over-trained or broken."""

    epoch: int
    weight: float
    verdict: str
    reason: str


def best(rows: Sequence[Row]) -> Row:
    """The row of the highest score; among nearly equal ones the earliest epoch, then the lowest weight.

    Where all score 0: the one that harms least, by gain.
    """
    highest = max(row.score for row in rows)
    if highest <= 0:
        return max(rows, key=lambda row: (row.is_finite, row.gain if row.is_finite else 0.0, -row.epoch, -row.weight))
    return min((row for row in rows if row.score >= (1 - CLOSE) * highest), key=lambda row: (row.epoch, row.weight))


def best_learned(rows: Sequence[Row]) -> int | None:
    """The epoch that describes her pictures best; None where none does better than the base."""
    learned = [row for row in rows if row.is_finite and row.gain > 0]
    return max(learned, key=lambda row: row.gain).epoch if learned else None


def pick(rows: Sequence[Row], probes: Sequence[Row], limits: Limits, *, held_out: bool) -> Pick:
    """The recommendation.

    Args:
        rows: every epoch and weight that may be picked; at least one.
        probes: the picked epoch at `PROBED_WEIGHT`, from which it is seen whether the LoRA bears an ordinary weight.
        held_out: the loss is of pictures that training never saw.
    """
    row = best(rows)
    verdict, why = _judge(row, rows, probes, limits)
    return Pick(row.epoch, row.weight, verdict, f"{why} {_evidence(row, rows, held_out)}")


def check_applies(rows: Sequence[Row], file: Path) -> None:
    """Refuse a LoRA that changes nothing at any weight.

    Raises:
        UserError: it did not apply, with the likely reasons.
    """
    changes = [row.change for row in rows if row.is_finite]
    if not changes or max(changes) >= LEAST_CHANGE:
        return
    raise UserError(
        "The LoRA did not apply: predictions are the base model's at every epoch and weight.",
        file=file,
        found=f"they change by {100 * max(changes):.2g} % of what the base model misses on the character's pictures",
        expected=f"{100 * LEAST_CHANGE:g} % at the very least; a trained LoRA changes 50 % and more",
        setting="train.unet_lr and train.text_encoder_lr (too low), train.max_train_epochs (too few), "
        "train.lr_warmup_steps (too long), train.network_alpha (far below network_dim), grid.weights (too small), "
        "base_model (not the one it was trained on)",
    )


def _judge(row: Row, rows: Sequence[Row], probes: Sequence[Row], limits: Limits) -> tuple[str, str]:
    """Verdict and first sentence."""
    if not any(other.is_finite for other in rows):
        return "broken", "Broken: with this LoRA the model gives NaN at every epoch and weight."
    if all(other.broken for other in rows if other.pictures) and any(other.pictures for other in rows):
        return "broken", "Broken: every epoch and weight has pictures that are black, flat, burnt or noise."
    if row.gain < limits.least_gain:
        return "broken", (
            f"Broken: nowhere does it describe her pictures better than the base model (gain {row.gain:.2f} at most, "
            f"{limits.least_gain:g} wanted). Lower train.unet_lr and train.text_encoder_lr."
        )
    if row.trigger < limits.least_trigger and row.gain < LEARNED:
        return "under-trained", (
            f"Under-trained: the trigger changes a prediction only {row.trigger:.2f} times as much as a clothes or "
            f"background tag does ({limits.least_trigger:g} wanted). Raise train.unet_lr, or train longer."
        )
    for probe in (p for p in probes if p.epoch == row.epoch):
        weak = min(("clothes", "background"), key=lambda kind: getattr(probe, kind) or 0.0)
        disobeys = probe.is_finite and probe.control < limits.least_control and not _cells_obey(row.epoch, rows)
        if probe.broken or not probe.is_finite or disobeys:
            found = (
                f"{weak} tags move it {getattr(probe, weak):.2f} times as far as the base" if probe.is_finite else "NaN"
            )
            return "over-trained", (
                f"Over-trained: at weight {probe.weight:g} epoch {row.epoch} no longer obeys ({found}, "
                f"{limits.least_control:g} wanted). Lower train.unet_lr, or train fewer epochs."
            )
    return "good", f"Epoch {row.epoch} at weight {row.weight:g}."


def _cells_obey(epoch: int, rows: Sequence[Row]) -> bool:
    """Whether the cells at the highest ordinary weight show what they should, whatever predictions say."""
    ordinary = [row for row in rows if row.epoch == epoch and row.weight <= PROBED_WEIGHT and row.obedience is not None]
    highest = max(ordinary, key=lambda row: row.weight, default=None)
    return highest is not None and not highest.broken and highest.obedience >= ENOUGH


def _evidence(row: Row, rows: Sequence[Row], held_out: bool) -> str:
    """The figures of the picked cell, and what becomes of the epochs and weights beyond it."""
    if not row.is_finite:
        return ""
    pictures = "pictures held out" if held_out else "her pictures"
    where = "below" if row.gain >= 0 else "above"
    parts = [
        f"Loss on {pictures} {100 * abs(row.gain):.0f} % {where} the base's",
        f"trigger {row.trigger:.2f}",
        f"clothes {row.clothes:.2f} and background {row.background:.2f} of the base's obedience",
        f"drift {row.drift:.2f}",
    ]
    if row.likeness is not None:
        parts.append(f"likeness of the cells {row.likeness:.2f}")
    if row.obedience is not None:
        parts.append(f"their obedience {row.obedience:.2f}")
    if row.tags is not None:
        parts.append(f"{100 * row.tags:.0f} % of the wished tags seen")
    return "; ".join(parts) + "." + "".join(_beyond(row, rows))


def _beyond(row: Row, rows: Sequence[Row]) -> list[str]:
    """Why neither later epochs nor higher weights."""
    later = [other for other in rows if other.epoch > row.epoch and other.weight == row.weight]
    higher = [other for other in rows if other.weight > row.weight and other.epoch == row.epoch]
    out = []
    for others, name in ((later, "Later epochs"), (higher, "Higher weights")):
        if not others:
            continue
        other = max(others, key=lambda one: one.score)
        at = f"epoch {other.epoch}" if others is later else f"weight {other.weight:g}"
        out.append(f" {name} {_loses(row, other)} ({at}).")
    return out


def _loses(row: Row, other: Row) -> str:
    """What is worst about another cell."""
    if other.broken or not other.is_finite:
        return "break pictures"
    names = {"gain": "describe her less well", "hers": "show less of her", "obeyed": "obey less"}
    falls = {name: getattr(row, name) - getattr(other, name) for name in names}
    worst = max(falls, key=falls.__getitem__)
    if falls[worst] <= 0.01:
        return "gain nothing"
    return f"{names[worst]}: {getattr(row, worst):.2f} falls to {getattr(other, worst):.2f}"


def as_json(pick: Pick, rows: Sequence[Row], *, character: str, variant: str, **more: object) -> dict[str, object]:
    """The content of the pick's JSON file."""
    more = {name: asdict(value) if isinstance(value, (Row, Limits)) else value for name, value in more.items()}
    listed = [{**asdict(row), "score": round(row.score, 4)} for row in rows]
    return {"character": character, "variant": variant, **asdict(pick), **more, "rows": listed}
