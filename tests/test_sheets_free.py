"""Sheets with axes of one's own: every place shown, labels apart, the recommended cell framed, a smaller file beside."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy
import pytest
from PIL import Image, ImageColor
from sheetlabels import assert_apart_and_inside, watch_labels
from test_sheets import SETTINGS, colour, write_cells

from loramake import lettering, pngtext, sheets
from loramake.sheets import assemble_grid

LONG = "network_alpha=0.5__network_dim=128__text_encoder_lr=1e-3__unet_lr=5e-4"


def shade(x: int, y: int, z: int, prompt: int, seed: int) -> tuple[int, int, int]:
    return 20 + 20 * x + seed, 20 + 20 * y + prompt, 20 + 20 * z


def side(word: str, labels) -> dict:
    return {"kind": word, "word": word, "title": word.title(), "labels": list(labels)}


def write_sheet(
    folder: Path, *, x=("weight", "01"), y=("variant", ("base", LONG)), z=None, prompts=("one",), seeds=(7,), size=(32, 48), gone=()
) -> Path:  # fmt: skip
    folder.mkdir(parents=True)
    axes = {name: side(*axis) for name, axis in (("x", x), ("y", y), ("z", z)) if axis}
    lengths = [len(axes[name]["labels"]) if name in axes else 1 for name in "xyz"]
    rows = []
    for at in itertools.product(
        *map(range, lengths), range(1, len(prompts or " ") + 1), range(1, len(seeds or " ") + 1)
    ):
        if at[:2] in gone:
            continue
        place = dict(zip(("x", "y", "z", "prompt", "seed"), at, strict=True))
        place |= {"variant": (y or x)[1][at[1]], "epoch": 3, "weight": float(at[0])}
        text = pngtext.write_parameters("one", "", {"Steps": 12, "Sampler": "Euler", "Seed": 7})
        (folder / f"{at}.png").write_bytes(pngtext.encode_png(Image.new("RGB", size, shade(*at)), text))
        rows.append({**place, "file": f"{at}.png"})
    axes |= {"prompt": list(prompts), "seed": list(seeds)}
    settings = {**SETTINGS, "fixed": {"epoch": {"base": 3, LONG: 2}}}
    (folder / "cells.json").write_text(json.dumps({"axes": axes, "cells": rows, "settings": settings}))
    return folder


def drawn(folder: Path, **options) -> numpy.ndarray:
    assemble_grid(folder, folder.parent / "sheet.png", **options)
    return numpy.asarray(Image.open(folder.parent / "sheet.png").convert("RGB"))


def places(sheet: numpy.ndarray, colour) -> tuple[int, int, int]:
    """Pixels of a colour, its left and its top."""
    rows, columns = numpy.nonzero((sheet == numpy.array(colour, dtype=numpy.uint8)).all(axis=2))
    return (len(rows), columns.min(), rows.min()) if len(rows) else (0, 0, 0)


def test_every_cell_stands_in_its_place_and_a_missing_one_leaves_it_empty(tmp_path):
    sheet = drawn(
        write_sheet(tmp_path / "a", z=("cfg", ("3", "7")), prompts=("one", "two"), seeds=(7, 8), gone=[(1, 1)])
    )
    assert places(sheet, shade(1, 1, 0, 1, 1))[0] == 0
    for at in itertools.product((0, 1), (0, 1), (0, 1), (1, 2), (1, 2)):
        if at[:2] != (1, 1):
            assert places(sheet, shade(*at))[0] == 32 * 48
    assert places(sheet, shade(0, 0, 0, 1, 1))[1] < places(sheet, shade(1, 0, 0, 1, 1))[1]
    assert places(sheet, shade(0, 0, 0, 1, 1))[2] < places(sheet, shade(0, 1, 0, 1, 1))[2]


@pytest.mark.parametrize(
    "axes",
    [
        {"y": ("variant", ["base", LONG, "a" * 90, LONG + "0"]), "size": (24, 24)},
        {"x": ("prompt", ["a long prompt, with many, many tags, and no end " * 4, "w" * 80]), "prompts": (), "y": ("epoch", "12")},
        {"x": ("variant", [LONG, "base"]), "y": None, "seeds": (), "z": ("prompt S/R", ["x " * 90, "y"])},
        {"x": ("weight", [f"0.{n:02}" for n in range(60)]), "y": ("sampler", ["DPM++ SDE Karras", "DDIM"]), "size": (16, 16)},
        {"x": ("seed", ["1", "4294967295"]), "y": None, "seeds": ()},
    ],
)  # fmt: skip
def test_labels_never_overlap_nor_leave_the_sheet(tmp_path, monkeypatch, axes):
    boxes = watch_labels(monkeypatch)
    height, width, _ = drawn(write_sheet(tmp_path / "a", **axes), heading="shim · base · mine").shape
    assert_apart_and_inside(boxes, width, height)


@pytest.mark.parametrize(("verdict", "frame"), [("good", sheets.GOOD), ("over-trained", sheets.DOUBTFUL)])
def test_the_recommended_cell_is_framed(tmp_path, verdict, frame):
    folder, pick = write_sheet(tmp_path / "a"), tmp_path / "pick.json"
    pick.write_text(json.dumps({"variant": LONG, "epoch": 3, "weight": 1.0, "verdict": verdict, "reason": "why"}))
    sheet = drawn(folder, picks=[pick])
    count, left, top = places(sheet, ImageColor.getrgb(frame))
    _, cell_left, cell_top = places(sheet, shade(1, 1, 0, 1, 1))
    assert count > 100 and 0 < cell_left - left <= 8 and 0 < cell_top - top <= 8
    assert places(sheet, shade(1, 1, 0, 1, 1))[0] == 32 * 48  # the frame covers nothing
    pick.write_text(json.dumps({"variant": "base", "epoch": 9, "weight": 1.0, "verdict": verdict, "reason": "why"}))
    assert not places(drawn(folder, picks=[pick]), ImageColor.getrgb(frame))[0]


def test_the_recommended_cell_of_an_epoch_grid_is_framed_in_each_panel(tmp_path):
    folder, pick = write_cells(tmp_path / "shim/base"), tmp_path / "pick.json"
    pick.write_text(json.dumps({"variant": "base", "epoch": 2, "weight": 0.5, "verdict": "good", "reason": "why"}))
    one = drawn(folder, picks=[pick])
    framed = places(one, ImageColor.getrgb(sheets.GOOD))
    assert framed[0] > 200 and framed[1] < places(one, colour(2, 0.5, 1, 1))[1]
    pick.write_text(json.dumps({"variant": "other", "epoch": 2, "weight": 0.5, "verdict": "good", "reason": "why"}))
    assert not places(drawn(folder, picks=[pick]), ImageColor.getrgb(sheets.GOOD))[0]


def test_weight_zero_is_the_base_model_only_where_no_other_lora_is_drawn(tmp_path, monkeypatch):
    write = lettering.write
    for number, (other, said) in enumerate((("steps", True), ("lora_weight", False))):
        labels = []
        monkeypatch.setattr(lettering, "write", lambda *a, seen=labels, **o: (seen.append(a[2]), write(*a, **o)))
        folder = write_sheet(tmp_path / str(number), y=(other, "01"), size=(160, 96))
        index = json.loads((folder / "cells.json").read_text())
        (folder / "cells.json").write_text(
            json.dumps(index | {"settings": {**index["settings"], "lora": "flat style"}})
        )
        drawn(folder)
        assert any("no LoRA" in text for text in labels) == said
        assert any("2nd LoRA flat style" in text for text in labels)


def test_png_text_names_the_axes(tmp_path):
    drawn(write_sheet(tmp_path / "a", x=("seed", "12"), y=None, z=("cfg", ("3", "7")), seeds=()))
    fields = pngtext.read_parameters(pngtext.read_text((tmp_path / "sheet.png").read_bytes()))[2]
    assert fields["X Values"] == "1, 2" and fields["Z Values"] == "3, 7" and "Y Type" not in fields


@pytest.mark.parametrize(("longest", "suffix"), [(16_383, ".webp"), (100, ".jpg")])
def test_a_large_sheet_gets_a_smaller_file_beside_it(tmp_path, monkeypatch, longest, suffix):
    monkeypatch.setattr(sheets, "WEBP_SIDE", longest)
    folder = write_sheet(tmp_path / "a")
    drawn(folder, preview_above=0.0001)
    with Image.open(tmp_path / f"sheet{suffix}") as beside:
        comment = beside.getexif().get_ifd(0x8769)[0x9286]
        assert beside.size == Image.open(tmp_path / "sheet.png").size
    assert comment.startswith(b"UNICODE\0") and "X/Y/Z plot" in comment[8:].decode("utf-16-be")
    drawn(folder)
    assert not (tmp_path / f"sheet{suffix}").exists()
