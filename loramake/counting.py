"""The table of how long a training will be: image passes by folder, batches by bucket, an epoch and in all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loramake.buckets import listed_buckets, square_options
from loramake.files import hash_file
from loramake.placing import place_picture
from loramake.tables import write_table
from loramake.trainplan import TrainPlan, make_plan
from loramake.trainset import Picture, hold_out, read_class_pictures, read_pictures, share_showings

COLUMNS = ("part", "name", "pictures", "repeats", "image passes", "batches", "optimizer steps")


def count_steps(
    dataset_dir: Path,
    out_tsv: Path,
    *,
    resolution: int,
    enable_bucket: bool,
    min_bucket_reso: int,
    max_bucket_reso: int,
    bucket_reso_steps: int,
    bucket_no_upscale: bool,
    train_batch_size: int,
    max_train_epochs: int,
    gradient_accumulation_steps: int = 1,
    num_processes: int = 1,
    max_train_steps: int = 0,
    validation_split: float = 0.0,
    seed: int = 0,
    reg_dir: Path | None = None,
) -> TrainPlan:
    """Write and print the table of a dataset.

    Args:
        dataset_dir: holds the `N_name` folders.
        out_tsv: gets a row for each folder and bucket, one for an epoch and one for the whole training.
        resolution: side of the square whose area pictures train at, pixels; the other bucket settings as in
            `buckets.assign`.
        train_batch_size: pictures of a batch.
        max_train_epochs: epochs of the training.
        gradient_accumulation_steps, num_processes: batches of an optimizer step, multiplied.
        max_train_steps: optimizer steps of the training instead of max_train_epochs; 0 = by epochs.
        validation_split, seed: share of the pictures that is held out, and what chooses them.
        reg_dir: holds the `N_class` folders of regularisation pictures, where there are any.

    Raises:
        UserError: no pictures, or one that fits no bucket.
    """
    options = square_options(
        resolution, enable_bucket, min_bucket_reso, max_bucket_reso, bucket_reso_steps, bucket_no_upscale
    )
    placing = {**options, "buckets": listed_buckets(options)}
    pictures = _pictures_of_training(dataset_dir, reg_dir, validation_split, seed)
    shown = [(each.folder, each.repeats, place_picture(each.path, placing)[1].bucket) for each in pictures]
    plan = make_plan(
        shown,
        train_batch_size,
        max_train_epochs,
        batches_per_step=gradient_accumulation_steps * num_processes,
        max_steps=max_train_steps,
    )
    rows = table_rows(plan)
    write_table(out_tsv, COLUMNS, rows)
    print(as_text([COLUMNS, *rows]))
    return plan


def _pictures_of_training(dataset_dir: Path, reg_dir: Path | None, split: float, seed: int) -> list[Picture]:
    """What an epoch shows: without the pictures held out, with as many showings of the class as of the character."""
    pictures = read_pictures(dataset_dir)
    apart = hold_out([hash_file(each.path) for each in pictures], split, seed) if split else set()
    pictures = [each for place, each in enumerate(pictures) if place not in apart]
    classes = read_class_pictures(reg_dir) if reg_dir else []
    return pictures + share_showings(classes, sum(each.repeats for each in pictures))


def table_rows(plan: TrainPlan) -> list[list[str]]:
    """The rows of the table, under COLUMNS; a cell that says nothing is empty."""
    rows = [
        ["folder", each.name, str(each.pictures), str(each.repeats), str(each.passes), "", ""] for each in plan.folders
    ]
    for each in plan.buckets:
        name = f"{each.size[0]}x{each.size[1]}"
        rows.append(["bucket", name, str(each.pictures), "", str(each.passes), str(each.batches), ""])
    pictures = str(sum(each.pictures for each in plan.folders))
    grouped = f", {plan.batches_per_step} a step" if plan.batches_per_step > 1 else ""
    counts = [str(plan.passes), str(plan.batches), str(plan.steps)]
    rows.append(["epoch", f"batches of {plan.batch_size}{grouped}", pictures, "", *counts])
    return [*rows, ["in all", f"{plan.epochs} epochs", pictures, "", str(plan.total_passes), "", str(plan.total_steps)]]


def as_text(rows: Sequence[Sequence[str]]) -> str:
    """Rows as lines of aligned columns, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        names = [cell.ljust(width) for cell, width in zip(row[:2], widths, strict=False)]
        numbers = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        lines.append("  ".join(names + numbers).rstrip())
    return "\n".join(lines)
