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
    """What happened: kills that hit, those of them in the middle of a save, and longest progress lost, in epochs."""

    kills: int = 0
    in_save: int = 0
    lost: int = 0


def start(ground: Path, folder: Path, chunk: int | None = None, **changes: object) -> int:
    """Fork a training process; returns its id.

    Args:
        ground: holds base.safetensors, dataset/ and latents/.
        folder: gets runs/, out/ and said.txt.
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
        tally.lost = max(tally.lost, _epochs(folder, "shim-*.safetensors") - _epochs(folder, "state-*.safetensors"))
    assert finish(start(ground, folder, **changes)) == 0, (folder / "said.txt").read_text()


def _epochs(folder: Path, pattern: str) -> int:
    return max([int(path.stem.rsplit("-", 1)[1]) for path in folder.glob(f"runs/*/{pattern}")], default=0)


def outcome(folder: Path) -> dict[str, bytes]:
    """All files of a run that have to be equal: everything but TensorBoard's events, which hold clock times."""
    return {path.name: path.read_bytes() for path in (folder / "out").iterdir() if not path.name.startswith("events.")}
