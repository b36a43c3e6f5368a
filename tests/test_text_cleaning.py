"""Text and bubbles: what is cut off, painted over or left, and what the detector is asked for only once."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from rawfolder import write_raw

from loramake import textboxes
from loramake.cleaning import clean_images
from loramake.errors import UserError
from loramake.screening import COLUMNS
from loramake.tables import write_table
from loramake.textboxes import Line

SKY, HAIR = (150, 190, 230), (220, 60, 90)


def drawing() -> Image.Image:
    """A round head on a plain sky, 300x400."""
    image = Image.new("RGB", (300, 400), SKY)
    ImageDraw.Draw(image).ellipse((80, 120, 220, 330), fill=HAIR, outline="black", width=3)
    return image


def write(image: Image.Image, box: tuple[int, int, int, int]) -> Line:
    """Scratches that stand for a line of letters, and the line a detector would report."""
    pen = ImageDraw.Draw(image)
    for x in range(box[0] + 2, box[2] - 4, 7):
        pen.line((x, box[1] + 3, x + 3, box[3] - 3), fill="black", width=2)
    left, top, right, bottom = box
    return Line(((left, top), (right, top), (right, bottom), (left, bottom)), "text")


def bubble(image: Image.Image, box: tuple[int, int, int, int]) -> Line:
    ImageDraw.Draw(image).ellipse(box, fill="white", outline="black", width=3)
    left, top, right, bottom = box
    return write(image, (left + 18, (top + bottom) // 2 - 9, right - 18, (top + bottom) // 2 + 9))


@pytest.fixture
def house(tmp_path, monkeypatch):
    """Cleans one picture whose lines are known; `asked` lists the pictures the detector saw."""

    class House:
        asked: list = []
        lines: list = []

        def clean(self, image, edits="", **settings):
            manifest = write_raw(tmp_path / "raw", {"1.png": image})
            (tmp_path / "edits.yaml").write_text(edits)
            write_table(tmp_path / "s.tsv", COLUMNS, [("1.png", "keep", "", "")])
            paths = (manifest, tmp_path / "s.tsv", tmp_path / "edits.yaml", tmp_path / "clean", tmp_path / "cache")
            settings = {
                "text": "paint",
                "max_aspect": 3.0,
                "alpha_visible_share": 0.001,
                "jpeg_quality": 95,
                **settings,
            }
            done = clean_images(*paths, sheet=tmp_path / "clean.png", **settings)["1.png"]
            return [each.change for each in done], np.asarray(Image.open(tmp_path / "clean" / "1.png"))

    house = House()
    house.asked, house.sheet = [], tmp_path / "clean.png"
    monkeypatch.setattr(textboxes, "open_detector", lambda: lambda rgb: house.asked.append(rgb) or house.lines)
    return house


def test_a_bubble_goes_with_its_outline_and_nothing_else(house):
    image = drawing()
    house.lines = [bubble(image, (150, 130, 280, 210))]
    changes, pixels = house.clean(image, text_max_share=0.5, text_crop_share=0)
    assert changes == ["text"]
    assert not (pixels[130:210, 150:280] == 255).all(axis=2).any()
    difference = np.abs(pixels.astype(int) - np.asarray(image)).max(axis=2) > 0
    difference[120:220, 140:290] = False
    assert not difference.any()


def test_writing_on_plain_ground_leaves_no_trace(house):
    image = drawing()
    house.lines = [write(image, (60, 60, 160, 84))]
    changes, pixels = house.clean(image, text_crop_share=0)
    assert changes == ["text"]
    assert (pixels[50:95, 50:170] == SKY).all()


def test_at_an_edge_it_is_cut_off_where_that_costs_little(house):
    image = drawing()
    house.lines = [write(image, (180, 378, 280, 396))]
    changes, pixels = house.clean(image, text_crop_share=0.1)
    assert changes == ["text crop"]
    assert np.array_equal(pixels, np.asarray(image)[: pixels.shape[0]])
    assert 360 < pixels.shape[0] < 378
    assert house.clean(image, text_crop_share=0.01)[0] == ["text"]
    # the figure reaches down to the edge
    ImageDraw.Draw(image).rectangle((100, 320, 160, 400), fill=HAIR)
    assert house.clean(image, text_crop_share=0.1)[0] == ["text"]


def test_what_is_small_or_too_much_or_not_wanted_stays(house):
    image = drawing()
    house.lines = [write(image, (60, 60, 160, 84))]
    raw = np.asarray(image)
    assert house.clean(image, text_min_share=0.1)[0] == []
    for settings in ({"text_max_share": 0.01, "text_crop_share": 0}, {"text": "crop", "text_crop_share": 0}):
        changes, pixels = house.clean(image, **settings)
        assert changes == ["left"]
        assert np.array_equal(pixels, raw)
    assert house.clean(image, "files: {1.png: {text: ignore}}")[0] == []
    assert house.clean(image, "files: {1.png: {paint: [[50, 50, 170, 94]]}}")[0] == ["paint"]
    assert house.clean(image, "files: {1.png: {crop: [0, 100, 300, 400]}}")[0] == ["crop"]
    assert house.clean(image, "files: {1.png: {text: paint}}", text="ignore", text_crop_share=0)[0] == ["text"]


def test_a_picture_is_looked_at_once(house):
    image = drawing()
    house.lines = [write(image, (60, 60, 160, 84))]
    house.clean(image)
    house.clean(image, text_min_share=0.3)
    house.clean(image, max_aspect=2.0)
    assert len(house.asked) == 1
    house.clean(image, text="ignore")
    house.clean(drawing())
    assert len(house.asked) == 2


def test_every_change_is_on_the_sheet(house):
    image = drawing()
    house.clean(image, text="ignore")
    empty = Image.open(house.sheet).size
    house.lines = [write(image, (60, 60, 160, 84))]
    house.clean(image, text_crop_share=0)
    with Image.open(house.sheet) as sheet:
        assert sheet.size[1] > empty[1] + 200
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    for colour in (SKY, HAIR):
        assert (np.abs(pixels - colour).max(axis=2) < 10).sum() > 5000


def test_a_missing_detector_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(UserError, match="rapidocr"):
        textboxes.open_detector()


def test_the_real_detector_finds_writing_and_no_drawing():
    pytest.importorskip("rapidocr")
    detect = textboxes.open_detector()
    image = drawing()
    assert detect(np.asarray(image)) == []
    ImageDraw.Draw(image).text((40, 40), "Good morning", "black", ImageFont.load_default(30))
    found = detect(np.asarray(image))
    assert {line.text.lower() for line in found} == {"good morning"}
    assert all(30 <= x <= 250 and 30 <= y <= 90 for line in found for x, y in line.corners)
