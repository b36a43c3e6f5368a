"""Regularisation pictures in kohya's layout."""

from __future__ import annotations

import pytest
from PIL import Image
from rawfolder import picture, write_raw

from loramake.errors import UserError
from loramake.files import hash_file
from loramake.regularisation import build_regularisation
from loramake.trainset import read_pictures

FILES = {
    "1.png": picture(1), "1.txt": "1girl, long_hair, highres",
    "2.jpg": picture(2),
    "3.bmp": picture(3),
    "4.png": picture(4, mode="RGBA"),
    "5.png": b"broken",
    "6.png": picture(6), "6.txt": "loli, smile",
    "2.png": picture(7), "2.txt": "other",
    "notes.md": "x",
}  # fmt: skip


def test_pictures_and_captions(tmp_path):
    manifest = write_raw(tmp_path / "reg", FILES)
    before = {path.name: hash_file(path) for path in (tmp_path / "reg").iterdir()}
    left_out = build_regularisation(manifest, tmp_path / "out", reg_class="1girl", reg_repeats=2, threads=2)
    assert set(left_out) == {"5.png", "6.png", "2.png"}
    folder = tmp_path / "out/2_1girl"
    assert {path.name for path in folder.iterdir()} == {"1.png", "1.txt", "2.jpg", "2.txt", "3.png", "4.png"}
    assert (folder / "1.txt").read_text() == "1girl, long hair\n"
    with Image.open(folder / "4.png") as flat:
        assert flat.mode == "RGB"
    # as training reads them: those without tags have the class as caption
    assert [(each.caption, each.repeats) for each in read_pictures(tmp_path / "out")] == [
        ("1girl, long hair", 2), ("other", 2), ("1girl", 2), ("1girl", 2)
    ]  # fmt: skip
    assert {path.name: hash_file(path) for path in (tmp_path / "reg").iterdir()} == before
    assert not (folder / "1.png").samefile(tmp_path / "reg/1.png")


def test_another_class_replaces_the_folder(tmp_path):
    manifest = write_raw(tmp_path / "reg", {"1.png": picture(1)})
    for word in ("1girl", "1boy"):
        build_regularisation(manifest, tmp_path / "out", reg_class=word, reg_repeats=1)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["1_1boy"]


def test_nothing_usable_is_refused(tmp_path):
    manifest = write_raw(tmp_path / "reg", {"5.png": b"broken"})
    with pytest.raises(UserError, match="reg_dir"):
        build_regularisation(manifest, tmp_path / "out", reg_class="1girl", reg_repeats=1)
    assert not (tmp_path / "out").exists()
    with pytest.raises(UserError, match="reg_class"):
        build_regularisation(manifest, tmp_path / "out", reg_class="a?", reg_repeats=1)
