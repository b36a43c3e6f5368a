"""The pick in the workflow: what it makes, what runs it again, what it costs, and publishing what it recommends."""

from __future__ import annotations

import json
import re

import pytest
from workflowhouse import House

PICK = "work/pick/shim/base.json"


@pytest.fixture(scope="module")
def built(house: House) -> House:
    """The house with cells at two weights, and its pick."""
    house.write_config(grid={"weights": "0, 0.5, 1"}, pick={"samples": 2})
    house.build(PICK)
    return house


def read(house: House) -> dict:
    return json.loads((house.folder / PICK).read_text())


def figures_taken(house: House) -> int:
    return len(list((house.folder / "work/cache/pick/shim").glob("*/*.json")))


def test_json_and_plot(built):
    pick = read(built)
    assert (pick["character"], pick["variant"]) == ("shim", "base")
    assert {(row["epoch"], row["weight"]) for row in pick["rows"]} == {(e, w) for e in (1, 2) for w in (0.5, 1.0)}
    assert (pick["epoch"], pick["weight"]) in {(row["epoch"], row["weight"]) for row in pick["rows"]}
    assert pick["verdict"] in {"good", "under-trained", "over-trained", "broken"}
    assert re.search(r"\d", pick["reason"])
    assert (built.folder / PICK).with_suffix(".png").stat().st_size > 10_000


def test_only_what_a_change_concerns(built, tmp_path):
    house = built.copy_to(tmp_path / "house")
    before = figures_taken(house)
    house.write_config(grid={"weights": "0, 0.5, 0.7, 1"}, pick={"samples": 2, "least_control": 0.1})
    assert house.plan(PICK) == {"render_cells", "pick_epoch"}
    house.build(PICK)
    assert read(house)["limits"]["least_control"] == 0.1
    # of each epoch the new weight alone, and perhaps weight 0.9 of another one
    assert figures_taken(house) - before in (2, 3)
    house.write_config(grid={"weights": "0, 0.5, 0.7, 1"}, pick={"samples": 2, "least_control": 0.2})
    assert house.plan(PICK) == {"pick_epoch"}


def test_publish_takes_the_pick(built, tmp_path):
    house = built.copy_to(tmp_path / "house")
    pick = read(house)
    (house.folder / "webui").mkdir()
    sections = {"grid": {"weights": "0, 0.5, 1"}, "pick": {"samples": 2}}
    # a hand-written pick stands for another training
    (house.folder / PICK).write_text(json.dumps({**pick, "epoch": 1, "verdict": "good"}))
    house.write_config(**sections, publish={"folder": "webui"})
    house.build("publish")
    assert (house.folder / "webui/shim-000001.safetensors").is_file()
    (house.folder / PICK).write_text(json.dumps({**pick, "verdict": "broken", "reason": "Broken: all black."}))
    run = house.snakemake("publish")
    assert run.status and "all black" in run.text and "Traceback" not in run.text
    house.write_config(**sections, publish={"folder": "webui", "epoch": 1})
    assert house.plan("publish") == {"publish_lora", "publish"}
