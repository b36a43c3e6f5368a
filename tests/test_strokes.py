"""Letters on a drawing: only their strokes go, and the drawing between them stays."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from loramake.retouch import paint_over
from loramake.strokes import find_strokes
from loramake.textboxes import Line
from loramake.textregions import find_regions

SKY, HAIR, OUTLINE, INK = (150, 190, 230), (220, 60, 90), (40, 20, 30), (20, 60, 40)


def drawing() -> Image.Image:
    """A bar with an outline across the middle of a plain sky, 400x300."""
    image = Image.new("RGB", (400, 300), SKY)
    ImageDraw.Draw(image).rectangle((170, 60, 230, 299), fill=HAIR, outline=OUTLINE, width=6)
    return image


def write(image: Image.Image, at: tuple[int, int], ink: tuple[int, int, int]) -> Line:
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(40)
    pen.text(at, "SUMMER TALE", ink, font)
    left, top, right, bottom = map(round, pen.textbbox(at, "SUMMER TALE", font))
    return Line(((left, top), (right, top), (right, bottom), (left, bottom)), "SUMMER TALE")


def difference(one: Image.Image, other: Image.Image) -> np.ndarray:
    return np.abs(np.asarray(one).astype(int) - np.asarray(other)).max(axis=2)


def test_the_drawing_between_letters_stays():
    clean = drawing()
    for ink in (INK, (250, 250, 250)):
        image = clean.copy()
        line = write(image, (60, 150), ink)
        regions = find_regions(np.asarray(image), [line])
        assert [each.kind for each in regions] == ["text"]
        after = paint_over(image, regions)
        written = difference(image, clean) > 60
        assert (difference(after, clean)[written] > 60).mean() < 0.15
        # the bar's fill and the sky are what they were, and so is most of its outline
        assert (difference(after, clean) > 60).mean() < 0.004
        assert np.asarray(after)[200, 200].tolist() == list(HAIR)


def test_letters_are_found_askew_and_soft():
    clean = drawing()
    image = clean.copy()
    line = write(image, (60, 150), INK)
    angle = np.deg2rad(8)
    turned, turned_clean = (each.rotate(8, Image.Resampling.BICUBIC, fillcolor=SKY) for each in (image, clean))
    corners = np.array(line.corners, dtype=np.float32) - [199.5, 149.5]
    corners = corners @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) + [199.5, 149.5]
    strokes = find_strokes(np.asarray(turned), corners)
    written = difference(turned, turned_clean) > 30
    assert strokes[written].mean() > 0.97
    assert strokes.sum() < 3.5 * written.sum()


def test_what_is_no_writing_has_no_strokes():
    line = np.array([(60, 150), (340, 150), (340, 190), (60, 190)], dtype=np.float32)
    assert find_strokes(np.asarray(Image.new("RGB", (400, 300), SKY)), line) is None
    assert find_strokes(np.asarray(drawing()), np.array([(10, 10), (12, 10), (12, 11), (10, 11)], np.float32)) is None


def test_paper_goes_whole():
    image = drawing()
    ImageDraw.Draw(image).polygon([(40, 130), (380, 120), (390, 215), (30, 220)], fill=(255, 250, 235))
    corners = np.array(write(image, (60, 150), INK).corners, dtype=np.float32)
    assert find_strokes(np.asarray(image), corners) is None
