"""Raw folders made of kohya's repeat folders."""

from __future__ import annotations

import pytest
from rawfolder import picture, write_manifest

from loramake.folding import build_dataset
from loramake.gathering import folder_tiers, gather
from loramake.manifest import scan
from loramake.screening import COLUMNS
from loramake.tables import write_table


@pytest.fixture
def raw(tmp_path):
    """6_shim, 3_shim and 2_weak, with the same file names in each."""
    for name in ("6_shim", "3_shim", "2_weak"):
        (tmp_path / "raw" / name).mkdir(parents=True)
        for number in (1, 2):
            picture(number, (20, 24)).save(tmp_path / "raw" / name / f"{number}.png")
            (tmp_path / "raw" / name / f"{number}.txt").write_text(f"1girl, of {name}", encoding="utf-8")
    return tmp_path / "raw"


def test_pictures_of_all_repeat_folders_are_read_under_names_of_their_own(raw, tmp_path):
    folder = tmp_path / "work" / "links"
    assert gather(str(raw), folder) == folder.as_posix()
    names = [
        f"{name}+{number}.{end}"
        for name in ("2_weak", "3_shim", "6_shim")
        for number in (1, 2)
        for end in ("png", "txt")
    ]
    assert [entry.name for entry in scan(folder)] == sorted(names)
    assert (folder / "6_shim+2.txt").read_text(encoding="utf-8") == "1girl, of 6_shim"


def test_what_is_gone_goes_and_what_is_new_comes(raw, tmp_path):
    folder = tmp_path / "links"
    gather(str(raw), folder)
    (raw / "6_shim/1.png").unlink()
    (raw / "6_shim/9.png").write_bytes(b"new")
    gather(str(raw), folder)
    names = {entry.name for entry in scan(folder)}
    assert "6_shim+9.png" in names
    assert "6_shim+1.png" not in names
    assert len(list(raw.rglob("*.*"))) == 12


@pytest.mark.parametrize("extra", ["loose.png", "originals/1.png"])
def test_other_folders_are_left_to_the_ordinary_rules(raw, tmp_path, extra):
    (raw / extra).parent.mkdir(exist_ok=True)
    (raw / extra).write_bytes(b"x")
    assert gather(str(raw), tmp_path / "links") == str(raw)
    assert not (tmp_path / "links").exists()


def test_one_repeat_folder_needs_no_links(raw, tmp_path):
    for name in ("3_shim", "2_weak"):
        (raw / name).rename(tmp_path / name)
    assert gather(str(raw), tmp_path / "links") == str(raw)


def test_their_repeats_weigh_the_pictures(raw, tmp_path):
    folder = tmp_path / "links"
    gather(str(raw), folder)
    names = [entry.name for entry in scan(folder)]
    tiers, weights = folder_tiers(folder, names)
    assert weights == {"x6": 3, "x3": 1.5}
    assert {tiers.get(name, "") for name in names if name.startswith("2_")} == {""}
    pictures = [name for name in names if name.endswith(".png")]
    (tmp_path / "clean").mkdir()
    (tmp_path / "tags").mkdir()
    for name in pictures:
        (tmp_path / "clean" / name).write_bytes(b"")
        (tmp_path / "tags" / name).with_suffix(".txt").write_text("shim", encoding="utf-8")
    write_table(tmp_path / "screen.tsv", COLUMNS, [(name, "keep", "", "") for name in pictures])
    edits = tmp_path / "edits.yaml"
    edits.write_text("files: {6_shim+1.png: {tier: weak}}", encoding="utf-8")
    build_dataset(
        write_manifest(folder), tmp_path / "screen.tsv", tmp_path / "clean", tmp_path / "tags", edits, tmp_path / "dataset",
        trigger="shim", repeats=2, target_steps=1, max_train_epochs=1, tiers={"weak": 0.5},
    )  # fmt: skip
    found = {path.name: len(list(path.glob("*.png"))) for path in (tmp_path / "dataset").iterdir()}
    assert found == {"2_shim": 2, "3_shim_x3": 2, "6_shim_x6": 1, "1_shim_weak": 1}


def test_a_name_that_only_looks_gathered_weighs_nothing(tmp_path):
    (tmp_path / "6_shim+1.png").write_bytes(b"x")
    (tmp_path / "2_shim+1.png").write_bytes(b"x")
    assert folder_tiers(tmp_path, ["6_shim+1.png", "2_shim+1.png"]) == ({}, {})
