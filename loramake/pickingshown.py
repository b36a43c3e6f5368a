"""How much the cells of an epoch and weight look like her, and how far they obey; no torch."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loramake import tags
from loramake.files import hash_file, hash_value, read_json, to_json, write_text
from loramake.images import load_rgb
from loramake.pickingcells import Cells, Place, prompt_tags

LEAST_SHOWN = 0.25  # a prompt of which the base's own picture shows less measures no obedience
TINY = 1e-12

Pair = tuple[float, float]


@dataclass(frozen=True)
class Seen:
    """Of one picture: pairs (along, size), whose sums over pictures divide to factors, see `pickingseen`.

    Attributes:
        look: a pair for each noise level; how far the picture lies where the LoRA pulls.
        wish: how far it lies where the words beside the trigger pull; None without such words.
    """

    look: list[Pair]
    wish: Pair | None


@dataclass(frozen=True)
class Shown:
    """Of the cells of one epoch and weight, or None where no prompt tells.

    Attributes:
        likeness: how much of what the LoRA knows of her the pictures show; 0 nothing, 1 as much as her own do.
        obedience: how far they show what the prompts ask for beside her; 1 is as far as the base's pictures.
    """

    likeness: float | None
    obedience: float | None


UNSEEN = Shown(None, None)


@dataclass(frozen=True)
class Wording:
    """A prompt's plain tags, and those beside the trigger."""

    text: str
    rest: str
    has_trigger: bool


def word(prompt: str, trigger: str) -> Wording:
    """Take a prompt apart."""
    found = prompt_tags(prompt)
    others = [tag for tag in found if tag != tags.normalize(trigger)]
    return Wording(", ".join(found), ", ".join(others), len(others) < len(found))


def view(
    cells: Cells,
    trigger: str,
    look_at: Callable[[np.ndarray, str, str, str], Seen],
    *,
    recipe: str,
    cache: Path,
) -> dict[Place, Shown]:
    """What the cells of each epoch and weight show.

    Args:
        look_at: `pickingseen.Judge.look_at`.
        recipe: hash of what the judgement depends on beside the picture and its prompt.
        cache: keeps what was seen.
    """
    from tqdm import tqdm

    wordings = [word(prompt, trigger) for prompt in cells.prompts]
    seen = {}
    for key in tqdm(sorted(cells.files, key=lambda one: (one[0] or 0, *one[1:])), desc="looked at", unit="cell"):
        path, which, number = cells.folder / cells.files[key], wordings[key[2] - 1], key[3]
        kept = hash_value([recipe, hash_file(path), which.text, which.rest, number])
        kept_at = cache / kept[:2] / f"{kept}.json"
        if not kept_at.is_file():
            found = look_at(load_rgb(path), f"{which.text}/{number}", which.text, which.rest)
            write_text(kept_at, to_json({"look": _known(found.look), "wish": _known([found.wish])[0]}))
        content = read_json(kept_at)
        seen[key] = Seen([tuple(pair) for pair in content["look"]], content["wish"])
    return summarise(seen, wordings)


def summarise(seen: Mapping[tuple, Seen], wordings: list[Wording]) -> dict[Place, Shown]:
    """From pictures (epoch or None, weight, prompt number, seed number) to epochs and weights; None is the base."""
    groups: dict[tuple, list[Seen]] = defaultdict(list)
    for (epoch, weight, prompt, _), one in seen.items():
        groups[epoch, weight, prompt].append(one)
    bases = {prompt: _factor(one.wish for one in group) for (epoch, _, prompt), group in groups.items() if not epoch}
    likeness, obedience = defaultdict(list), defaultdict(list)
    for (epoch, weight, prompt), group in groups.items():
        if not epoch:
            continue
        if wordings[prompt - 1].has_trigger:
            levels = zip(*(one.look for one in group), strict=True)
            likeness[epoch, weight].append(_mean([_factor(level) for level in levels]))
        base = bases.get(prompt)
        if base is not None and base >= LEAST_SHOWN:
            shown = _factor(one.wish for one in group)
            obedience[epoch, weight].append(None if shown is None else shown / base)
    places = {(epoch, weight) for epoch, weight, _ in groups if epoch}
    return {place: Shown(_mean(likeness[place]), _mean(obedience[place])) for place in sorted(places)}


def _factor(pairs: Iterable[Pair | None]) -> float | None:
    pairs = list(pairs)
    if not pairs or any(pair is None or None in pair for pair in pairs):
        return None
    return sum(along for along, _ in pairs) / (sum(size for _, size in pairs) + TINY)


def _mean(values: list[float | None]) -> float | None:
    if not values or None in values:
        return None
    return sum(values) / len(values)


def _known(pairs: list[Pair | None]) -> list[list[float | None] | None]:
    """JSON knows no NaN."""
    return [None if pair is None else [v if math.isfinite(v) else None for v in pair] for pair in pairs]
