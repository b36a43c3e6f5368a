"""A character's report: one HTML file that stands alone and shows which LoRA to use, and why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from loramake.errors import UserError
from loramake.files import read_json, write_text
from loramake.outcomes import read_outcome
from loramake.overviewpage import render
from loramake.thumbnails import make_thumbnails
from loramake.views import Place

SMALLEST = 96  # px: shorter than that, nobody sees anything
_QUALITY = 82


@dataclass(frozen=True)
class VariantFiles:
    """Where a variant's LoRAs, cells and pick lie, and stage → file of its settings."""

    name: str
    lora: Path
    cells: Path
    pick: Path | None
    settings: Mapping[str, Path]


def report_character(
    variants: Sequence[VariantFiles],
    dataset_html: Path,
    out_html: Path,
    runs_dir: Path,
    cache_dir: Path,
    *,
    character: str,
    embedded_megapixels: float,
    settings: Mapping[str, Path],
    sweeps: Mapping[str, Sequence[tuple[str, str]]] | None = None,
    threads: int = 1,
) -> None:
    """Write the report.

    Args:
        variants: what it compares; the first one is shown first.
        dataset_html: the dataset report that it links.
        out_html: the page.
        runs_dir: folder of the runs, for what they were made of.
        cache_dir: pictures of earlier reports.
        character: heading.
        embedded_megapixels: all cells together have no more; with more, each is shown smaller.
        settings: stage → file of the settings that all variants share.
        sweeps: name → (a variant's name in the sweep, the one of `variants` that it is), in the sweep's order.
        threads: pictures worked on at once.

    Raises:
        UserError: an input is missing or damaged.
    """
    outcomes = [
        read_outcome(each.name, each.lora, each.cells, each.pick, runs_dir, _read_settings(each.settings))
        for each in variants
    ]
    files = {path: path for each in outcomes for path in each.grid.files}
    size = _size(next(iter(files)))
    shown = fit_side(size, len(files), embedded_megapixels)
    pictures = make_thumbnails(files, shown, cache_dir, threads=threads, quality=_QUALITY)
    missing = next((path for path in files if path not in pictures), None)
    if missing:
        raise UserError(
            "A cell is missing or damaged.", file=missing, expected="a picture", setting="remove its folder"
        )
    place = Place(out_html.parent, dataset_html, size, shown / max(size))
    page = render(character, outcomes, _read_settings(settings), pictures, place, sweeps or {})
    write_text(out_html, page)
    print(
        f"report on {len(outcomes)} variants, {len(files)} pictures at {shown / max(size):.0%}, "
        f"{len(page.encode()) / 1e6:.1f} MB: {out_html}"
    )


def fit_side(size: tuple[int, int], count: int, megapixels: float) -> int:
    """The longest side in px at which so many pictures of a size have so many megapixels together, at most.

    Never more than they have, never less than SMALLEST.
    """
    scale = min(1.0, math.sqrt(megapixels * 1e6 / (count * size[0] * size[1])))
    return max(min(SMALLEST, *size), math.floor(max(size) * scale))


def _size(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, SyntaxError) as error:
        raise UserError(
            "A cell is missing or damaged.", file=path, found=error, expected="a picture", setting="remove its folder"
        ) from error


def _read_settings(found: Mapping[str, Path]) -> dict[str, dict[str, object]]:
    return {stage: read_json(path)["settings"] for stage, path in found.items()}
