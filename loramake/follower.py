"""A further process of a training on several cards, started by `dataparallel`; it writes nothing."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import traceback

import torch
from tqdm import tqdm

from loramake.dataparallel import Task
from loramake.devices import resolve_device, resolve_precision
from loramake.errors import LoramakeError
from loramake.heap import keep_freed_memory
from loramake.outofmemory import explain_out_of_memory
from loramake.ranks import Ranks, joined
from loramake.runstate import read_state, restore, state_path
from loramake.trainloop import set_up


def follow(task: Task, ranks: Ranks) -> None:
    """Take part in every step, from where the first process says."""
    recipe = task.recipe
    torch.set_num_threads(task.threads)
    where = resolve_device(task.device, task.card)
    precision = resolve_precision(recipe.mixed_precision, where)
    if where.type == "cpu":
        keep_freed_memory()
    with explain_out_of_memory(recipe, where, precision):
        trainer, _ = set_up(recipe, task.material, where, precision, ranks)
        done = ranks.agree(0)
        if done:
            state = read_state(state_path(task.run.folder, done))
            restore(state, trainer.network, trainer.optimizer, trainer.scaler)
        for epoch in range(done + 1, recipe.epochs(trainer.feed.steps_per_epoch) + 1):
            trainer.train_epoch(epoch, tqdm(disable=True))
            # the first process looks at its weights here, which moves a schedule-free optimizer's by a rounding
            with trainer.at_rest():
                pass


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def main() -> None:
    """Read the task from stdin, whose end is that of the process that trains."""
    # Ctrl-C reaches the process that trains, which ends this one
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    task: Task = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        where = resolve_device(task.device, task.card)
        with joined(task.number, task.count, task.meeting, where, task.threads) as ranks:
            follow(task, ranks)
    except LoramakeError as error:
        task.failure.write_text(str(error), encoding="utf-8")
        sys.exit(1)
    except Exception as error:
        task.failure.write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
        traceback.print_exc()
        sys.exit(1)


if __name__ == "__main__":
    main()
