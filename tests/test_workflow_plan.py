"""What `snakemake` plans and refuses before any job runs."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save_file
from tinytagger import write_tagger
from workflowhouse import CHAIN


def test_bare_snakemake_plans_the_grids_of_all_characters(house):
    assert house.plan() == set(CHAIN)


def test_targets_along_the_way(house):
    assert house.plan("dataset/shim") == set(CHAIN[:4])
    assert house.plan("reports/shim/dataset.html") == {*CHAIN[:4], "report_dataset"}
    assert house.plan("loras/shim/unet_lr=5e-4") == set(CHAIN[:6])
    assert house.plan("loras/shim/unet_lr=5e-4-000002.safetensors") == {*CHAIN[:6], "export_epoch"}
    assert house.plan("grids/shim/network_dim=4__unet_lr=5e-4.png") == {*CHAIN[:7], "assemble_grid"}


def refusal(house, *arguments: str) -> str:
    """The message of a run that must fail at planning: one message, no traceback, status 1."""
    run = house.snakemake("-n", *arguments)
    assert run.status == 1
    assert "Traceback" not in run.text
    assert ", line " not in run.text
    assert run.text.count("\nloramake: ") == 1, run.text
    return run.text.partition("\nloramake: ")[2]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("grids/shim/unet_lr=0.0005.png", ["unet_lr=5e-4"]),
        ("grids/shim/unet_rl=5e-4.png", ["unet_lr"]),
        ("grids/shim/resolution=64.png", ["resolution"]),
        ("grids/shin.png", ["shim"]),
        ("loras/shim/base-000006.safetensors", ["epoch 6", "1, 2"]),
        ("grids/shim/sweep/max_train_epochs=1+2+3+4+5+6+7+8+9+10__network_dim=1+2+3+4+5+6+7.png", ["70 variants"]),
    ],
)
def test_wrong_targets(house, target, words):
    message = refusal(house, target)
    assert all(word in message for word in words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train": {"nework_dim": 4}}, ["train.nework_dim", "train.network_dim"]),
        ({"train": {"unet_lr": 7}, "grid": {"steps": 0}}, ["train.unet_lr", "grid.steps", "7"]),
        ({"preset": "cup"}, ["cup", "cpu"]),
        ({"grid": {"weights": "0, much"}}, ["much", "grid.weights"]),
        ({"grid": {"sampler": "Eular"}}, ["Eular", "Euler", "grid.sampler"]),
        ({"grid": {"prompts": ["{trigger}, (smile:1.2"]}}, ["(smile:1.2", "grid.prompts"]),
        ({"grid": {"prompts": ["a <lora:shin-000002:1>"]}}, ["nearest is shim-00000", "grid.lora_dir"]),
        ({"grid": {"prompts": ["a <lora:x:1>"], "lora_dir": "nowhere"}}, ["nowhere", "grid.lora_dir"]),
        ({"base_model": "models/none.safetensors"}, ["models/none.safetensors", "base_model"]),
        ({"base_model": ""}, ["base_model"]),
        ({"vae": "models/none.pt"}, ["models/none.pt", "vae"]),
        ({"characters": {"shim": {"tag": "a", "trigger": "b", "raw_dir": "nowhere"}}}, ["nowhere", "raw_dir"]),
    ],
    ids=str,
)
def test_wrong_configs(house, change, words):
    house.write_config(**change)
    try:
        message = refusal(house)
    finally:
        house.write_config()
    assert all(word in message for word in words)


def test_loras_for_another_kind_of_model_are_refused_before_anything_runs(house):
    (house.folder / "called").mkdir(exist_ok=True)
    save_file({"lora_te2_x.lora_down.weight": np.ones((2, 16), np.float32)}, house.folder / "called/grand.safetensors")
    model = house.folder / "models/one.safetensors"
    save_file({"model.x.attn2.to_k.weight": np.ones((4, 768), np.float32)}, model)
    sheets = {"style": {"x": {"lora_weight": "0, 1"}, "lora": "grand"}}
    for grid in ({"prompts": ["a <lora:grand:1>"]}, {"sheets": sheets}):
        house.write_config(base_model="models/one.safetensors", grid={**grid, "lora_dir": "called"})
        try:
            message = refusal(house, "grids/shim.png" if "prompts" in grid else "grids/shim/base/style.png")
        finally:
            house.write_config()
        assert all(word in message for word in ("grand.safetensors", "SDXL", "grid.lora_dir"))


def test_prompts_may_call_epochs_before_they_are_trained(house):
    house.write_config(grid={"prompts": ["{trigger} <lora:shim-000002:0.5>"]})
    try:
        assert house.plan("grids/shim.png") == set(CHAIN)
        house.write_config(grid={"prompts": ["{trigger} <lora:shim-network_dim-4-000002:0.5>"]})
        assert house.plan("grids/shim/network_dim=4.png") == {*CHAIN[:-1], "assemble_grid"}
        assert house.plan("grids/shim/sweep/network_dim=4.png") == {*CHAIN[:6], "render_sweep", "assemble_sweep"}
    finally:
        house.write_config()


def test_dataset_needs_no_model(house):
    house.write_config(base_model="models/none.safetensors")
    try:
        assert house.plan("dataset/shim") == set(CHAIN[:4])
    finally:
        house.write_config()


def test_preflight_says_everything_before_the_first_job(house):
    wrong = {"optimizer_type": "AdamW8bit", "xformers": True}
    house.write_config(device="cuda", train=wrong)
    try:
        assert house.plan() == set(CHAIN)  # a dry run asks nothing of the machine
        house.write_config(base_model="models/none.safetensors", device="cuda", train=wrong)
        run = house.snakemake()
    finally:
        house.write_config()
    assert run.status == 1 and "Traceback" not in run.text
    message = run.text.partition("\nloramake: ")[2]
    assert all(word in message for word in ("models/none.safetensors", "cuda", "bitsandbytes", "xformers"))
    assert not (house.folder / "work/screen").exists()


def test_preflight_looks_at_the_base_models_of_an_axis(house):
    other = house.folder / "models/grand.safetensors"
    save_file({"conditioner.embedders.1.model.ln_final.weight": np.ones(4, np.float32)}, other)
    models = ["models/tiny", "models/grand.safetensors"]
    house.write_config(grid={"sheets": {"models": {"x": {"model": models}}}})
    try:
        run = house.snakemake("grids/shim/base/models.png")
    finally:
        house.write_config()
    assert run.status == 1 and "Traceback" not in run.text
    message = run.text.partition("\nloramake: ")[2]
    assert all(word in message for word in ("grand.safetensors", "SDXL", "grid.sheets.models"))


def test_tagging_is_planned_only_with_a_tagger(house):
    assert "autotag.model" in refusal(house, "work/autotags/shim")
    house.write_config(autotag=write_tagger(house.folder / "models/tagger"))
    try:
        assert house.plan() == {"autotag_images", *CHAIN}
        assert house.plan("work/autotags/shim") == {"autotag_images"}
        house.write_config(autotag={"model": "models/tagger/model.onnx"})
        assert "autotag.tags" in refusal(house)
    finally:
        house.write_config()


def test_output_folder_that_cannot_be_written(house):
    blocked = house.folder / "grids"
    blocked.write_text("a file in the way", encoding="utf-8")
    try:
        assert str(blocked) in refusal(house)
    finally:
        blocked.unlink()


@pytest.mark.parametrize("folder", ["grids", "work/tags", "loras/shim", "."])
def test_output_folder_without_permission(house, folder):
    blocked = house.folder / folder
    blocked.mkdir(parents=True, exist_ok=True)
    blocked.chmod(0o500)
    try:
        assert str(blocked) in refusal(house)
    finally:
        blocked.chmod(0o700)


def test_workflow_files_hold_to_snakemakes_rules(house):
    run = house.snakemake("--lint")
    assert run.status == 0, run.text
