"""The table of how long a training will be: image passes by folder, optimizer steps by bucket, an epoch and in all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loramake.buckets import listed_buckets, square_options
from loramake.placing import place_picture
from loramake.tables import write_table
from loramake.trainplan import TrainPlan, make_plan
from loramake.trainset import read_pictures

COLUMNS = ("part", "name", "pictures", "repeats", "image passes", "optimizer steps")


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
) -> TrainPlan:
    """Write and print the table of a dataset.

    Args:
        dataset_dir: holds the `N_name` folders.
        out_tsv: gets a row for each folder and bucket, one for an epoch and one for the whole training.
        resolution: side of the square whose area pictures train at, pixels; the other bucket settings as in
            `buckets.assign`.
        train_batch_size: pictures of an optimizer step.
        max_train_epochs: epochs of the training.

    Raises:
        UserError: no pictures, or one that fits no bucket.
    """
    options = square_options(
        resolution, enable_bucket, min_bucket_reso, max_bucket_reso, bucket_reso_steps, bucket_no_upscale
    )
    placing = {**options, "buckets": listed_buckets(options)}
    pictures = read_pictures(dataset_dir)
    shown = [(each.folder, each.repeats, place_picture(each.path, placing)[1].bucket) for each in pictures]
    plan = make_plan(shown, train_batch_size, max_train_epochs)
    rows = table_rows(plan)
    write_table(out_tsv, COLUMNS, rows)
    print(as_text([COLUMNS, *rows]))
    return plan


def table_rows(plan: TrainPlan) -> list[list[str]]:
    """The rows of the table, under COLUMNS; a cell that says nothing is empty."""
    rows = [["folder", each.name, str(each.pictures), str(each.repeats), str(each.passes), ""] for each in plan.folders]
    for each in plan.buckets:
        name = f"{each.size[0]}x{each.size[1]}"
        rows.append(["bucket", name, str(each.pictures), "", str(each.passes), str(each.steps)])
    pictures = str(sum(each.pictures for each in plan.folders))
    rows.append(["epoch", f"batches of {plan.batch_size}", pictures, "", str(plan.passes), str(plan.steps)])
    passes, steps = str(plan.passes * plan.epochs), str(plan.steps * plan.epochs)
    return [*rows, ["in all", f"{plan.epochs} epochs", pictures, "", passes, steps]]


def as_text(rows: Sequence[Sequence[str]]) -> str:
    """Rows as lines of aligned columns, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        names = [cell.ljust(width) for cell, width in zip(row[:2], widths, strict=False)]
        numbers = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        lines.append("  ".join(names + numbers).rstrip())
    return "\n".join(lines)
