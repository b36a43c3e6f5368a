"""The folder kohya's trainer reads."""

from __future__ import annotations

import os

import pytest
from rawfolder import picture, write_manifest

from loramake.errors import UserError
from loramake.folding import build_dataset
from loramake.screening import COLUMNS
from loramake.tables import write_table
from loramake.trainset import read_pictures


@pytest.fixture
def stages(tmp_path):
    """Outputs of the stages before: raw, screen, clean and tags of three pictures; the folder to build."""
    clean, tags, raw = tmp_path / "clean", tmp_path / "tags", tmp_path / "raw"
    for folder in (clean, tags, raw):
        folder.mkdir()
    for number in (1, 2, 10):
        picture(number, (8, 8)).save(clean / f"{number}.png")
        picture(number, (8, 8)).save(raw / f"{number}.jpg")
        (tags / f"{number}.txt").write_text("shim, 1girl\n")
    # the twin of 1.jpg, dropped by screening
    picture(1, (8, 8)).save(raw / "1.bmp")
    write_table(tmp_path / "s.tsv", COLUMNS, [[f"{number}.jpg", "keep", "", ""] for number in (1, 2, 10)])
    (clean / "changes.tsv").write_text("file\tchange\tdetail\n")
    return clean, tags, tmp_path / "dataset" / "x"


def build(stages, trigger="shim", repeats="auto", target_steps=300, max_train_epochs=10, edits="", tiers=None):
    clean, tags, out = stages
    house = clean.parent
    (house / "edits.yaml").write_text(edits)
    return build_dataset(
        write_manifest(house / "raw"), house / "s.tsv", clean, tags, house / "edits.yaml", out, trigger=trigger,
        repeats=repeats, target_steps=target_steps, max_train_epochs=max_train_epochs, tiers=tiers or {},
    )  # fmt: skip


def test_pairs_in_a_repeat_folder(stages, capsys):
    (folder,) = build(stages)
    assert folder == stages[2] / "10_shim"
    assert {path.name for path in folder.iterdir()} == {f"{n}.{s}" for n in (1, 2, 10) for s in ("png", "txt")}
    assert folder.joinpath("1.png").samefile(stages[0] / "1.png")
    assert "300" in capsys.readouterr().out


def test_another_number_replaces_the_folder(stages):
    build(stages)
    build(stages, repeats=6)
    assert [path.name for path in stages[2].iterdir()] == ["6_shim"]


TIERS = {"good": 2.0, "weak": 0.5}
EDITS = "files: {1.jpg: {tier: good}, 10.jpg: {tier: weak}, 2.jpg: {tier: normal}}"


def test_tiers_have_folders_and_repeats_of_their_own(stages, capsys):
    build(stages, repeats=6, edits=EDITS, tiers=TIERS)
    assert {path.parent.name: path.stem for path in stages[2].glob("*/*.png")} == {
        "12_shim_good": "1", "6_shim": "2", "3_shim_weak": "10"
    }  # fmt: skip
    assert "21 image passes an epoch, 210 in 10 epochs" in capsys.readouterr().out
    # as training counts them
    assert sorted(picture.repeats for picture in read_pictures(stages[2])) == [3, 6, 12]


def test_equal_repeats_stay_apart(stages):
    build(stages, repeats=1, edits=EDITS, tiers=TIERS)
    assert {path.name for path in stages[2].iterdir()} == {"2_shim_good", "1_shim", "1_shim_weak"}


def test_the_tier_of_a_dropped_picture_is_not_its_twins(stages):
    build(stages, repeats=6, edits="files: {1.bmp: {tier: good}}", tiers=TIERS)
    assert [path.name for path in stages[2].iterdir()] == ["6_shim"]


def test_a_tier_without_weight_is_refused(stages):
    with pytest.raises(UserError, match="dataset.tiers") as caught:
        build(stages, edits="files: {1.jpg: {tier: best}}", tiers=TIERS)
    assert "1.jpg" in str(caught.value) and "good" in str(caught.value)


def test_normal_may_have_a_weight(stages):
    build(stages, repeats=2, tiers={"normal": 3.0})
    assert [path.name for path in stages[2].iterdir()] == ["6_shim"]


def test_copies_where_links_fail(stages, monkeypatch):
    def no_links(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    (folder,) = build(stages)
    assert folder.joinpath("1.png").read_bytes() == stages[0].joinpath("1.png").read_bytes()


@pytest.mark.parametrize("trigger", ["a/b", "a\\b", "", " ", "a,b", "a ", "a.", "a\nb", "what?"])
def test_triggers_that_are_no_folder_name(stages, trigger):
    with pytest.raises(UserError, match="trigger"):
        build(stages, trigger=trigger)


def test_missing_captions_and_pictures(stages):
    (stages[1] / "2.txt").unlink()
    with pytest.raises(UserError, match="2.txt"):
        build(stages)
    for path in stages[0].iterdir():
        path.unlink()
    with pytest.raises(UserError, match="no pictures"):
        build(stages)
    assert not stages[2].exists()
