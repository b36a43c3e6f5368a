"""Draws cells in several processes, where that is faster than one process with many threads."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection

from PIL import Image

from loramake.cells import Cell
from loramake.cellturns import Turns
from loramake.errors import UserError
from loramake.smallmodels import count_processes

# a copy of this process has imported everything already; elsewhere torch does not survive being copied
FORKS = sys.platform.startswith("linux")


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
    settings = {"device": device, "batch_size": batch_size, "threads": max(1, threads // painters), **models}
    context = multiprocessing.get_context("fork" if FORKS else "spawn")
    turns = Turns(context, painters)
    if painters > 1 and FORKS:
        # before the others start, so that they need not
        import loramake.cellpainting  # noqa: F401
    others = [_start(context, cells, keep, {**settings, "turns": turns}) for _ in range(painters - 1)]
    try:
        _paint(cells, keep, {**settings, "turns": turns})
    except BaseException:
        turns.stop()
        # what they share with this process is used again once it is free: none may write there any more
        for process, _ in others:
            process.terminate()
            process.join()
        raise
    failures = [_wait(process, end) for process, end in others]
    for failure in failures:
        if failure:
            raise failure


def _start(
    context: multiprocessing.context.BaseContext,
    cells: Sequence[Cell],
    keep: Callable[[Cell, Image.Image], None],
    settings: Mapping[str, object],
) -> tuple[multiprocessing.process.BaseProcess, Connection]:
    """Start a process that draws too, and a connection that tells how it ended."""
    near, far = context.Pipe(duplex=False)
    process = context.Process(target=_help, args=(cells, keep, settings, far), daemon=True)
    process.start()
    far.close()
    return process, near


def _help(
    cells: Sequence[Cell], keep: Callable[[Cell, Image.Image], None], settings: Mapping[str, object], end: Connection
) -> None:
    failure = None
    try:
        _paint(cells, keep, {**settings, "quiet": True})
    except Exception as error:
        settings["turns"].stop()
        failure = error
    end.send(failure)


def _wait(process: multiprocessing.process.BaseProcess, end: Connection) -> Exception | None:
    """What went wrong in another process."""
    try:
        failure = end.recv()
    except EOFError:
        failure = UserError(
            "A process that drew cells was ended from outside. What was drawn stays.",
            found="no answer from it",
            expected="enough memory for each process",
            setting="fewer --cores or grid.batch_size, then run the same command again",
        )
    process.join()
    return failure


def _paint(cells: Sequence[Cell], keep: Callable[[Cell, Image.Image], None], settings: Mapping[str, object]) -> None:
    # torch takes seconds to import, and is not needed where nothing is drawn
    from loramake.cellpainting import paint_cells

    paint_cells(cells, keep, **settings)
