"""Into how many processes work with a small model is divided on a CPU."""

from __future__ import annotations

from pathlib import Path

# Models under this size spend much of their time between the operations, where a second thread has nothing to do;
# each process holds the model once, so it must be small.
SMALL_MODEL_BYTES = 256 * 2**20


def count_processes(base_model: str | Path, device: str, threads: int, pieces: int) -> int:
    """Processes to work with: one a thread for small models on a CPU, as long as each has a piece; else 1.

    Args:
        base_model: the checkpoint on disk; a folder in diffusers layout counts as large.
        device: "cpu", or what may be a graphics card, which one process fills.
        threads: CPU threads of the job.
        pieces: of the work, such as batches of cells, or pictures in a batch.
    """
    path = Path(base_model)
    if device != "cpu" or not path.is_file() or path.stat().st_size > SMALL_MODEL_BYTES:
        return 1
    return max(1, min(threads, pieces))
