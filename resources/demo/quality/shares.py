"""Shares of pictures that are as they should be, out of readings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from drawing import SIGNATURE, Attributes
from measure import FIELDS, Reading, obeys, read_many
from PIL import Image

from .asks import requests, unseen, with_trigger
from .painting import Ask, Painter

NAMED = ("hair_color", "eye_color", "ears", "clothes", "background")  # those that the base must obey


def mean(values: Sequence[bool | float]) -> float:
    """The share of true ones; nan of nothing."""
    return float(np.mean(values)) if len(values) else float("nan")


def keep(folder: Path | None, name: str, pictures: Sequence[np.ndarray]) -> None:
    """Write pictures into ``folder`` for the eye, where one is given."""
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        for i, picture in enumerate(pictures):
            Image.fromarray(picture).save(folder / f"{name}-{i:03d}.png")


def signature_share(readings: Sequence[Reading]) -> dict[str, float]:
    """Share with all signature details in one picture, and with each."""
    out = {"all": mean([r.whole_signature for r in readings])}
    return out | {field: mean([r.signature[field] for r in readings]) for field in SIGNATURE}


def base_obedience(painter: Painter, count: int, folder: Path | None = None) -> dict[str, object]:
    """Unseen prompts drawn by the base alone: share obeyed of each attribute, false signatures."""
    asked = unseen(count)
    pictures = painter.paint([Ask(prompt, seed) for seed, (_, prompt) in enumerate(asked)], "base, unseen prompts")
    keep(folder, "base", pictures)
    readings = read_many(pictures)
    told = [obeys(r, a) for r, (a, _) in zip(readings, asked, strict=True)]
    shares = {field: mean([t[field] for t in told if field in t]) for field in FIELDS}
    return {
        "prompts": count,
        "obeyed": shares,
        "least_named": min(shares[f] for f in NAMED),
        "signature": signature_share(readings),
    }


def by_epoch(
    painter: Painter, trigger: str, epochs: Sequence[int], weights: Sequence[float], seeds: Sequence[int]
) -> list[dict[str, object]]:
    """The trigger alone for every epoch (LoRA file number = place in ``epochs``) and weight."""
    plan = [(i, w) for i in range(len(epochs)) for w in weights]
    pictures = painter.paint([Ask(trigger, s, i, w) for i, w in plan for s in seeds], "epochs x weights")
    readings, n = read_many(pictures), len(seeds)
    return [
        {"epoch": epochs[i], "weight": w, "signature": signature_share(readings[k * n : (k + 1) * n])}
        for k, (i, w) in enumerate(plan)
    ]


def trigger_alone(
    painter: Painter, trigger: str, lora: int, weight: float, seeds: Sequence[int], folder: Path | None = None
) -> dict[str, float]:
    """Signature shares of the trigger alone with one file and weight."""
    pictures = painter.paint([Ask(trigger, s, lora, weight) for s in seeds], f"trigger, weight {weight:g}")
    keep(folder, f"trigger-w{weight:g}", pictures)
    return signature_share(read_many(pictures))


def other_wishes(
    painter: Painter, trigger: str, lora: int, weight: float, seeds: Sequence[int], folder: Path | None = None
) -> list[dict[str, object]]:
    """Prompts for other clothes and backgrounds: obeyed, signature, both, and the base without the trigger."""
    wishes = requests()
    hers = painter.paint(
        [Ask(with_trigger(trigger, tags), s, lora, weight) for _, _, tags in wishes for s in seeds], "wishes"
    )
    plain = painter.paint([Ask(tags, s) for _, _, tags in wishes for s in seeds], "wishes, base")
    keep(folder, "wish", hers)
    keep(folder, "wish-base", plain)
    read_hers, read_plain, n = read_many(hers), read_many(plain), len(seeds)
    out = []
    for k, (field, value, tags) in enumerate(wishes):
        mine, base = (r[k * n : (k + 1) * n] for r in (read_hers, read_plain))
        out.append(
            {
                "field": field,
                "tags": tags,
                "obeyed": mean(obeyed(field, value, mine)),
                "signature": mean([r.whole_signature for r in mine]),
                "both": kept_share(field, value, mine),
                "base": mean(obeyed(field, value, base)),
            }
        )
    return out


def wishes_kept(painter: Painter, trigger: str, lora: int, weight: float, seeds: Sequence[int]) -> float:
    """Mean share of the pictures with another wish that obey it and show the whole signature."""
    wishes = requests()
    asks = [Ask(with_trigger(trigger, tags), s, lora, weight) for _, _, tags in wishes for s in seeds]
    readings, n = read_many(painter.paint(asks, f"wishes, choosing, weight {weight:g}")), len(seeds)
    shares = [kept_share(field, value, readings[k * n : (k + 1) * n]) for k, (field, value, _) in enumerate(wishes)]
    return mean(shares)


def obeyed(field: str, value: str, readings: Sequence[Reading]) -> list[bool]:
    """Whether each picture has the value that was asked for."""
    wish = Attributes(**{field: value})
    return [obeys(r, wish, [field])[field] for r in readings]


def kept_share(field: str, value: str, readings: Sequence[Reading]) -> float:
    """Share of the pictures that obey and show the whole signature."""
    return mean([o and r.whole_signature for o, r in zip(obeyed(field, value, readings), readings, strict=True)])


def by_field(wishes: Sequence[dict[str, object]]) -> dict[str, dict[str, float]]:
    """Means over the prompts of each kind, and ``ratio`` = both / base."""
    out = {}
    for field in dict.fromkeys(w["field"] for w in wishes):
        rows = [w for w in wishes if w["field"] == field]
        out[field] = {k: mean([w[k] for w in rows]) for k in ("obeyed", "signature", "both", "base")}
        out[field]["ratio"] = out[field]["both"] / max(out[field]["base"], 1e-9)
    return out
