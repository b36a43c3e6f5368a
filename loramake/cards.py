"""One training a graphics card at a time, whichever folder or Snakemake it is started from: a lock for each card."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_PAUSE = 1.0  # seconds between two looks at cards that are taken


def visible_cards() -> list[str]:
    """What the cards that this process sees are called whatever their order: their UUIDs.

    A scheduler's or CUDA_VISIBLE_DEVICES' choice is all that is seen.
    """
    import torch

    return [str(torch.cuda.get_device_properties(place).uuid) for place in range(torch.cuda.device_count())]


@contextmanager
def held_cards(cards: Sequence[str], count: int = 1, folder: Path | None = None) -> Iterator[list[int]]:
    """Hold so many of the cards, waiting until they are free; gives their places in `cards`, the first ones first.

    The locks end with this process, however it ends. All are taken together, so that two who want several cannot each
    wait for what the other has.

    Args:
        cards: from `visible_cards`.
        count: at most as many.
        folder: of the locks, the same for all of a user's processes; None for one in the system's temporary folder.
    """
    folder = folder or Path(tempfile.gettempdir(), f"loramake-cards-{os.getuid() if hasattr(os, 'getuid') else 'user'}")
    folder.mkdir(parents=True, exist_ok=True)
    told = False
    with ExitStack() as held:
        while True:
            taken = []
            with ExitStack() as tried:
                for place, card in enumerate(cards):
                    lock = FileLock(folder / f"{card}.lock")
                    try:
                        tried.enter_context(lock.acquire(timeout=0))
                    except Timeout:
                        continue
                    taken.append(place)
                    if len(taken) == count:
                        held.push(tried.pop_all())
                        break
            if len(taken) >= count:
                break
            if not told:
                print(f"waiting for {count} of {len(cards)} cards: other trainings hold them")
                told = True
            time.sleep(_PAUSE)
        yield taken
