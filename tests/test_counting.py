"""The table of image passes and optimizer steps."""

from __future__ import annotations

import pytest
from rawfolder import picture

from loramake.counting import COLUMNS, as_text, count_steps
from loramake.errors import UserError
from loramake.tables import read_table

BUCKETS = {
    "resolution": 64, "enable_bucket": True, "min_bucket_reso": 32, "max_bucket_reso": 128, "bucket_reso_steps": 32,
    "bucket_no_upscale": False,
}  # fmt: skip


@pytest.fixture
def dataset(tmp_path):
    """Three squares and a tall picture at 3 repeats, one square at 5."""
    for folder, sizes in {"3_shim": [(64, 64), (200, 200), (50, 50), (40, 120)], "5_shim_good": [(64, 64)]}.items():
        (tmp_path / "dataset" / folder).mkdir(parents=True)
        for number, size in enumerate(sizes):
            picture(number, size).save(tmp_path / "dataset" / folder / f"{number}.png")
    return tmp_path / "dataset"


def test_passes_and_steps_of_folders_and_buckets(dataset, tmp_path, capsys):
    count_steps(dataset, tmp_path / "steps.tsv", **BUCKETS, train_batch_size=4, max_train_epochs=10)
    assert read_table(tmp_path / "steps.tsv", COLUMNS) == [
        ["folder", "3_shim", "4", "3", "12", "", ""],
        ["folder", "5_shim_good", "1", "5", "5", "", ""],
        ["bucket", "32x96", "1", "", "3", "1", ""],
        ["bucket", "64x64", "4", "", "14", "4", ""],
        ["epoch", "batches of 4", "5", "", "17", "5", "5"],
        ["in all", "10 epochs", "5", "", "170", "", "50"],
    ]
    assert "in all" in capsys.readouterr().out


def test_the_steps_are_those_of_training(dataset, tmp_path):
    from loramake.buckets import assign, make_buckets
    from loramake.images import read_header
    from loramake.trainset import epoch_batches, read_pictures

    plan = count_steps(dataset, tmp_path / "steps.tsv", **BUCKETS, train_batch_size=4, max_train_epochs=1)
    pictures, listed = read_pictures(dataset), make_buckets((64, 64), 32, 128, 32)
    placed = [
        assign(read_header(each.path).size, resolution=(64, 64), min_reso=32, max_reso=128, step=32, enable_bucket=True,
               no_upscale=False, buckets=listed).bucket
        for each in pictures
    ]  # fmt: skip
    batches = epoch_batches(placed, [each.repeats for each in pictures], batch_size=4, seed=1, epoch=1)
    assert (plan.steps, plan.passes) == (len(batches), sum(map(len, batches)))


@pytest.mark.parametrize(
    ("changes", "epoch", "in_all"),
    [
        ({"gradient_accumulation_steps": 2}, ["17", "5", "3"], ["170", "", "30"]),
        ({"gradient_accumulation_steps": 2, "num_processes": 3}, ["17", "5", "1"], ["170", "", "10"]),
        ({"max_train_steps": 7}, ["17", "5", "5"], ["24", "", "7"]),
    ],
)
def test_an_optimizer_step_of_several_batches(dataset, tmp_path, changes, epoch, in_all):
    options = {"train_batch_size": 4, "max_train_epochs": 10, **changes}
    count_steps(dataset, tmp_path / "steps.tsv", **BUCKETS, **options)
    rows = {row[0]: row for row in read_table(tmp_path / "steps.tsv", COLUMNS)}
    assert rows["epoch"][4:] == epoch and rows["in all"][4:] == in_all


def test_held_out_pictures_are_not_counted_and_those_of_the_class_are(dataset, tmp_path):
    options = {**BUCKETS, "train_batch_size": 1, "max_train_epochs": 1}
    plain = count_steps(dataset, tmp_path / "steps.tsv", **options)
    # five pictures of which some may be alike in content
    held = count_steps(dataset, tmp_path / "steps.tsv", **options, validation_split=0.5, seed=1)
    assert 2 <= sum(folder.pictures for folder in held.folders) < 5 and held.passes < plain.passes
    reg = tmp_path / "reg/1_girl"
    reg.mkdir(parents=True)
    picture(9, (64, 64)).save(reg / "1.png")
    both = count_steps(dataset, tmp_path / "steps.tsv", **options, reg_dir=tmp_path / "reg")
    assert both.total_steps == 2 * plain.total_steps


def test_a_picture_that_fits_no_bucket_is_named(dataset, tmp_path):
    picture(1, (500, 20)).save(dataset / "3_shim/9.png")
    with pytest.raises(UserError, match="9.png"):
        count_steps(
            dataset, tmp_path / "t.tsv", **BUCKETS | {"bucket_no_upscale": True}, train_batch_size=1, max_train_epochs=1
        )


def test_columns_are_aligned():
    assert as_text([["a", "bb", "n"], ["ccc", "d", "100"]]) == "a    bb    n\nccc  d   100"
