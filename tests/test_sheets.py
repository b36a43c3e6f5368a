"""The sheet: every cell in its place, labels that fit, PNG text of the whole."""

import io
import json
from pathlib import Path

import numpy
import pytest
from PIL import Image, ImageDraw
from sheetlabels import assert_apart_and_inside, watch_labels

from loramake import lettering, pngtext, sheets
from loramake.errors import UserError
from loramake.sheets import assemble_grid

SETTINGS = {
    "Model": "some model",
    "Model hash": "0123456789",
    "VAE": None,
    "Sampler": "Euler a",
    "Steps": 12,
    "CFG scale": "7",
    "Size": "32x48",
    "Clip skip": 2,
    "negative_prompt": "bad",
}


def colour(epoch, weight, prompt, seed) -> tuple[int, int, int]:
    return (10 + (epoch or 0) * 20, 10 + round(weight * 200), 100 + prompt * 40 + seed * 10)


def write_cells(
    folder: Path, *, epochs=(1, 2, 3), weights=(0, 0.5, 1), prompts=("one", "two"), seeds=(7, 8), size=(32, 48)
):
    folder.mkdir(parents=True)
    rows = []
    for epoch in (None, *epochs):
        for weight in weights:
            for prompt in range(1, len(prompts) + 1):
                for seed in range(1, len(seeds) + 1):
                    if (epoch is None) == (weight == 0):
                        name = f"{epoch}_{weight}_{prompt}_{seed}.png"
                        image = Image.new("RGB", size, colour(epoch, weight, prompt, seed))
                        fields = {"Steps": 12, "Sampler": "Euler a", "CFG scale": 7, "Seed": seeds[seed - 1]}
                        text = pngtext.write_parameters(prompts[prompt - 1], "bad", fields)
                        (folder / name).write_bytes(pngtext.encode_png(image, text))
                        rows.append({"epoch": epoch, "weight": weight, "prompt": prompt, "seed": seed, "file": name})
    axes = {"epoch": epochs, "weight": weights, "prompt": prompts, "seed": seeds}
    (folder / "cells.json").write_text(json.dumps({"axes": axes, "cells": rows, "settings": SETTINGS}))
    return folder


def drawn(folder: Path, **options) -> numpy.ndarray:
    assemble_grid(folder, folder.parent / "sheet.png", **options)
    return numpy.asarray(Image.open(folder.parent / "sheet.png").convert("RGB"))


def areas(sheet: numpy.ndarray, wanted) -> int:
    return int((sheet == numpy.array(wanted, dtype=numpy.uint8)).all(axis=2).sum())


def test_every_cell_is_shown_and_weight_zero_in_every_row(tmp_path):
    sheet = drawn(write_cells(tmp_path / "shim/base"))
    for prompt in (1, 2):
        for seed in (1, 2):
            assert areas(sheet, colour(None, 0, prompt, seed)) == 3 * 32 * 48
            for epoch in (1, 2, 3):
                for weight in (0.5, 1):
                    assert areas(sheet, colour(epoch, weight, prompt, seed)) == 32 * 48


def test_weights_run_to_the_right_and_epochs_down(tmp_path):
    sheet = drawn(write_cells(tmp_path / "shim/base", prompts=["one"], seeds=[1]))

    def place(epoch, weight) -> tuple[int, int]:
        rows, columns = numpy.nonzero((sheet == colour(epoch, weight, 1, 1)).all(axis=2))
        return columns.min(), rows.min()

    assert place(1, 0.5)[0] < place(1, 1)[0] and place(1, 0.5)[1] == place(1, 1)[1]
    assert place(1, 1)[1] < place(2, 1)[1] < place(3, 1)[1] and place(1, 1)[0] == place(3, 1)[0]
    assert place(None, 0)[0] < place(1, 0.5)[0]


@pytest.mark.parametrize(
    "axes",
    [
        {"epochs": [1], "weights": [0.333333], "prompts": ["a"], "seeds": [4294967295], "size": (16, 16)},
        {"epochs": [999999], "weights": [-0.123457, 10], "prompts": ["word " * 300, "w" * 400], "seeds": [1]},
        {"epochs": list(range(1, 11)), "prompts": ["a", "b", "c", "d", "e"], "seeds": [1, 2, 3]},
        {"prompts": ["島風, девушка", "", "ñandú \U0001f600"], "size": (48, 32)},
    ],
)
def test_labels_never_overlap_nor_leave_the_sheet(tmp_path, monkeypatch, axes):
    boxes = watch_labels(monkeypatch)
    height, width, _ = drawn(write_cells(tmp_path / "shim/base", **axes), title="A title that is " + "very " * 40).shape
    assert_apart_and_inside(boxes, width, height)


def test_png_text_names_the_axes(tmp_path):
    folder = write_cells(tmp_path / "shim/base")
    drawn(folder)
    text = pngtext.read_text((tmp_path / "shim/sheet.png").read_bytes())
    prompt, negative, fields = pngtext.read_parameters(text)
    assert (prompt, negative, fields["Seed"]) == ("one", "bad", "7")
    assert fields["X Values"] == "0, 0.5, 1" and fields["Y Values"] == "1, 2, 3" and fields["Seeds"] == "7, 8"


def test_too_many_pixels_are_shown_smaller(tmp_path, monkeypatch):
    folder = write_cells(tmp_path / "shim/base", prompts=["a"], size=(120, 160))
    whole = drawn(folder).shape
    monkeypatch.setattr(sheets, "MOST_PIXELS", 3 * 6 * 60 * 80)
    small = drawn(folder).shape
    assert small[0] < whole[0] * 0.7 and small[1] < whole[1] * 0.7


def test_title_and_bytes(tmp_path):
    folder = write_cells(tmp_path / "shim/base")
    named, again, other = drawn(folder), drawn(folder), drawn(folder, title="Something else")
    assert numpy.array_equal(named, again) and not numpy.array_equal(named, other)


def test_damaged_and_missing_cells_are_named(tmp_path):
    folder = write_cells(tmp_path / "shim/base")
    (folder / "2_1_1_1.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="2_1_1_1.png"):
        drawn(folder)
    assert not (tmp_path / "shim/sheet.png").exists()
    with pytest.raises(UserError, match="cells.json"):
        assemble_grid(tmp_path / "none", tmp_path / "x.png")


def test_lettering_fits():
    for text in ("0.333333", "seed 4294967295", "x" * 100):
        shown, size = lettering.fit(text, 40, 60)
        assert lettering.width(shown, size) <= 60
    lines = lettering.wrap("one two three four five six seven " + "w" * 50, 20, 100, most=3)
    assert len(lines) == 3 and all(lettering.width(line, 20) <= 100 for line in lines) and lines[-1].endswith("…")
    assert lettering.readable("plain text, (a:1.4)") == "plain text, (a:1.4)"
    assert len(lettering.readable("島\U0001f600")) == 2


def test_pillow_opens_what_is_written(tmp_path):
    buffer = io.BytesIO()
    image = Image.new("RGB", (60, 20))
    lettering.write(ImageDraw.Draw(image), (0, 10), "bold", 12, "#ffffff", bold=True)
    image.save(buffer, format="PNG")
    assert numpy.asarray(image).max() > 200
