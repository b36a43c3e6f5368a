"""All that the dataset stages decided on each raw file, brought together for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from loramake import images
from loramake.buckets import Placement, Size
from loramake.cleaning import Change, read_changes
from loramake.edits import Edit, read_edits
from loramake.errors import UserError
from loramake.placing import place_picture
from loramake.rawfiles import RawFolder, is_picture_name, output_stem, read_raw_folder
from loramake.rawtags import read_raw_tags, read_side_file
from loramake.repairs import boxes_in
from loramake.screening import read_decisions
from loramake.screenrules import Decision
from loramake.trainset import Picture, read_pictures
from loramake.variety import Described, classify, describe


@dataclass(frozen=True)
class Training:
    """How a kept picture is trained.

    Attributes:
        path: the cleaned picture in the dataset.
        folder: its repeat folder, such as 6_shim.
        repeats: times it is shown in an epoch.
        caption: as written.
        size: of the cleaned picture, pixels.
        placement: how it is fitted into its bucket.
        classes: what its tags say of it before junk is dropped, from `variety.classify`.
    """

    path: Path
    folder: str
    repeats: int
    caption: str
    size: Size
    placement: Placement
    classes: Mapping[str, Sequence[str]]

    @property
    def window(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom (0…1 of the picture) of what training sees."""
        (left, top), (width, height) = self.placement.crop_offset, self.placement.bucket
        across, down = self.placement.resized
        return left / across, top / down, (left + width) / across, (top + height) / down

    @property
    def lost(self) -> float:
        """Share (0…1) of the picture that is cut off to fit its bucket."""
        left, top, right, bottom = self.window
        return max(0.0, 1 - (right - left) * (bottom - top))

    @property
    def strips(self) -> list[tuple[float, float, float, float]]:
        """What is cut off: left, top, width, height of each strip, 0…1 of the picture."""
        left, top, right, bottom = self.window
        sides = [(0, 0, 1, top), (0, bottom, 1, 1 - bottom), (0, top, left, bottom - top)]
        sides.append((right, top, 1 - right, bottom - top))
        return [side for side in sides if side[2] > 1e-6 and side[3] > 1e-6]

    @property
    def scale(self) -> float:
        """Training size / picture size; above 1 the picture is enlarged."""
        return self.placement.resized[0] / self.size[0]


@dataclass(frozen=True)
class Record:
    """One raw file.

    Attributes:
        decision: what screening decided.
        raw: the file, where it is a picture that may be shown.
        changes: what cleaning did to it.
        training: how it is trained; None where it was dropped.
        marks: where cleaning worked on it: "painted" or "kept", and left, top, width, height, 0…1 of the picture.
    """

    decision: Decision
    raw: Path | None
    changes: tuple[Change, ...]
    training: Training | None
    marks: tuple[tuple[str, tuple[float, float, float, float]], ...] = ()

    @property
    def name(self) -> str:
        """Of the raw file."""
        return self.decision.file


def read_dossier(
    manifest: Path,
    screen_tsv: Path,
    edits: Path | None,
    clean_dir: Path,
    dataset_dir: Path,
    autotags: Path | None,
    character: str,
    placing: Mapping[str, object],
) -> list[Record]:
    """A record of each raw file, in natural order.

    Args:
        manifest: the raw folder's manifest.
        screen_tsv: decisions of `screening.screen_images`.
        edits: hand-made edits; may be None or missing.
        clean_dir: output of `cleaning.clean_images`.
        dataset_dir: output of `folding.build_dataset`.
        autotags: folder of `{stem}.txt` with automatic tags; None or missing = no tagger.
        character: her booru tag.
        placing: keyword arguments of `buckets.assign` besides the size.

    Raises:
        UserError: a kept picture is missing from the dataset.
    """
    raw = read_raw_folder(manifest)
    by_hand = read_edits(edits, raw.names)
    changes = read_changes(clean_dir)
    trained = {picture.path.stem: picture for picture in read_pictures(dataset_dir)}
    records = []
    for decision in read_decisions(screen_tsv):
        name, training = decision.file, None
        if decision.keep:
            picture = trained.get(output_stem(name))
            if picture is None:
                raise UserError(
                    "A kept picture is not in the dataset.", file=dataset_dir, found=f"none for {name}",
                    expected="one for each kept picture", setting=f"delete {dataset_dir} and run again",
                )  # fmt: skip
            described = _describe(raw, name, by_hand.get(name, Edit()), autotags)
            training = _training(picture, classify(described, character), placing)
        # what the minors rule dropped is named, never shown
        shown = is_picture_name(name) and decision.rule != "minors"
        path = raw.folder / name if shown else None
        done = tuple(changes.get(name, ()))
        records.append(Record(decision, path, done, training, _marks(done, path) if path else ()))
    return records


def _marks(changes: Sequence[Change], raw: Path) -> tuple[tuple[str, tuple[float, float, float, float]], ...]:
    """What was painted over, and what was kept last of all."""
    painted = [box for each in changes if each.change in ("paint", "text") for box in boxes_in(each.detail)]
    # a crop names first what it kept; each is within the one before
    kept = [boxes_in(each.detail)[:1] for each in changes if each.change in ("crop", "text crop", "aspect")]
    marked = [("painted", box) for box in painted] + [("kept", box) for box in (kept[-1] if kept else [])]
    if not marked:
        return ()
    width, height = images.read_header(raw).size
    return tuple(
        (kind, (left / width, top / height, (right - left) / width, (bottom - top) / height))
        for kind, (left, top, right, bottom) in marked
    )


def _describe(raw: RawFolder, name: str, edit: Edit, autotags: Path | None) -> Described:
    """What tag file, side file and tagger say of a picture, with the hand-made changes."""
    known = read_raw_tags(raw, name, autotags)
    artists: Sequence[str] = ()
    if name in raw.side_files:
        # screening has noted a side file that cannot be read
        with suppress(UserError):
            artists = read_side_file(raw.folder / raw.side_files[name]).categories.get("artist", ())
    return describe(edit.edit_tags(known.tags), artists, known.rating)


def _training(picture: Picture, classes: Mapping[str, Sequence[str]], placing: Mapping[str, object]) -> Training:
    size, placement = place_picture(picture.path, placing)
    return Training(picture.path, picture.folder, picture.repeats, picture.caption, size, placement, classes)
