"""The axes of a grid, its cells, and what makes two cells the same."""

import json

import pytest
import torch
from safetensors.torch import save_file

from loramake.cells import find_checkpoints, parse_weights, plan_cells, weight_text
from loramake.errors import UserError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0, 0.4, 0.6", [0, 0.4, 0.6]),
        ([0, 0.4, 1], [0, 0.4, 1]),
        (["0", "0-1(+0.5)"], [0, 0.5, 1]),
        ("0-1(+0.2)", [0, 0.2, 0.4, 0.6, 0.8, 1]),
        ("0-1 (+0.1)", [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]),
        ("0-1(+0.3)", [0, 0.3, 0.6, 0.9]),
        ("0-1[6]", [0, 0.2, 0.4, 0.6, 0.8, 1]),
        ("0-1 [ 4 ]", [0, 0.333333, 0.666667, 1]),
        ("1-0(-0.5)", [1, 0.5, 0]),
        ("0-2", [0, 1, 2]),
        ("-1-1(+1)", [-1, 0, 1]),
        ("0, 0-1[2], .5", [0, 1, 0.5]),
        ("-0", [0]),
    ],
)
def test_weights(value, expected):
    assert list(parse_weights(value)) == expected


def test_weights_have_no_rounding_tails():
    assert [weight_text(weight) for weight in parse_weights("0-1(+0.1)")][3] == "0.3"
    assert weight_text(parse_weights("-0")[0]) == "0"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a",
        "0,,1",
        "0-1(-0.2)",
        "0-1(+0)",
        "0-1(0.2",
        "0-1[0]",
        "0-11",
        "50",
        "0-1(+0.001)",
        [],
        ["x"],
        [True],
        "nan",
    ],
)
def test_bad_weights(value):
    with pytest.raises(UserError, match="grid.weights"):
        parse_weights(value)


@pytest.fixture()
def run(tmp_path):
    """A run of three epochs."""
    epochs = []
    for epoch in (1, 2, 3):
        file = tmp_path / f"shim-{epoch:06d}.safetensors"
        save_file({"a": torch.full((3, 2), float(epoch))}, str(file), metadata={"time": str(epoch)})
        epochs.append({"epoch": epoch, "file": file.name, "sha256": ""})
    (tmp_path / "index.json").write_text(json.dumps({"epochs": epochs}))
    return tmp_path


def test_checkpoints(run):
    assert [c.epoch for c in find_checkpoints(run, "all")] == [1, 2, 3]
    assert [c.epoch for c in find_checkpoints(run, [3, 1])] == [1, 3]
    with pytest.raises(UserError, match="epochs 1, 2, 3"):
        find_checkpoints(run, [1, 9])
    with pytest.raises(UserError, match="no trained LoRA"):
        find_checkpoints(run / "none", "all")


def test_digest_follows_the_tensors_alone(run):
    first = find_checkpoints(run, [1])[0].digest
    file = run / "shim-000001.safetensors"
    save_file({"a": torch.full((3, 2), 1.0)}, str(file), metadata={"other": "much longer text"})
    assert find_checkpoints(run, [1])[0].digest == first
    save_file({"a": torch.full((2, 3), 1.0)}, str(file))
    assert find_checkpoints(run, [1])[0].digest != first


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-4], lambda data: b"<html>", lambda data: b"", lambda data: data[:9]]
)
def test_damaged_checkpoint_is_named(run, damage):
    file = run / "shim-000002.safetensors"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(UserError, match="shim-000002"):
        find_checkpoints(run, "all")


def plan(run, weights="0, 0.5, 1", prompts=("a", "b"), seeds=(7, 8), **shared):
    return plan_cells(find_checkpoints(run, "all"), parse_weights(weights), prompts, seeds, shared=shared)


def test_weight_zero_is_planned_once(run):
    cells = plan(run)
    assert len(cells) == (1 + 3 * 2) * 4
    assert len({cell.recipe for cell in cells}) == len(cells) == len({cell.file_name for cell in cells})
    names = {cell.file_name for cell in cells}
    assert {"w0_p1_s2.png", "e000003_w0.5_p2_s1.png"} <= names


def test_recipes_follow_what_changes_pixels(run):
    before = {cell.recipe for cell in plan(run, steps=12)}
    assert {cell.recipe for cell in plan(run, steps=13)}.isdisjoint(before)
    more = {cell.recipe for cell in plan(run, weights="0, 0.5, 0.7, 1", steps=12)}
    assert before < more and len(more - before) == 12
    # another order of seeds or prompts is the same pictures
    assert {cell.recipe for cell in plan(run, prompts=("b", "a"), seeds=(8, 7), steps=12)} == before
