"""What a trained variant has left behind, brought together for the report: run, logs, cells, pick and settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loramake import pngtext
from loramake.cellindex import EpochGrid, read_epoch_grid
from loramake.errors import UserError
from loramake.files import read_json
from loramake.lorahash import lora_digest
from loramake.lossplot import read_log
from loramake.runs import INDEX, LOSS_LOG, VALIDATION_LOG

GOOD, UNDER, OVER, BROKEN = VERDICTS = ("good", "under-trained", "over-trained", "broken")


@dataclass(frozen=True)
class Saved:
    """A saved epoch: its file, the file's SHA-256 (64 hex digits), and the hash that the webui shows (12)."""

    epoch: int
    file: Path
    sha256: str
    short_hash: str


@dataclass(frozen=True)
class Pick:
    """The recommended epoch and weight, and the figures of all of them.

    Attributes:
        verdict: one of VERDICTS.
        reason: in words.
        rows: one an epoch and weight, with "epoch", "weight" and whatever was measured.
    """

    epoch: int
    weight: float
    verdict: str
    reason: str
    rows: Sequence[Mapping[str, object]]


@dataclass(frozen=True)
class Outcome:
    """One variant.

    Attributes:
        variant: its name, "base" or the settings that differ.
        fingerprint: of the run; image_passes, optimizer_steps: of the whole run.
        made_of: what the run was made of, from its folder; empty where that was removed.
        losses, checks: columns of the loss log and of the validation log; empty where there is none.
        grid: its cells.
        pick: None where none was asked for.
        settings: stage → its settings.
    """

    variant: str
    fingerprint: str
    image_passes: int
    optimizer_steps: int
    saved: Sequence[Saved]
    made_of: Mapping[str, object]
    losses: Mapping[str, Sequence[float]]
    checks: Mapping[str, Sequence[float]]
    grid: EpochGrid
    pick: Pick | None
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def epoch(self, number: int) -> Saved | None:
        """The file of an epoch."""
        return next((each for each in self.saved if each.epoch == number), None)


def read_outcome(
    variant: str,
    lora_dir: Path,
    cells_dir: Path,
    pick: Path | None,
    runs_dir: Path,
    settings: Mapping[str, Mapping[str, object]] | None = None,
) -> Outcome:
    """Read what one variant has left.

    Args:
        variant: its name.
        lora_dir: `loras/{character}/{variant}`.
        cells_dir: `work/cells/{character}/{variant}`.
        pick: the JSON of pick_epoch; None = none was made.
        runs_dir: folder of the runs, for what this one was made of.
        settings: stage → its settings.

    Raises:
        UserError: nothing trained or drawn here, or a damaged file.
    """
    index = _read(Path(lora_dir) / INDEX, "run the training again")
    try:
        saved = [_saved(Path(lora_dir), entry) for entry in index["epochs"]]
        made_of = Path(runs_dir) / index["fingerprint"] / "made_of.json"
        return Outcome(
            variant,
            index["fingerprint"],
            index["image_passes"],
            index["optimizer_steps"],
            saved,
            _read(made_of, "") if made_of.is_file() else {},
            read_log(Path(lora_dir) / LOSS_LOG),
            read_log(Path(lora_dir) / VALIDATION_LOG),
            read_epoch_grid(cells_dir),
            read_pick(pick) if pick else None,
            settings or {},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            "This is not the folder of a finished training.",
            file=lora_dir,
            found=repr(error),
            expected="index.json with its epochs, and logs of numbers",
            setting="remove the folder and run the training again",
        ) from error


def read_pick(path: Path) -> Pick:
    """Read the JSON of pick_epoch.

    Raises:
        UserError: missing or not of this kind.
    """
    found = _read(path, "remove the file, it is made again")
    try:
        pick = Pick(
            int(found["epoch"]), float(found["weight"]), found["verdict"], str(found["reason"]), list(found["rows"])
        )
        if pick.verdict not in VERDICTS or not all({"epoch", "weight"} <= row.keys() for row in pick.rows):
            raise ValueError(f"verdict {pick.verdict!r}")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            "This is not a pick.",
            file=path,
            found=repr(error),
            expected="epoch, weight, verdict, reason and rows",
            setting="remove the file, it is made again",
        ) from error
    return pick


def cell_text(path: Path) -> tuple[str, str]:
    """The webui's text in a cell's PNG: the prompt, and the rest of it."""
    text = pngtext.read_text(path.read_bytes())
    prompt, _, _ = pngtext.read_parameters(text)
    return prompt, text[len(prompt) :].strip("\n")


def _saved(folder: Path, entry: Mapping[str, object]) -> Saved:
    file = folder / entry["file"]
    return Saved(entry["epoch"], file, entry["sha256"], lora_digest(file)[1])


def _read(path: Path, mend: str) -> dict:
    try:
        return read_json(path)
    except (OSError, ValueError) as error:
        raise UserError(
            "This file is missing or damaged.", file=path, found=error, expected="JSON", setting=mend
        ) from error
