"""Many things at once: an ordered parallel map, and one with a progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
Result = TypeVar("Result")


def compute_ahead(work: Callable[[Item], Result], items: Iterable[Item], *, threads: int) -> Iterator[Result]:
    """Yield work(item) in order; up to 2 results a thread are made before they are asked for.

    Threads, not processes: decoding, encoding, hashing, OpenCV and torch all let go of Python's lock, and nothing has
    to be copied between processes.

    Args:
        threads: 0 computes each result when it is asked for.
    """
    if threads < 1:
        yield from map(work, items)
        return
    pool, rest = ThreadPoolExecutor(threads), iter(items)
    try:
        waiting = [pool.submit(work, item) for item in islice(rest, 2 * threads)]
        while waiting:
            result = waiting.pop(0).result()
            waiting += [pool.submit(work, following) for following in islice(rest, 1)]
            yield result
    finally:
        # an error or Ctrl-C in one item must not wait for hundreds of others
        pool.shutdown(wait=True, cancel_futures=True)


def map_items(
    work: Callable[[Item], Result], items: Iterable[Item], *, threads: int, title: str
) -> Iterator[tuple[Item, Result]]:
    """Yield (item, work(item)) in order, with a progress bar on stderr; `threads` at once (see `compute_ahead`)."""
    items = list(items)
    several = threads if threads > 1 and len(items) > 1 else 0
    # in a file or a pipe a bar that moves ten times a second is noise
    calm = {} if sys.stderr.isatty() else {"mininterval": 15, "maxinterval": 30, "ncols": 80}
    with (
        tqdm(total=len(items), desc=title, unit="img", disable=not items, **calm) as bar,
        closing(compute_ahead(work, items, threads=several)) as results,
    ):
        for item, result in zip(items, results, strict=True):
            yield item, result
            bar.update()
