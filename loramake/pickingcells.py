"""What the drawn cells tell a pick: which pictures are broken, and which wished tags a tagger sees; no torch."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from loramake import tags
from loramake.errors import UserError
from loramake.files import read_json

BLACK = 12  # of 255: no pixel is brighter; values that are not finite are drawn black
FLAT = 6.0  # of 255: standard deviation of a picture that shows nothing
BURNT = 0.5  # share of pixels that a picture has at the ends of the range more than the base's
NOISE = 3.0  # times the base's mean difference of neighbouring pixels

Place = tuple[int, float]


@dataclass(frozen=True)
class Look:
    """A picture in four numbers: brightest value and spread (of 255), share at the ends, mean step to a neighbour."""

    brightest: float
    spread: float
    burnt: float
    grain: float


@dataclass(frozen=True)
class Drawn:
    """The cells of one epoch and weight: how many, how many of them broken, and the share of wished tags seen."""

    pictures: int
    broken: int
    tags: float | None = None


@dataclass(frozen=True)
class Cells:
    """A folder of cells: its axes and the file of each (epoch or None, weight, prompt number, seed number)."""

    folder: Path
    epochs: Sequence[int]
    weights: Sequence[float]
    prompts: Sequence[str]
    files: Mapping[tuple[int | None, float, int, int], str]


def read_cells(folder: Path) -> Cells:
    """Read `cells.json`; the weights are those above 0.

    Raises:
        UserError: no weight above 0.
    """
    index = read_json(Path(folder) / "cells.json")
    axes = index["axes"]
    weights = [float(weight) for weight in axes["weight"] if weight > 0]
    if not weights:
        raise UserError(
            "There is nothing to pick from.",
            file=folder,
            found="weights " + ", ".join(f"{weight:g}" for weight in axes["weight"]),
            expected="at least one above 0",
            setting="grid.weights",
        )
    found = {
        (cell["epoch"], float(cell["weight"]), cell["prompt"], cell["seed"]): cell["file"] for cell in index["cells"]
    }
    return Cells(Path(folder), axes["epoch"], weights, axes["prompt"], found)


def look_at(pixels: np.ndarray) -> Look:
    """Measure a picture, uint8 (h, w, 3)."""
    values = pixels.astype(np.float32)
    ends = ((pixels <= 2) | (pixels >= 253)).any(axis=2).mean()
    grain = (np.abs(np.diff(values, axis=0)).mean() + np.abs(np.diff(values, axis=1)).mean()) / 2
    return Look(float(values.max()), float(values.std()), float(ends), float(grain))


def is_broken(look: Look, base: Look | None) -> bool:
    """Whether a picture shows nothing: black, flat, burnt or noise.

    Args:
        base: the base model's picture of the same prompt and seed. White backgrounds are burnt too, and a flat picture
            may be what was asked for: so only what the base does not do counts. Without it only black and flat ones.
    """
    if look.brightest <= BLACK:
        return base is None or base.brightest > BLACK
    if base is None:
        return look.spread < FLAT
    flat = look.spread < FLAT and base.spread > 2 * FLAT
    return flat or look.burnt > base.burnt + BURNT or look.grain > NOISE * base.grain + 1


def examine(cells: Cells, seen: Callable[[np.ndarray, str], float | None] | None = None) -> dict[Place, Drawn]:
    """Broken pictures of each epoch and weight.

    Args:
        seen: share of a prompt's tags that a tagger sees in a picture; None for a prompt without known tags.
    """
    bases = {key[2:]: look_at(_read(cells.folder / name)) for key, name in cells.files.items() if key[0] is None}
    counts: dict[Place, list[bool]] = defaultdict(list)
    shares: dict[Place, list[float]] = defaultdict(list)
    for (epoch, weight, *which), name in sorted(cells.files.items(), key=lambda item: (item[0][0] or 0, *item[0][1:])):
        if epoch is None or weight <= 0:
            continue
        pixels = _read(cells.folder / name)
        counts[epoch, weight].append(is_broken(look_at(pixels), bases.get(tuple(which))))
        share = seen(pixels, cells.prompts[which[0] - 1]) if seen else None
        if share is not None:
            shares[epoch, weight].append(share)
    return {
        place: Drawn(len(broken), sum(broken), sum(shares[place]) / len(shares[place]) if shares[place] else None)
        for place, broken in counts.items()
    }


def tag_reader(
    model: str, labels: str, *, trigger: str, threshold: float, device: str, threads: int
) -> Callable[[np.ndarray, str], float | None] | None:
    """The share of a prompt's tags that a WD tagger sees in a picture; None where no tagger is configured.

    Args:
        model, labels, threshold: see `autotag` in the config.
        trigger: the tagger does not know it.
    """
    if not model:
        return None
    from loramake.tagger import Tagger, on_white_square, read_labels

    known = read_labels(Path(labels))
    general = {label.tag for label in known if label.kind == "general"}
    tagger = Tagger(Path(model), known, device=device, threads=threads)

    def seen(pixels: np.ndarray, prompt: str) -> float | None:
        wished = [tag for tag in prompt_tags(prompt) if tag in general and tag != trigger]
        if not wished:
            return None
        found = tagger.score(on_white_square(pixels, tagger.side)[None], threshold)[0].general
        return sum(tag in found for tag in wished) / len(wished)

    return seen


def prompt_tags(prompt: str) -> list[str]:
    """The tags of a plain prompt: without emphasis and calls of LoRAs; normalized."""
    bare = re.sub(r"<[^>]*>|(?<!\\)[()\[\]]|:\s*[\d.]+(?=\s*[)\]])", "", re.sub(r":\s*[\d.]+\s*(?=[)\]])", "", prompt))
    return [tags.normalize(part) for part in bare.replace("\\", "").split(",") if part.strip()]


def _read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
