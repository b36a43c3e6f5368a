"""Which of several processes draws which batch of cells, and how many cells are drawn."""

from __future__ import annotations

import multiprocessing
from multiprocessing.context import BaseContext

_OVER = 2**62


class Turns:
    """Batches in their order, each drawn by the process that comes to it first.

    Every process walks through the same batches and asks for each, so how cells are put together into batches, on
    which their last bits depend, is the same for any number of processes.

    Args:
        context: of the processes, in which this is handed over when they start.
        processes: how many take turns.
    """

    def __init__(self, context: BaseContext | None = None, processes: int = 1) -> None:
        self.alone = processes == 1
        context = context or multiprocessing.get_context()
        self._next, self._drawn = context.Value("q", 0), context.Value("q", 0)
        self._passed = 0

    def claim(self) -> bool:
        """Whether the next batch is this process's to draw; none is once the process that started it is gone."""
        place, self._passed = self._passed, self._passed + 1
        parent = multiprocessing.parent_process()
        if parent and not parent.is_alive():
            return False
        with self._next.get_lock():
            if self._next.value != place:
                return False
            self._next.value += 1
            return True

    def stop(self) -> None:
        """Let no process begin another batch."""
        with self._next.get_lock():
            self._next.value = _OVER

    def count(self) -> int:
        """One more cell is drawn; how many all processes have drawn."""
        with self._drawn.get_lock():
            self._drawn.value += 1
            return self._drawn.value
