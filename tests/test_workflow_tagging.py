"""Automatic tags, tiers, regularisation pictures and the table of steps, through the real workflow."""

from __future__ import annotations

from pathlib import Path

import pytest
from rawfolder import picture
from tinytagger import write_tagger
from workflowhouse import House, draw_picture

from loramake.counting import COLUMNS
from loramake.tables import read_table

DATASET = ["autotag_images", "screen_images", "clean_images", "normalize_tags", "build_dataset"]
SHIM = {"tag": "shimakaze (azur lane)", "trigger": "shim", "raw_dir": "downloads"}


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> House:
    """A checkout without a model; one of six pictures has no tags; the dataset is built."""
    folder = tmp_path_factory.mktemp("house") / "it's тест dir"
    (folder / "downloads").mkdir(parents=True)
    for number in range(1, 7):
        draw_picture(folder / f"downloads/{number}.png", number)
    (folder / "downloads/2.txt").unlink()
    (folder / "regular").mkdir()
    picture(1).save(folder / "regular/a.png")
    house = House.found(folder)
    house.tagger = {key: str(Path(path).relative_to(folder)) for key, path in write_tagger(folder / "models/t").items()}
    house.write_config(autotag=house.tagger)
    house.build("dataset/shim")
    return house


def test_a_picture_without_tags_is_tagged_and_kept(house):
    assert {path.name for path in (house.folder / "work/autotags/shim").glob("*.txt")} == {"2.png.txt"}
    (caption,) = house.folder.glob("dataset/shim/*/2.txt")
    assert caption.read_text(encoding="utf-8").startswith("shim, amatsukaze (azur lane), ")
    assert house.plan("dataset/shim") == set()


@pytest.mark.parametrize(
    ("change", "first"),
    [
        ({"autotag": {"general_threshold": 0.5}}, "autotag_images"),
        ({"autotag": {"pictures": "all"}}, "autotag_images"),
        ({"tags": {"fold_implied": True}}, "normalize_tags"),
        ({"tags": {"implications": {"smile": ["grin"]}}}, "normalize_tags"),
        ({"dataset": {"tiers": {"good": 3}}}, "build_dataset"),
        ({"train": {"train_batch_size": 4}}, None),
        ({"characters": {"shim": SHIM | {"reg_dir": "regular", "reg_class": "1boy"}}}, None),
    ],
    ids=str,
)
def test_a_setting_runs_only_what_it_concerns(house, change, first):
    change = {"autotag": {}} | change
    house.write_config(**change | {"autotag": house.tagger | change["autotag"]})
    expected = set(DATASET[DATASET.index(first) :]) if first else set()
    try:
        assert house.plan("dataset/shim") == expected
    finally:
        house.write_config(autotag=house.tagger)


def test_without_a_tagger_the_picture_is_dropped(house):
    house.write_config()
    try:
        assert house.plan("dataset/shim") == set(DATASET[1:])
        house.build("dataset/shim")
        assert not list(house.folder.glob("dataset/shim/*/2.txt"))
    finally:
        house.write_config(autotag=house.tagger)
    run = house.build("dataset/shim")
    assert set(run.jobs) == set(DATASET[1:])  # what the tagger found is still there
    assert list(house.folder.glob("dataset/shim/*/2.txt"))


def test_tiers_and_the_table_of_steps(house, tmp_path):
    house = house.copy_to(tmp_path / "house")
    (house.folder / "config/edits").mkdir()
    (house.folder / "config/edits/shim.yaml").write_text('files: {"3.png": {tier: good}}', encoding="utf-8")
    config = {
        "autotag": {"model": "models/t/model.onnx", "tags": "models/t/selected_tags.csv"},
        "dataset": {"repeats": 2},
    }
    house.write_config(**config)
    house.build("work/steps/shim/base.tsv")
    assert {path.parent.name for path in house.folder.glob("dataset/shim/*/3.png")} == {"4_shim_good"}
    folders = [row[1:5] for row in read_table(house.folder / "work/steps/shim/base.tsv", COLUMNS) if row[0] == "folder"]
    assert sorted(folders) == [["2_shim", "5", "2", "10"], ["4_shim_good", "1", "4", "4"]]
    house.write_config(**config, train={"train_batch_size": 4})
    assert house.plan("work/steps/shim/base.tsv") == {"count_steps"}
    assert house.plan("work/steps/shim/train_batch_size=3.tsv") == {"count_steps"}


def test_regularisation_pictures(house):
    house.write_config(autotag=house.tagger, characters={"shim": SHIM | {"reg_dir": "regular"}})
    assert house.plan("dataset_reg/shim") == {"build_regularisation"}
    house.build("dataset_reg/shim")
    assert {path.name for path in (house.folder / "dataset_reg/shim").iterdir() if path.is_dir()} == {"1_1girl"}
    assert house.plan("dataset_reg/shim") == set()
    house.write_config(autotag=house.tagger)
    run = house.snakemake("-n", "dataset_reg/shim", "-F")
    assert run.status == 1 and "reg_dir" in run.text
