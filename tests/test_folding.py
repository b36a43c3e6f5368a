"""The folder kohya's trainer reads."""

from __future__ import annotations

import os

import pytest
from rawfolder import picture

from loramake.errors import UserError
from loramake.folding import build_dataset


@pytest.fixture
def stages(tmp_path):
    clean, tags = tmp_path / "clean", tmp_path / "tags"
    clean.mkdir()
    tags.mkdir()
    for number in (1, 2, 10):
        picture(number, (8, 8)).save(clean / f"{number}.png")
        (tags / f"{number}.txt").write_text("shim, 1girl\n")
    (clean / "changes.tsv").write_text("file\tchange\tdetail\n")
    return clean, tags, tmp_path / "dataset" / "x"


def build(stages, trigger="shim", repeats="auto", target_steps=300, max_train_epochs=10):
    return build_dataset(
        *stages, trigger=trigger, repeats=repeats, target_steps=target_steps, max_train_epochs=max_train_epochs
    )


def test_pairs_in_a_repeat_folder(stages, capsys):
    folder = build(stages)
    assert folder == stages[2] / "10_shim"
    assert {path.name for path in folder.iterdir()} == {f"{n}.{s}" for n in (1, 2, 10) for s in ("png", "txt")}
    assert folder.joinpath("1.png").samefile(stages[0] / "1.png")
    assert "300" in capsys.readouterr().out


def test_another_number_replaces_the_folder(stages):
    build(stages)
    build(stages, repeats=6)
    assert [path.name for path in stages[2].iterdir()] == ["6_shim"]


def test_copies_where_links_fail(stages, monkeypatch):
    def no_links(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    folder = build(stages)
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
