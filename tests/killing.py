"""Real training processes that are ended by SIGKILL: at a random moment, or in the middle of writing a file.

Each is forked from a process that has the libraries loaded, so that a start costs a fraction of a second.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from trainable import SETTINGS

from loramake import checkpoints
from loramake.training import train_lora


@dataclass
class Tally:
    """What happened: kills that hit, those of them in the middle of a save, and most epochs repeated after one kill."""

    kills: int = 0
    in_save: int = 0
    repeated: int = 0


def start(ground: Path, folder: Path, chunk: int | None = None, **changes: object) -> int:
    """Fork a training process; returns its id.

    Args:
        ground: holds base.safetensors, dataset/ and latents/.
        folder: gets runs/, out/, said.txt and begun.txt, a line for each epoch that a process began.
        chunk: the process kills itself before it writes this many tensors of its files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        said = os.open(folder / "said.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(said, 1)
        os.dup2(said, 2)
        os.environ["SOURCE_DATE_EPOCH"] = "1700000000"
        _note_epochs(folder / "begun.txt")
        if chunk is not None:
            _kill_in_save(chunk)
        options = {
            **SETTINGS,
            "device": "cpu",
            "name": "shim",
            "base_model": str(ground / "base.safetensors"),
            **changes,
        }
        train_lora(ground / "dataset", ground / "latents", folder / "out", folder / "runs", **options)
        sys.stdout.flush()
        status = 0
    finally:
        os._exit(status)


def _note_epochs(path: Path) -> None:
    from loramake.trainer import Trainer

    original = Trainer.train_epoch

    def noted(self, epoch, *args, **kwargs):
        with open(path, "a") as handle:
            handle.write(f"{epoch}\n")
        return original(self, epoch, *args, **kwargs)

    Trainer.train_epoch = noted


def _begun(folder: Path) -> list[int]:
    path = folder / "begun.txt"
    return [int(line) for line in path.read_text().split()] if path.is_file() else []


def _kill_in_save(chunk: int) -> None:
    original, left = checkpoints.save_tensors, [chunk]

    def deadly(path, tensors, metadata):
        header, ordered = checkpoints.serialise(tensors, metadata)
        with checkpoints.atomic_path(Path(path)) as temporary, open(temporary, "wb", buffering=0) as handle:
            handle.write(header)
            for piece in checkpoints.data_chunks(ordered):
                left[0] -= 1
                if left[0] < 0:
                    handle.write(bytes(piece)[: len(piece) // 2])
                    os.kill(os.getpid(), signal.SIGKILL)
                handle.write(piece)

    from loramake import lorafiles, runstate

    assert original is lorafiles.save_tensors is runstate.save_tensors
    lorafiles.save_tensors = runstate.save_tensors = deadly


def finish(child: int) -> int:
    """Wait for a training process; its exit status, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_and_finish(
    ground: Path,
    folder: Path,
    draw: random.Random,
    kills: int,
    seconds: float,
    tensors: int,
    tally: Tally,
    **changes: object,
) -> None:
    """Kill a run so many times, every second time in a save, and then let it end.

    Args:
        seconds: a run without kills takes.
        tensors: so many it writes in all.
    """
    for number in range(kills):
        if number % 2:
            status = finish(start(ground, folder, chunk=draw.randrange(tensors), **changes))
        else:
            child = start(ground, folder, **changes)
            time.sleep(draw.uniform(0, seconds))
            os.kill(child, signal.SIGKILL)
            status = finish(child)
        if status == 0:
            break
        assert status == -signal.SIGKILL, (folder / "said.txt").read_text()
        tally.kills += 1
        tally.in_save += number % 2
    assert finish(start(ground, folder, **changes)) == 0, (folder / "said.txt").read_text()
    begun = _begun(folder)
    # epochs go up by one; where they do not, a process went on after a kill
    steps_back = [before - after + 1 for before, after in zip(begun, begun[1:], strict=False)]
    tally.repeated = max([tally.repeated, *steps_back])


def outcome(folder: Path) -> dict[str, bytes]:
    """All files of a run that have to be equal: everything but TensorBoard's events, which hold clock times."""
    return {path.name: path.read_bytes() for path in (folder / "out").iterdir() if not path.name.startswith("events.")}
