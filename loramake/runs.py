"""Training runs kept by what they are made of: a run's folder, index and links; no torch."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loramake.files import hash_file, link_or_copy, read_json, to_json, write_text

INDEX = "index.json"
LOSS_LOG = "loss.tsv"
LOSS_COLUMNS = "step\tepoch\tloss\ttext_encoder_lr\tunet_lr\tgrad_norm"
VALIDATION_LOG = "validation.tsv"
VALIDATION_COLUMNS = "step\tepoch\tvalidation_loss"
PLOT = "loss.png"
TITLE = "title.txt"


@dataclass(frozen=True)
class EpochFile:
    """One saved epoch: its number, file name and SHA-256."""

    epoch: int
    file: str
    sha256: str


@dataclass(frozen=True)
class Run:
    """The folder of one run: `{runs_dir}/{fingerprint}`."""

    folder: Path
    fingerprint: str

    @property
    def loss_log(self) -> Path:
        return self.folder / LOSS_LOG

    @property
    def validation_log(self) -> Path:
        return self.folder / VALIDATION_LOG

    @property
    def plot(self) -> Path:
        """Picture of both logs."""
        return self.folder / PLOT

    @property
    def events(self) -> Path:
        """Folder of TensorBoard's event files."""
        return self.folder / "events"

    def epoch_path(self, name: str, epoch: int) -> Path:
        """Where an epoch's LoRA lies."""
        return self.folder / f"{name}-{epoch:06d}.safetensors"

    def claim_title(self, title: str, legacy: str) -> str:
        """What the names of this run's files begin with: the title of who trains first, kept when it is resumed.

        Args:
            title: of who trains now.
            legacy: the title of runs that noted none.
        """
        note = self.folder / TITLE
        if note.is_file():
            return note.read_text(encoding="utf-8").strip()
        begun = any(self.folder.glob("*.safetensors"))
        if title != legacy and not begun:
            write_text(note, f"{title}\n")
            return title
        return legacy

    def titled(self, title: str) -> Path | None:
        """The folder with index and LoRA files of a title: the run's own, or one beside; None where there is none."""
        beside = self.folder / "titled" / title
        for folder in (self.folder, beside):
            if (folder / INDEX).is_file():
                names = [entry["file"] for entry in read_json(folder / INDEX)["epochs"]]
                if all(file_title(name) == title and (folder / name).is_file() for name in names):
                    return folder
        return None

    def is_finished(self) -> bool:
        """Whether all files that the index names are there."""
        try:
            epochs = read_json(self.folder / INDEX)["epochs"]
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return self.loss_log.is_file() and all((self.folder / entry["file"]).is_file() for entry in epochs)

    def finish(self, paths: Sequence[tuple[int, Path]], *, image_passes: int, optimizer_steps: int) -> None:
        """Write the index: from now on the run counts as finished."""
        epochs = [{"epoch": epoch, "file": path.name, "sha256": hash_file(path)} for epoch, path in paths]
        counts = {"image_passes": image_passes, "optimizer_steps": optimizer_steps}
        write_text(self.folder / INDEX, to_json({"epochs": epochs, "fingerprint": self.fingerprint, **counts}))
        self.drop_states()

    def drop_states(self) -> None:
        """Remove the states of a finished run: large, and of no more use."""
        for path in self.folder.glob("state-*.safetensors"):
            path.unlink()

    def note_work(self, what: str, optimizer_steps: int) -> None:
        """Append a line to work.tsv: time, what was done, optimizer steps really taken."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        with open(self.folder / "work.tsv", "a", encoding="utf-8") as log:
            log.write(f"{stamp}\t{what}\t{optimizer_steps}\n")

    def link_into(self, out_dir: Path, shown: Path | None = None) -> None:
        """Make `out_dir` show the finished run: epochs, logs, plot, TensorBoard's events; the index goes last.

        Args:
            shown: folder with index and epochs, from `titled`; None for the run's own.
        """
        out_dir, shown = Path(out_dir), shown or self.folder
        out_dir.mkdir(parents=True, exist_ok=True)
        index = read_json(shown / INDEX)
        sources = [shown / entry["file"] for entry in index["epochs"]] + [self.loss_log]
        sources += [path for path in (self.validation_log, self.plot) if path.is_file()]
        sources += [*sorted(self.events.glob("events.out.*")), shown / INDEX]
        names = [path.name for path in sources]
        for path in out_dir.iterdir():
            if path.is_file() and path.name not in names and path.name != ".snakemake_timestamp":
                path.unlink()
        for path in sources:
            link_or_copy(path, out_dir / path.name)


def file_title(file: str) -> str:
    """What a LoRA file's name begins with, before the epoch."""
    return Path(file).stem.rpartition("-")[0]


def read_rows(path: Path, epochs: int) -> list[str]:
    """The rows of a log up to and including an epoch; none where the log is missing."""
    if not path.is_file():
        return []
    rows = path.read_text(encoding="utf-8").splitlines()[1:]
    return [row for row in rows if int(row.split("\t")[1]) <= epochs]


def write_rows(path: Path, columns: str, rows: Sequence[str]) -> None:
    """Write a log (tab-separated, see LOSS_COLUMNS and VALIDATION_COLUMNS) atomically."""
    write_text(path, "\n".join([columns, *rows]) + "\n")


def now() -> float:
    """Seconds since 1970; SOURCE_DATE_EPOCH where it is set, so that files can be made byte-identical."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH")
    return float(int(fixed)) if fixed else time.time()
