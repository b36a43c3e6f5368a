"""Training on several cards: the job is the first process, starts the others, and takes them with it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from loramake.devices import resolve_device
from loramake.errors import UserError
from loramake.programs import package_environment
from loramake.ranks import joined
from loramake.recipe import Recipe
from loramake.runs import Run
from loramake.trainloop import Material, run_training

_GRACE = 20  # seconds; a call that waits for a process that has died may never return


@dataclass(frozen=True)
class Task:
    """What a further process must know.

    Attributes:
        number, count, meeting: see `ranks.joined`.
        failure: file that gets its message where it fails.
        card: which of the visible cards it trains on.
    """

    number: int
    count: int
    meeting: Path
    failure: Path
    run: Run
    recipe: Recipe
    material: Material
    device: str
    threads: int
    card: int


def run_parallel(
    run: Run, recipe: Recipe, material: Material, *, name: str, device: str, threads: int, cards: Sequence[int]
) -> int:
    """As `trainloop.run_training`, by `recipe.num_processes` processes, each on its own card.

    Args:
        cards: places among the visible ones, one for each process.

    Raises:
        UserError: also: fewer cards than processes, or a process that failed.
    """
    count = recipe.num_processes
    _check_cards(resolve_device(device), count)
    where = resolve_device(device, cards[0])
    each = max(1, threads // count)
    with tempfile.TemporaryDirectory(prefix="loramake-") as place:
        meeting = Path(place, "meeting")
        tasks = [
            Task(n, count, meeting, Path(place, f"{n}.txt"), run, recipe, material, device, each, cards[n])
            for n in range(1, count)
        ]
        with _started(tasks), joined(0, count, meeting, where, each) as ranks:
            options = {"name": name, "device": device, "threads": each, "card": cards[0]}
            return run_training(run, recipe, material, **options, ranks=ranks)


def _check_cards(device: torch.device, count: int) -> None:
    found = {"cuda": torch.cuda.device_count(), "cpu": count}.get(device.type, 1)
    if found < count:
        raise UserError(
            "There are fewer cards than processes.",
            found=f"{found} of type {device.type}, num_processes {count}",
            expected="a card for each process",
            setting=f"train.num_processes: {found}; or resources: gpu, where a scheduler gives out the cards",
        )


@contextmanager
def _started(tasks: list[Task]) -> Iterator[None]:
    """The further processes; they end with the block, or with this process."""
    processes, over = [], threading.Event()
    try:
        for task in tasks:
            # a program of its own: what multiprocessing starts would run the job's script again
            process = subprocess.Popen(
                [sys.executable, "-m", "loramake.follower"],
                env=package_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
            )
            processes.append(process)
            pickle.dump(task, process.stdin)
            process.stdin.flush()
        threading.Thread(target=_watch, args=(processes, tasks, over), daemon=True).start()
        try:
            yield
        except RuntimeError as error:
            # what the collective operation says of a lost process is of little help
            time.sleep(2)
            if failed := _failure(processes, tasks):
                raise failed from error
            raise
    finally:
        over.set()
        for process in processes:
            process.kill()
            process.wait()
            process.stdin.close()


def _failure(processes: list[subprocess.Popen], tasks: list[Task]) -> UserError | None:
    """What made a process end before the others."""
    for process, task in zip(processes, tasks, strict=True):
        if process.poll():
            said = task.failure.read_text(encoding="utf-8") if task.failure.is_file() else ""
            return UserError(
                f"Process {task.number} of {task.count} that train together has ended.",
                found=said or f"exit code {process.returncode}",
                expected="processes that live as long as the training",
                setting="what it says; or train.num_processes: 1",
            )
    return None


def _watch(processes: list[subprocess.Popen], tasks: list[Task], over: threading.Event) -> None:
    """End this process where another one has died and the operation that waits for it does not notice."""
    while not over.wait(0.5):
        if (error := _failure(processes, tasks)) and not over.wait(_GRACE):
            print(f"\nloramake: {error}\n", file=sys.stderr, flush=True)
            os._exit(1)
