"""Single epochs of a trained LoRA, found through the index in its folder."""

from __future__ import annotations

from pathlib import Path

from loramake import files
from loramake.errors import UserError


def saved_epochs(epochs: int, every: int) -> list[int]:
    """Epochs of a training of `epochs` that are saved: every n-th, and the last."""
    return sorted({*range(every, epochs + 1, every), epochs})


def epoch_file(lora_dir: Path, epoch: int) -> Path:
    """The checkpoint of one epoch.

    Args:
        lora_dir: `loras/{character}/{variant}`, with its `index.json`.
        epoch: counted from 1.

    Raises:
        UserError: this epoch was not trained or not saved.
    """
    entries = {entry["epoch"]: entry["file"] for entry in files.read_json(Path(lora_dir) / "index.json")["epochs"]}
    if epoch not in entries:
        raise UserError(
            f"There is no epoch {epoch}.",
            file=lora_dir,
            found="epochs " + ", ".join(map(str, sorted(entries))),
            expected="one of these",
            setting="the epoch in the file's name, or train.max_train_epochs and train.save_every_n_epochs",
        )
    return Path(lora_dir) / entries[epoch]


def epoch_files(lora_dir: Path) -> dict[str, Path]:
    """The checkpoints of a run by the names that prompts call them by: file names without suffix."""
    index = Path(lora_dir) / "index.json"
    entries = files.read_json(index)["epochs"] if index.is_file() else []
    return {Path(entry["file"]).stem: Path(lora_dir) / entry["file"] for entry in entries}


def export_epoch(lora_dir: Path, epoch: int, target: Path) -> None:
    """Link the checkpoint of one epoch to `target`.

    Raises:
        UserError: there is no such epoch.
    """
    files.link_or_copy(epoch_file(lora_dir, epoch), target)
    print(f"linked epoch {epoch} to {target}")
