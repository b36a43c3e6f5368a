"""Many pictures at once: an ordered parallel map with a progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_items(
    work: Callable[[Item], Result], items: Iterable[Item], *, threads: int, title: str
) -> Iterator[tuple[Item, Result]]:
    """Yield (item, work(item)) in order, with a progress bar on stderr; `threads` at once.

    Threads, not processes: decoding, encoding, hashing and OpenCV all let go of Python's lock, and nothing has
    to be copied between processes. At most 2 results a thread wait to be taken, so memory stays bounded.
    """
    items = list(items)
    bar = tqdm(total=len(items), desc=title, unit="img", disable=not items)
    with bar:
        if threads <= 1 or len(items) < 2:
            for item in items:
                yield item, work(item)
                bar.update()
            return
        pool = ThreadPoolExecutor(threads)
        try:
            rest = iter(items)
            waiting = [(item, pool.submit(work, item)) for item in islice(rest, 2 * threads)]
            while waiting:
                item, future = waiting.pop(0)
                result = future.result()
                waiting += [(following, pool.submit(work, following)) for following in islice(rest, 1)]
                yield item, result
                bar.update()
        finally:
            # an error or Ctrl-C in one picture must not wait for hundreds of others
            pool.shutdown(wait=True, cancel_futures=True)
