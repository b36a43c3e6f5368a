"""Divides the cells that are to be drawn among processes, where that is faster than one process with many threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import joblib
from PIL import Image

from loramake.cells import Cell
from loramake.smallmodels import count_processes


def cut_shares(cells: Sequence[Cell], shares: int) -> list[Sequence[Cell]]:
    """Neighbours stay together: cells of one LoRA and weight are drawn fastest side by side."""
    edges = [round(len(cells) * i / shares) for i in range(shares + 1)]
    return [cells[a:b] for a, b in zip(edges, edges[1:], strict=False)]


def paint_in_shares(
    cells: Sequence[Cell],
    keep: Callable[[Cell, Image.Image], None],
    *,
    device: str,
    batch_size: int,
    threads: int,
    **models: str,
) -> None:
    """Draw cells, in several processes where that pays; `keep` is called in the process that drew.

    Args: as `cellpainting.paint_cells`; `keep` must be a plain function or a partial of one.

    Raises:
        UserError: see `cellpainting.paint_cells`.
    """
    batches = -(-len(cells) // batch_size)
    models_used = {cell.look.base_model for cell in cells}
    painters = min(count_processes(model, device, threads, batches) for model in models_used)
    settings = {"device": device, "batch_size": batch_size, **models}
    if painters == 1:
        _paint(cells, keep, {**settings, "threads": threads, "title": "render"})
        return
    each = max(1, threads // painters)
    tasks = [
        joblib.delayed(_paint)(share, keep, {**settings, "threads": each, "title": f"render {i}/{painters}"})
        for i, share in enumerate(cut_shares(cells, painters), start=1)
    ]
    joblib.Parallel(n_jobs=painters, batch_size=1)(tasks)


def _paint(cells: Sequence[Cell], keep: Callable[[Cell, Image.Image], None], settings: Mapping[str, object]) -> None:
    # torch takes seconds to import, and is not needed where others draw
    from loramake.cellpainting import paint_cells

    paint_cells(cells, keep, **settings)
