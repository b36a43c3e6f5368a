"""Manifests change when a file is added, removed, edited or replaced, and not otherwise."""

from __future__ import annotations

import os

import pytest

from loramake import manifest
from loramake.errors import UserError


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    for name in ("1.jpg", "1.txt", "2.png", "10.png"):
        (folder / name).write_text(name, encoding="utf-8")
    return folder


def test_files_come_in_natural_order_and_hidden_ones_not_at_all(raw):
    (raw / ".hidden").touch()
    (raw / "folder").mkdir()
    assert [entry.name for entry in manifest.scan(raw)] == ["1.jpg", "1.txt", "2.png", "10.png"]


def test_mixed_names_sort():
    assert sorted(["b", "a10", "10", "a2", "2", "²", "a"], key=manifest.natural_key) == [
        "2",
        "10",
        "a",
        "a2",
        "a10",
        "b",
        "²",
    ]


def add(raw):
    (raw / "3.jpg").touch()


def remove(raw):
    (raw / "1.txt").unlink()


def edit(raw):
    (raw / "1.txt").write_text("other", encoding="utf-8")


def replace_by_older(raw):
    os.utime(raw / "1.txt", (1, 1))


@pytest.mark.parametrize("change", [add, remove, edit, replace_by_older])
def test_changes_show(raw, change):
    before = manifest.raw_text(str(raw), "shim")
    assert manifest.raw_text(str(raw), "shim") == before
    change(raw)
    assert manifest.raw_text(str(raw), "shim") != before


def test_manifest_reads_back(raw, tmp_path):
    path = tmp_path / "shim.json"
    path.write_text(manifest.raw_text(str(raw), "shim"), encoding="utf-8")
    assert manifest.read(path) == (raw, manifest.scan(raw))


def test_missing_and_empty_folders_name_the_setting(tmp_path):
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(UserError, match=r"characters\.shim\.raw_dir"):
            manifest.raw_text(str(folder), "shim")


def test_models_are_files_or_folders_and_must_be_there(raw):
    assert '"1.jpg"' in manifest.model_text(str(raw / "1.jpg"), "base_model")
    assert manifest.model_text(str(raw), "vae").count("\n") > 4
    for path in ("", str(raw / "none.safetensors")):
        with pytest.raises(UserError, match="base_model"):
            manifest.model_text(path, "base_model")


def test_large_manifests_keep_snakemakes_checksums(tmp_path):
    entries = [manifest.Entry(f"{number}.jpg", 123456, 1700000000123456789) for number in range(8000)]
    assert len(manifest.to_text({"raw_dir": "raw/shim"}, entries).encode()) < 1_000_000


def test_files_in_one_subfolder_are_found_there(tmp_path):
    inner = tmp_path / "gallery-dl" / "danbooru" / "shimakaze"
    inner.mkdir(parents=True)
    (inner / "1.jpg").touch()
    path = tmp_path / "m.json"
    path.write_text(manifest.raw_text(str(tmp_path / "gallery-dl"), "shim"), encoding="utf-8")
    folder, entries = manifest.read(path)
    assert (folder, [entry.name for entry in entries]) == (inner, ["1.jpg"])


def test_files_in_several_subfolders_are_refused_by_name(tmp_path):
    for name in ("3_good", "1_bad"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").touch()
    with pytest.raises(UserError, match="1_bad, 3_good"):
        manifest.raw_text(str(tmp_path), "shim")


def test_a_subfolder_beside_files_is_listed(raw):
    (raw / "more").mkdir()
    (raw / "more" / "3.jpg").touch()
    assert [entry.name for entry in manifest.scan(raw)] == ["1.jpg", "1.txt", "2.png", "10.png", "more/"]
