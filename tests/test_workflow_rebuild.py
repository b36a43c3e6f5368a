"""The whole workflow on a tiny model: what it makes, what each change runs again, and how much work that really was."""

from __future__ import annotations

import json
import os
import resource
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from workflowhouse import CHAIN, CONFIG, House, draw_picture

from loramake.files import hash_file


@pytest.fixture(scope="module")
def built(house: House) -> House:
    """The house after a first full run."""
    house.build()
    return house


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def test_first_run_makes_exactly_these_files(built):
    root = built.folder
    assert names(root / "dataset/shim") == {"1_shim"}
    assert names(root / "dataset/shim/1_shim") == {f"{n}.{end}" for n in range(1, 7) for end in ("png", "txt")}
    assert len(list((root / "work/latents/shim").rglob("*.safetensors"))) == 6
    events = {name for name in names(root / "loras/shim/base") if name.startswith("events.out.tfevents.")}
    assert len(events) == 1  # TensorBoard's, with a time in its name
    assert names(root / "loras/shim/base") - events == {
        "shim-000001.safetensors",
        "shim-000002.safetensors",
        "loss.tsv",
        "loss.png",
        "index.json",
    }
    cells = {name for name in names(root / "work/cells/shim/base") if name.endswith(".png")}
    assert len(cells) == 3  # weight 0 once, weight 1 of two epochs
    assert names(root / "grids") == {"shim.png"}
    assert built.work().steps == json.loads((root / "loras/shim/base/index.json").read_text())["optimizer_steps"]


def test_nothing_changed_runs_nothing_quickly(built):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = built.build()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "Nothing to be done" in run.text
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 4


Deed = Callable[[House], None]


@dataclass(frozen=True)
class Change:
    """A change, the first stage it concerns, the work it costs, and for some: how to undo it, which costs none."""

    make: Deed
    first: str | None
    trains: bool = False
    encoded: int = 0
    drawn: int = 0
    undo: Deed | None = None


def setting(**sections: dict) -> Deed:
    return lambda house: house.write_config(**sections)


def redraw(number: int, as_number: int) -> Deed:
    """Replace a picture by another, or add one; tags that are there stay."""

    def deed(house: House) -> None:
        path = house.folder / f"downloads/{number}.png"
        tags = path.with_suffix(".txt")
        kept = tags.read_bytes() if tags.exists() else None
        draw_picture(path, as_number)
        if kept:
            tags.write_bytes(kept)

    return deed


def delete(number: int) -> Deed:
    def deed(house: House) -> None:
        for suffix in ("png", "txt"):
            (house.folder / f"downloads/{number}.{suffix}").unlink()

    return deed


def edit_tags(house: House) -> None:
    path = house.folder / "downloads/2.txt"
    path.write_text(path.read_text(encoding="utf-8") + ", umbrella", encoding="utf-8")


def respell(house: House) -> None:
    """A comment and another spelling of a number."""
    path = house.folder / "config/config.yaml"
    text = path.read_text(encoding="utf-8").replace("unet_lr: 0.1", "unet_lr: 1e-1  # the same")
    path.write_text("# a comment\n" + text, encoding="utf-8")


def touch(house: House) -> None:
    os.utime(house.folder / "downloads/2.png")


def write_edits(house: House) -> None:
    path = house.folder / "config/edits/shim.yaml"
    path.parent.mkdir()
    path.write_text('files: {"4.png": {drop: "off model"}}', encoding="utf-8")


def remove_edits(house: House) -> None:
    (house.folder / "config/edits/shim.yaml").unlink()


CHANGES = {
    "nothing": Change(setting(), None),
    "another spelling": Change(respell, None),
    "a grid prompt": Change(
        setting(grid={"prompts": ["{trigger}, 1girl", "{trigger}, night"]}), "render_cells", drawn=3, undo=setting()
    ),
    "a grid weight": Change(setting(grid={"weights": "0, 0.5, 1"}), "render_cells", drawn=2),
    "a learning rate": Change(setting(train={"unet_lr": 0.05}), "train_lora", trains=True, drawn=2, undo=setting()),
    "the repeat target": Change(setting(dataset={"target_steps": 24}), "build_dataset", trains=True, drawn=2),
    "a junk tag": Change(setting(tags={"drop": ["smile"]}), "normalize_tags", trains=True, drawn=2),
    "a junk tag that no file has": Change(setting(tags={"drop": ["trampoline"]}), "normalize_tags"),
    "the aspect limit": Change(setting(clean={"max_aspect": 2}), "clean_images", trains=True, encoded=1, drawn=2),
    "a picture edited": Change(redraw(3, 13), "screen_images", trains=True, encoded=1, drawn=2, undo=redraw(3, 3)),
    "a picture added": Change(redraw(7, 7), "screen_images", trains=True, encoded=1, drawn=2),
    "a picture deleted": Change(delete(6), "screen_images", trains=True, drawn=2),
    "a picture touched": Change(touch, "screen_images"),
    "a picture dropped by hand": Change(write_edits, "screen_images", trains=True, drawn=2, undo=remove_edits),
    "a tag file edited": Change(edit_tags, "screen_images", trains=True, drawn=2),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_runs_what_is_downstream_and_no_more(built, tmp_path, name):
    change, house = CHANGES[name], built.copy_to(tmp_path / "it's тест dir")
    expected = set(CHAIN[CHAIN.index(change.first) :]) if change.first else set()
    before = house.work()
    change.make(house)
    assert house.plan() == expected
    if not expected:
        return
    house.build()
    steps, encoded, drawn = house.work().since(before)
    assert (steps > 0, encoded, drawn) == (change.trains, change.encoded, change.drawn)
    if change.undo:
        between = house.work()
        change.undo(house)
        house.build()
        assert house.work().since(between) == (0, 0, 0)
        assert house.plan() == set()


def test_variant_that_equals_the_config_shares_its_run(built):
    before = built.work()
    built.build("grids/shim/unet_lr=0.1.png", "loras/shim/unet_lr=0.1-000002.safetensors")
    assert built.work().since(before) == (0, 0, 0)
    exported = built.folder / "loras/shim/unet_lr=0.1-000002.safetensors"
    assert hash_file(exported) == hash_file(built.folder / "loras/shim/base/shim-000002.safetensors")


def test_epoch_that_was_not_trained_is_refused(built):
    run = built.snakemake("loras/shim/base-000009.safetensors")
    assert run.status == 1
    assert "Traceback" not in run.text
    assert "epoch 9" in run.text


def test_character_without_a_usable_picture_is_refused(built):
    built.write_config(screen={"min_side": 5000})
    run = built.snakemake()
    built.write_config()
    assert run.status == 1
    assert "Traceback" not in run.text
    assert run.text.count("\nloramake: ") == 1
    assert names(built.folder / "loras/shim/base")  # what was finished stays
    built.build()


def test_broken_lora_is_refused_and_costs_nothing_that_was_there(built):
    before = built.work()
    # the first gradients of down are zero: AdamW without eps divides by them
    built.write_config(train={"optimizer_args": ["eps=0"]})
    run = built.snakemake("loras/shim/base")
    built.write_config()
    assert run.status == 1 and "Traceback" not in run.text
    assert "NaN" in run.text and "to change: a lower train.unet_lr" in run.text
    built.build()
    assert built.work().since(before) == (0, 0, 0)


def test_unreadable_picture_is_left_out_with_its_reason(built):
    broken = built.folder / "downloads/8.png"
    broken.write_bytes((built.folder / "downloads/1.png").read_bytes()[:60])
    broken.with_suffix(".txt").write_text("shimakaze (azur lane), 1girl", encoding="utf-8")
    before = built.work()
    built.build()
    broken.unlink()
    broken.with_suffix(".txt").unlink()
    rows = (built.folder / "work/screen/shim.tsv").read_text(encoding="utf-8").splitlines()
    (row,) = [row.split("\t") for row in rows if row.startswith("8.png")]
    assert row[1] == "drop"
    assert row[3]
    assert built.work().since(before) == (0, 0, 0)


def test_two_runs_from_scratch_give_the_same_files(built, tmp_path):
    again = built.copy_to(tmp_path / "again")
    for folder in ("work", "loras", "grids", "dataset", ".snakemake"):
        shutil.rmtree(again.folder / folder)
    again.build()
    for pattern in ("loras/shim/base/*.safetensors", "work/cells/shim/base/*.png", "grids/shim.png"):
        made = {path.name: hash_file(path) for path in built.folder.glob(pattern)}
        assert made
        assert {path.name: hash_file(path) for path in again.folder.glob(pattern)} == made


def test_regularisation_pictures_taken_away_train_anew_and_a_variant_has_a_name_of_its_own(built, tmp_path):
    house, target = built.copy_to(tmp_path / "it's тест dir"), "loras/shim/unet_lr=0.05"
    shutil.copytree(house.folder / "downloads", house.folder / "regular")
    house.write_config(characters={"shim": {**CONFIG["characters"]["shim"], "reg_dir": "regular"}})
    house.build(target)
    saved = {name for name in names(house.folder / target) if name.endswith(".safetensors")}
    assert saved == {"shim-unet_lr-0.05-000001.safetensors", "shim-unet_lr-0.05-000002.safetensors"}
    house.write_config()
    assert house.plan(target) == {"cache_latents", "train_lora"}
