"""Cleaned pictures: what is changed, what stays byte for byte, and what is not done twice."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from rawfolder import picture, write_raw

from loramake import cleaning
from loramake.cleaning import Change, clean_images, read_changes
from loramake.errors import UserError
from loramake.files import hash_file
from loramake.screening import COLUMNS
from loramake.tables import write_table

SETTINGS = {"max_aspect": 3.0, "alpha_visible_share": 0.001, "jpeg_quality": 95}


def clean(tmp_path, files, edits="", keep=None, **settings):
    manifest = write_raw(tmp_path / "raw", files)
    (tmp_path / "edits.yaml").write_text(edits, encoding="utf-8")
    kept = keep or sorted(path.name for path in (tmp_path / "raw").iterdir())
    write_table(tmp_path / "s.tsv", COLUMNS, [(name, "keep", "", "") for name in kept])
    paths = (manifest, tmp_path / "s.tsv", tmp_path / "edits.yaml", tmp_path / "clean", tmp_path / "cache")
    return clean_images(*paths, **{**SETTINGS, **settings})


def results(tmp_path) -> set[str]:
    return {path.name for path in (tmp_path / "clean").iterdir()} - {"changes.tsv"}


def pixels(tmp_path, name) -> np.ndarray:
    return np.asarray(Image.open(tmp_path / "clean" / name))


@pytest.mark.parametrize("threads", [1, 3])
def test_untouched_pictures_keep_their_bytes(tmp_path, threads):
    files = {"1.png": picture(1), "2.jpg": picture(2), "3.webp": picture(3), "4.JPEG": picture(4)}
    files["5.png"] = Image.new("RGBA", (30, 30), (9, 9, 9, 255))
    assert set(clean(tmp_path, files, threads=threads).values()) == {()}
    assert results(tmp_path) == {"1.png", "2.jpg", "3.webp", "4.jpg", "5.png"}
    for name in files:
        raw, made = tmp_path / "raw" / name, tmp_path / "clean" / name.replace("JPEG", "jpg")
        assert raw.read_bytes() == made.read_bytes()
        # a link would let a later tool write into the downloads
        assert not raw.samefile(made)
    assert read_changes(tmp_path / "clean") == {}


def test_transparency_goes_onto_white(tmp_path):
    palette = Image.new("P", (20, 20), 1)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette.paste(0, (0, 0, 10, 20))
    palette.info["transparency"] = 0
    done = clean(tmp_path, {"1.png": picture(1, mode="RGBA"), "2.png": palette})
    assert [change.change for changes in done.values() for change in changes] == ["alpha", "alpha"]
    assert pixels(tmp_path, "2.png")[0, 0].tolist() == [255, 255, 255]
    assert pixels(tmp_path, "2.png")[0, 15].tolist() == [255, 0, 0]
    assert pixels(tmp_path, "1.png").shape == (96, 72, 3)


def test_alpha_nobody_sees_is_no_transparency(tmp_path):
    image = Image.new("RGBA", (100, 100), (5, 6, 7, 255))
    image.putpixel((0, 0), (0, 0, 0, 0))
    assert clean(tmp_path, {"1.png": image}) == {"1.png": ()}
    assert [each.change for each in clean(tmp_path, {"1.png": image}, alpha_visible_share=1e-4)["1.png"]] == ["alpha"]


def test_strips_are_cropped_around_their_content(tmp_path):
    wide = Image.new("RGB", (500, 100), "white")
    ImageDraw.Draw(wide).rectangle((400, 20, 480, 80), fill="red")
    tall = Image.new("RGB", (100, 401), (10, 200, 10))
    ImageDraw.Draw(tall).rectangle((20, 30, 80, 60), fill="red")
    done = clean(tmp_path, {"1.png": wide, "2.png": tall, "3.png": Image.new("RGB", (10, 90), "white")})
    assert [len(changes) for changes in done.values()] == [1, 1, 1]
    assert [pixels(tmp_path, f"{number}.png").shape[:2] for number in (1, 2, 3)] == [(100, 300), (300, 100), (30, 10)]
    for number in (1, 2):
        red = (pixels(tmp_path, f"{number}.png") == [255, 0, 0]).all(axis=2).sum()
        assert red == (81 * 61 if number == 1 else 61 * 31)


def test_orientation_and_formats(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 8
    folder = tmp_path / "raw"
    folder.mkdir()
    picture(1, (60, 40)).save(folder / "1.jpg", exif=exif)
    picture(2).save(folder / "2.bmp")
    picture(3).save(folder / "3.gif", save_all=True, append_images=[picture(4)])
    picture(5).save(folder / "4.jpg", format="PNG")
    done = clean(tmp_path, {})
    assert results(tmp_path) == {"1.jpg", "2.png", "3.png", "4.png"}
    assert pixels(tmp_path, "1.jpg").shape == (60, 40, 3)
    assert not Image.open(tmp_path / "clean" / "1.jpg").getexif()
    assert np.array_equal(pixels(tmp_path, "2.png"), np.asarray(picture(2)))
    assert done["4.jpg"] == ()


def test_hand_made_crops_and_boxes(tmp_path):
    image = Image.new("RGB", (100, 80), (200, 220, 240))
    ImageDraw.Draw(image).rectangle((60, 10, 90, 30), fill="black")
    done = clean(tmp_path, {"1.png": image}, "files: {1.png: {paint: [[58, 8, 93, 33]], crop: [10, 0, 100, 80]}}")
    assert [each.change for each in done["1.png"]] == ["paint", "crop"]
    assert pixels(tmp_path, "1.png").shape == (80, 90, 3)
    assert (pixels(tmp_path, "1.png") == [200, 220, 240]).all()


def test_boxes_on_busy_ground_continue_it(tmp_path):
    ramp = np.tile(np.linspace(0, 255, 120, dtype=np.uint8)[None, :, None], (90, 1, 3))
    image = Image.fromarray(ramp)
    ImageDraw.Draw(image).rectangle((40, 30, 79, 59), fill="red")
    clean(tmp_path, {"1.png": image}, "files: {1.png: {paint: [[38, 28, 82, 62]]}}")
    assert np.abs(pixels(tmp_path, "1.png").astype(int) - ramp).mean() < 4
    whole = "files: {1.png: {paint: [[0, 0, 120, 90]]}}"
    clean(tmp_path, {"1.png": image}, whole)


@pytest.mark.parametrize("edit", ["crop: [0, 0, 73, 96]", "paint: [[0, 90, 10, 97]]"])
def test_boxes_outside_are_refused(tmp_path, edit):
    with pytest.raises(UserError) as caught:
        clean(tmp_path, {"1.png": picture(1)}, f"files: {{1.png: {{{edit}}}}}")
    assert "72x96" in str(caught.value)


def test_only_stale_pictures_are_worked_on(tmp_path, monkeypatch):
    files = {f"{number}.png": picture(number) for number in range(1, 5)} | {"5.png": picture(5, (300, 60))}
    clean(tmp_path, files)
    worked = []
    plain = cleaning._clean
    monkeypatch.setattr(cleaning, "_clean", lambda path, *a, **k: worked.append(path.name) or plain(path, *a, **k))
    os.utime(tmp_path / "raw" / "1.png")
    assert clean(tmp_path, {})["5.png"][0].change == "aspect"
    assert worked == []
    clean(tmp_path, {"2.png": picture(20)})
    assert worked == ["2.png"]
    clean(tmp_path, {}, edits="files: {3.png: {crop: [0, 0, 40, 40]}}")
    assert worked == ["2.png", "3.png"]
    clean(tmp_path, {}, keep=["1.png", "5.png"])
    assert worked == ["2.png", "3.png"]
    assert results(tmp_path) == {"1.png", "5.png"}
    assert len([path for path in (tmp_path / "cache").iterdir() if path.suffix == ".png"]) == 2
    clean(tmp_path, {}, keep=["1.png"], max_aspect=2.0)
    assert worked[2:] == ["1.png"]


def test_a_half_written_cache_is_not_believed(tmp_path):
    clean(tmp_path, {"1.png": picture(1, (300, 60))})
    for file in (tmp_path / "cache").glob("*-*.json"):
        file.write_text("[")
    assert clean(tmp_path, {}) == {"1.png": (Change("aspect", "300x60 to 180x60, [106, 0, 286, 60]"),)}


def test_raw_files_are_never_written_to(tmp_path):
    files = {"1.png": picture(1, mode="RGBA"), "2.jpg": picture(2, (300, 50)), "3.png": picture(3)}
    write_raw(tmp_path / "raw", files)
    for path in (tmp_path / "raw").iterdir():
        path.chmod(0o444)
    (tmp_path / "raw").chmod(0o555)
    before = {path.name: (hash_file(path), path.stat().st_mtime_ns) for path in (tmp_path / "raw").iterdir()}
    clean(tmp_path, {}, edits="files: {3.png: {paint: [[1, 1, 20, 20]]}}")
    assert before == {path.name: (hash_file(path), path.stat().st_mtime_ns) for path in (tmp_path / "raw").iterdir()}
    (tmp_path / "raw").chmod(0o755)


def test_a_vanished_picture_is_named(tmp_path):
    clean(tmp_path, {"1.png": picture(1), "2.png": picture(2)})
    Path(tmp_path / "raw" / "2.png").unlink()
    with pytest.raises(UserError, match="2.png"):
        clean(tmp_path, {}, keep=["1.png", "2.png"])
