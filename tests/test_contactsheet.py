"""The contact sheet of screening, from a dozen files to thousands."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from rawfolder import picture

from loramake import contactsheet
from loramake.contactsheet import Shown, draw_contact_sheet

RULES = ("tags", "too small", "stray")


@pytest.fixture
def previews(tmp_path):
    for name, colour in (("kept", (0, 200, 0)), ("dropped", (200, 0, 200))):
        Image.new("RGB", (90, 256), colour).save(tmp_path / f"{name}.png")
    return tmp_path


def files(folder, kept, dropped):
    found = [Shown(f"{n}.png", True, "", "", folder / "kept.png") for n in range(kept)]
    found += [Shown(f"k{n}.png", False, "tags", "comic", folder / "dropped.png") for n in range(dropped)]
    return [*found, Shown("it's \U0001f600 " + "x" * 200 + ".mp4", False, "stray", "a video\n\t", None)]


def area(path, colour):
    with Image.open(path) as image:
        return int((np.abs(np.asarray(image).astype(int) - colour).max(axis=2) < 12).sum())


def test_every_picture_is_there(previews):
    (page,) = draw_contact_sheet(previews / "x.png", files(previews, 7, 5), RULES)
    side = 208
    each = side * round(90 * side / 256)
    assert area(page, (0, 200, 0)) == pytest.approx(7 * each, rel=0.02)
    assert area(page, (200, 0, 200)) == pytest.approx(5 * each, rel=0.02)


def test_many_files_make_more_pages_that_go_when_no_longer_needed(previews, monkeypatch):
    monkeypatch.setattr(contactsheet, "PAGE_HEIGHT", 1200)
    (previews / "x-other.png").touch()
    pages = draw_contact_sheet(previews / "x.png", files(previews, 90, 30), RULES)
    assert [page.name for page in pages] == ["x.png", *(f"x-{n}.png" for n in range(2, len(pages) + 1))]
    assert len(pages) > 1
    for page in pages:
        with Image.open(page) as image:
            assert image.height < 1200 + 200
    assert sum(area(page, (200, 0, 200)) for page in pages) > 0
    assert draw_contact_sheet(previews / "x.png", files(previews, 3, 0), RULES) == [previews / "x.png"]
    assert sorted(path.name for path in previews.glob("x*.png")) == ["x-other.png", "x.png"]


def test_a_lost_preview_does_not_stop_it(tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    shown = [Shown("1.png", True, "", "", tmp_path / "gone.jpg"), Shown("2.png", True, "", "", tmp_path / "bad.jpg")]
    assert draw_contact_sheet(tmp_path / "x.png", shown, RULES) == [tmp_path / "x.png"]


def test_no_pictures_at_all(tmp_path):
    draw_contact_sheet(tmp_path / "x.png", [], RULES)
    picture(1).save(tmp_path / "1.png")
    assert (tmp_path / "x.png").is_file()
