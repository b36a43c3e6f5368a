"""Axes, sheets and sweeps as the config says them: what is read, and what is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from loramake import schema, settings, sheetconfig, variants
from loramake.axes import read_axis
from loramake.errors import UserError
from loramake.sheetplans import check_sheet, read_sheet

HOUSE = Path(__file__).resolve().parents[1]
RULES = schema.load_schema(HOUSE / "config/schema.yaml")
GRID = {"prompts": ["{trigger}, red dress"], "seeds": [1, 2]}
SWEEPS = {"rates": {"unet_lr": [0.0005, "1e-3"]}}


def sheet(**entry):
    return read_sheet("mine", entry, GRID, RULES, SWEEPS)


@pytest.mark.parametrize(
    ("axis", "kind", "values"),
    [
        ({"weight": "0-1(+0.5)"}, "weight", (0, 0.5, 1)),
        ({"weight": 0.8}, "weight", (0.8,)),
        ({"epoch": "all"}, "epoch", ("all",)),
        ({"epoch": "2-6(+2)"}, "epoch", (2, 4, 6)),
        ({"Seed": [7, 8]}, "seed", (7, 8)),
        ({"Sampler": "Euler a, DPM++ 2M Karras"}, "sampler", ("Euler a", "DPM++ 2M Karras")),
        ({"Steps": "10-30[3]"}, "steps", (10, 20, 30)),
        ({"CFG Scale": "5, 7.5"}, "cfg_scale", (5, 7.5)),
        ({"Prompt S/R": 'red, blue, "green, striped"'}, "prompt_sr", ("red", "blue", "green, striped")),
        ({"prompt": ["a, b", "c"]}, "prompt", ("a, b", "c")),
        ({"clip_skip": "1-2"}, "clip_skip", (1, 2)),
        ({"lora_weight": [0, 0.6]}, "lora_weight", (0, 0.6)),
    ],
)
def test_axes(axis, kind, values):
    read = read_axis(axis, "grid.sheets.mine.x")
    assert (read.kind, read.values) == (kind, values)
    assert len(read.labels()) == len(values)


@pytest.mark.parametrize(
    ("axis", "word"),
    [
        ({"wieght": "0, 1"}, "weight"),
        ({"sampler": "Eular"}, "Euler"),
        ({"weight": "0, much"}, "much"),
        ({"weight": "50"}, "50"),
        ({"steps": "1.5"}, "whole"),
        ({"cfg_scale": "0"}, "CFG"),
        ({"seed": "-1"}, "seed"),
        ({"prompt_sr": "red"}, "prompt_sr"),
        ({"prompt": []}, "prompt"),
        ({"sampler": "Euler, Euler"}, "sampler"),
        ({"model": "nowhere.safetensors"}, "nowhere"),
        ({"weight": "0", "epoch": "1"}, "one name"),
        ("weight", "one name"),
    ],
)
def test_bad_axes_are_refused_by_name(axis, word):
    with pytest.raises(UserError) as caught:
        read_axis(axis, "grid.sheets.mine.x")
    assert word in str(caught.value) and "grid.sheets.mine.x" in str(caught.value)


def test_models_of_one_name_are_told_apart(tmp_path):
    for name in ("a/anime.ckpt", "b/anime.ckpt", "b/other.ckpt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    paths = [str(tmp_path / name) for name in ("a/anime.ckpt", "b/anime.ckpt")]
    assert read_axis({"model": paths}, "x").labels() == paths
    assert read_axis({"model": [paths[0], str(tmp_path / "b/other.ckpt")]}, "x").labels() == ["anime", "other"]


def test_variants_of_an_axis_are_names_and_sweeps():
    read = sheet(x={"weight": "1"}, y={"variant": ["base", "network_dim=8+16", "rates"]})
    assert read.values("variant") == ("base", "network_dim=8", "network_dim=16", "unet_lr=5e-4", "unet_lr=1e-3")


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        ({"y": {"weight": "1"}}, "x axis"),
        ({"x": {"weight": "1"}, "sedes": [1]}, "seeds"),
        ({"x": {"weight": "1"}, "y": {"weight": "0"}}, "the same"),
        ({"x": {"lora_weight": "0, 1"}}, "lora:"),
        ({"x": {"weight": "1"}, "lora": "style"}, "lora_weight"),
        ({"x": {"weight": "1"}, "epoch": "first"}, "epoch"),
        ({"x": {"weight": "1"}, "weight": 99}, "weight"),
        ({"x": {"variant": "unet_rl=1e-3"}}, "unet_lr"),
        ({"x": {"variant": "unet_lr=0.0005"}}, "5e-4"),
        ({"x": {"variant": "rate"}}, "rates"),
        ({"x": {"weight": "1"}, "v_parameterization": "a.safetensors"}, "axis model"),
    ],
)
def test_bad_sheets_are_refused_by_name(entry, word):
    with pytest.raises(UserError, match=word):
        sheet(**entry)


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        ({"x": {"prompt_sr": "blue, green"}}, "blue"),
        ({"x": {"prompt_sr": "red, (blue"}}, r"\(blue"),
        ({"x": {"prompt": ["(a"]}}, r"\(a"),
        ({"x": {"cfg_scale": "1-30(+0.5)"}, "y": {"steps": "1-100"}, "z": {"seed": "1-9"}}, "too big"),
    ],
)
def test_sheets_that_cannot_be_drawn_are_refused(entry, word):
    with pytest.raises(UserError, match=word):
        check_sheet(sheet(**entry), "bad", "shim", 10)


def test_texts_of_a_sheet():
    read = sheet(x={"prompt_sr": "red, blue"}, y={"lora_weight": "0, 0.5"}, lora="style")
    assert read.texts("shim") == [
        "shim, red dress",
        "shim, red dress <lora:style:0.5>",
        "shim, blue dress",
        "shim, blue dress <lora:style:0.5>",
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("unet_lr=5e-4+1e-3", ["unet_lr=5e-4", "unet_lr=1e-3"]),
        ("unet_lr=1e-3+5e-4", ["unet_lr=1e-3", "unet_lr=5e-4"]),
        (
            "network_dim=8+16__unet_lr=5e-4+1e-3",
            [f"network_dim={dim}__unet_lr={rate}" for dim in (8, 16) for rate in ("5e-4", "1e-3")],
        ),
        ("network_dim=8__unet_lr=5e-4+1e-3", ["network_dim=8__unet_lr=5e-4", "network_dim=8__unet_lr=1e-3"]),
        ("rates", ["unet_lr=5e-4", "unet_lr=1e-3"]),
    ],
)
def test_sweeps(text, names):
    assert variants.parse_sweep(text, RULES, SWEEPS) == names


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("unet_lr=0.0005+1e-3", "unet_lr=5e-4"),
        ("unet_lr=5e-4+1e-3__network_dim=8", "network_dim=8__unet_lr"),
        ("unet_lr=5e-4+5e-4", "once"),
        ("unet_rl=5e-4+1e-3", "unet_lr"),
        ("unet_lr=5e-4+9", "unet_lr"),
        ("resolution=64+128", "resolution"),
        ("unet_lr=", "unet_lr"),
        ("network_dim=" + "+".join(map(str, range(1, 70))), "69 variants"),
        ("raets", "rates"),
        ("", "rates"),
    ],
)
def test_bad_sweeps_are_refused_by_name(text, word):
    with pytest.raises(UserError) as caught:
        variants.parse_sweep(text, RULES, SWEEPS)
    assert word in str(caught.value)


def config(**sections):
    raw = {"base_model": "m", "characters": {"shim": {"tag": "a", "trigger": "shim"}}, **sections}
    return settings.load(raw, RULES, HOUSE / "config/presets")


@pytest.mark.parametrize(
    ("sections", "word"),
    [
        ({"sweeps": {"rates": {"unet_lr": [9]}}}, "unet_lr"),
        ({"sweeps": {"rates": [1]}}, "sweeps.rates"),
        ({"sweeps": {"rates": {}}}, "sweeps.rates"),
        ({"grid": {"weights": "0-9.9(+0.1)", "seeds": list(range(11))}}, "too big"),
        ({"grid": {"sheets": {"mine": {"x": {"wieght": 1}}}}}, "weight"),
        ({"grid": {"sheets": {"mine": {"x": {"epoch": "1, 99"}}}}}, "epoch 99"),
        (
            {"grid": {"sheets": {"mine": {"x": {"weight": 1}, "epoch": 3}}}, "train": {"save_every_n_epochs": 2}},
            "epoch 3",
        ),
    ],
)
def test_bad_configs_are_refused_by_name(sections, word):
    with pytest.raises(UserError, match=word):
        sheetconfig.check_sheets(config(**sections), RULES, "shim")


def test_a_job_is_told_what_it_draws_and_nothing_else():
    whole = config(grid={"sheets": {"mine": {"x": {"weight": "0-1"}}, "other": {"x": {"steps": "3"}}}})
    told = sheetconfig.sheet_slice(
        sheetconfig.named_sheet("mine", whole, RULES), {"clip_skip=1": {"clip_skip": 1}}, whole, RULES, "shim"
    )
    assert told["axes"] == {"x": ["weight", [0, 1]]} and told["clip_skips"] == {"clip_skip=1": 1}
    assert not {"weights", "epochs", "clip_skip", "sheets"} & set(told)
    with pytest.raises(UserError, match="nearest is mine"):
        sheetconfig.named_sheet("mien", whole, RULES)


def test_a_job_is_told_what_each_model_of_an_axis_predicts(tmp_path):
    for name in "abc":
        (tmp_path / name).touch()
    models = [str(tmp_path / name) for name in "abc"]
    sheets = {"mine": {"x": {"model": models}, "v_parameterization": models[2:], "zero_terminal_snr": models[2]}}
    whole = config(base_model=models[0], train={"v_parameterization": True}, grid={"sheets": sheets})
    told = sheetconfig.sheet_slice(sheetconfig.named_sheet("mine", whole, RULES), {}, whole, RULES, "shim")
    assert [told["models_said"][model]["v_parameterization"] for model in models] == [True, "auto", True]
    assert [told["models_said"][model]["zero_terminal_snr"] for model in models] == ["auto", "auto", True]
