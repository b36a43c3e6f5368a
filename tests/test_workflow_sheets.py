"""Sweeps and grids with axes of one's own through the real workflow: what is planned, drawn, shared and refused."""

from __future__ import annotations

import json

import pytest
from PIL import Image
from test_workflow_plan import refusal
from workflowhouse import CHAIN

from loramake import pngtext

SWEEPS = {"rates": {"unet_lr": ["1e-1", 0.05]}}
SHEETS = {"seeds": {"x": {"seed": "1-3"}, "y": {"prompt_sr": "1girl, smile"}}}


@pytest.fixture(scope="module")
def house(house):
    house.write_config(grid={"sheets": SHEETS}, sweeps=SWEEPS)
    return house


def test_named_grids_and_sweeps_belong_to_the_whole(house):
    sheets = {"render_sheet", "assemble_sheet", "render_sweep", "assemble_sweep"}
    assert house.plan() == {*CHAIN, *sheets}
    assert house.plan("grids/shim/base/seeds.png") == {*CHAIN[:6], "render_sheet", "assemble_sheet"}
    assert house.plan("grids/shim/network_dim=4/seeds.png") == {*CHAIN[:6], "render_sheet", "assemble_sheet"}
    assert house.plan("grids/shim/sweep/rates/epochs.png") == {*CHAIN[:6], "render_sweep", "assemble_sweep_epochs"}
    run = house.snakemake("-n", "grids/shim/sweep/network_dim=1+2__unet_lr=0.05+0.1.png")
    assert run.jobs["train_lora"] == 4 and run.jobs["build_dataset"] == run.jobs["cache_latents"] == 1


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("grids/shim/base/sedes.png", ["seeds"]),
        ("grids/shim/sweep/raets.png", ["rates"]),
        ("grids/shim/sweep/unet_lr=0.001+0.1.png", ["unet_lr=1e-3"]),
        ("grids/shim/sweep/unet_lr=0.1__network_dim=1.png", ["network_dim=1__unet_lr=0.1"]),
        ("grids/shin/sweep/rates.png", ["shim"]),
    ],
)
def test_wrong_targets(house, target, words):
    message = refusal(house, target)
    assert all(word in message for word in words)


def test_a_sweep_is_drawn_from_what_is_there(house):
    house.build("grids/shim/sweep/rates.png")
    root, before = house.folder, house.work()
    cells = json.loads((root / "work/sweeps/shim/rates/weights/cells.json").read_text())
    assert cells["axes"]["y"]["labels"] == ["unet_lr=0.1", "unet_lr=0.05"]
    assert len(list((root / "work/runs").glob("*/index.json"))) == 2
    assert len(before.drawn) == 1 + 2  # weight 0 once for both

    # one weight more, one grid more that nobody asks for
    other = {**SHEETS, "more": {"x": {"steps": "1-2"}}}
    house.write_config(grid={"sheets": other, "weights": "0, 0.5, 1"}, sweeps=SWEEPS)
    assert "render_sheet" in house.plan("grids/shim/base/seeds.png")
    house.build("grids/shim/sweep/rates.png", "grids/shim/base/seeds.png")
    trained, _, drawn = house.work().since(before)
    # 0.1 is the config's rate, so base is not trained: its run and its cells are those of the sweep. Drawn are the new
    # column of both variants, two more seeds of one prompt, three of the other
    assert trained == 0 and drawn == 2 + 2 + 3
    with Image.open(root / "grids/shim/base/seeds.png") as sheet:
        fields = pngtext.read_parameters(sheet.info["parameters"])[2]
    assert (fields["X Type"], fields["X Values"], fields["Y Type"]) == ("Seed", "1, 2, 3", "Prompt S/R")
    assert house.plan("grids/shim/sweep/rates.png", "grids/shim/base/seeds.png") == set()
    # another sheet does not concern this one, and a recommendation that appears is marked without drawing anything
    house.write_config(grid={"sheets": SHEETS, "weights": "0, 0.5, 1"}, sweeps=SWEEPS)
    pick = {"character": "shim", "variant": "unet_lr=0.05", "epoch": 2, "weight": 1.0, "verdict": "good", "reason": "x"}
    (root / "work/pick/shim").mkdir(parents=True, exist_ok=True)
    (root / "work/pick/shim/unet_lr=0.05.json").write_text(json.dumps(pick))
    assert house.plan("grids/shim/base/seeds.png") == set()
    assert "assemble_sweep" in house.plan("grids/shim/sweep/rates.png")


def test_snakemakes_own_report_says_what_each_grid_is(house):
    targets = "grids/shim/sweep/rates.png", "grids/shim/base/seeds.png"
    house.build(*targets)
    house.build("--report", "report.html", *targets)
    text = (house.folder / "report.html").read_text(encoding="utf-8")
    for words in ("rates: weights x variants", "base: seeds", "the grid seeds of grid.sheets", "the sweep rates down"):
        assert words in text, words
