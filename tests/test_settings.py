"""The config: defaults, presets, spellings, refusals, and the slices that stages see."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from loramake import schema, settings
from loramake.contradictions import train_warnings
from loramake.errors import StaleSettingsError, UserError
from loramake.estimates import GIB, rendering_memory, training_memory
from loramake.modelfacts import ModelFacts
from loramake.recipe import make_recipe
from loramake.revisions import REVISIONS

HOUSE = Path(__file__).resolve().parents[1]
RULES = schema.load_schema(HOUSE / "config/schema.yaml")
PRESETS = HOUSE / "config/presets"
CHARACTER = {"shimakaze": {"tag": "shimakaze (azur lane)", "trigger": "shim"}}


def load(**raw: object) -> dict:
    return settings.load({"characters": CHARACTER, "base_model": "model.safetensors", **raw}, RULES, PRESETS)


def refusal(**raw: object) -> str:
    with pytest.raises(UserError) as caught:
        load(**raw)
    return str(caught.value)


def test_defaults_are_the_guides():
    train = load()["train"]
    assert (train["resolution"], train["network_dim"], train["network_alpha"], train["unet_lr"]) == (512, 128, 1, 2e-3)
    assert (train["text_encoder_lr"], train["lr_scheduler"], train["clip_skip"]) == ("auto", "cosine", 2)
    tiers = {"good": 2, "normal": 1, "weak": 0.5}
    assert load()["dataset"] == {"repeats": "auto", "target_steps": 4000, "tiers": tiers}


def test_schema_is_a_valid_json_schema_and_its_defaults_obey_it():
    jsonschema.Draft202012Validator.check_schema(RULES)
    for path, leaf in schema.leaves(RULES):
        assert {"description", "advice"} <= set(leaf), path
        assert set(leaf.get("stages", ())) <= set(REVISIONS), path
        if "default" in leaf:
            assert schema.check(leaf, leaf["default"], ".".join(path))[1] == []


@pytest.mark.parametrize(
    "file", [HOUSE / "config/config.yaml", *sorted(PRESETS.glob("*.yaml"))], ids=lambda path: path.stem
)
def test_shipped_configs_and_presets_load(file):
    raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    config = settings.load({"characters": CHARACTER, **raw}, RULES, PRESETS)
    assert config["characters"]["shimakaze"]["trigger"] == "shim"


def test_preset_stands_between_defaults_and_the_users_keys():
    config = load(preset="cpu", train={"network_dim": 4})
    assert config["train"]["resolution"] == 160
    assert config["train"]["network_dim"] == 4
    assert config["train"]["lr_scheduler"] == "cosine"


def test_empty_section_counts_as_absent():
    assert load(preset="cpu", train=None)["train"]["resolution"] == 160


@pytest.mark.parametrize(
    ("section", "key", "given", "expected"),
    [
        ("train", "unet_lr", "2e-3", 0.002),
        ("train", "unet_lr", 1, 1.0),
        ("train", "text_encoder_lr", "5e-4", 0.0005),
        ("train", "text_encoder_lr", "auto", "auto"),
        ("train", "network_alpha", 8, 8.0),
        ("train", "max_train_epochs", "1e1", 10),
        ("train", "mixed_precision", False, "no"),
        ("train", "max_token_length", "150", 150),
        ("grid", "weights", [0, "5e-1"], [0.0, 0.5]),
        ("grid", "weights", "0-1(+0.2)", "0-1(+0.2)"),
        ("dataset", "repeats", 6, 6),
    ],
)
def test_spellings_become_the_schemas_type(section, key, given, expected):
    value = load(**{section: {key: given}})[section][key]
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("train", "unet_lr", 7),
        ("train", "unet_lr", "fast"),
        ("train", "unet_lr", float("nan")),
        ("train", "unet_lr", True),
        ("train", "network_dim", 0),
        ("train", "network_dim", 2.5),
        ("train", "resolution", 500),
        ("train", "lr_scheduler", "cosinus"),
        ("train", "shuffle_caption", "perhaps"),
        ("tags", "drop", "highres"),
        ("grid", "prompts", []),
        ("grid", "seeds", [-1]),
        ("dataset", "repeats", "often"),
        ("clean", "max_aspect", 0.5),
    ],
)
def test_refusal_names_key_and_value(section, key, value):
    message = refusal(**{section: {key: value}})
    assert f"{section}.{key}" in message
    assert str(value[0] if isinstance(value, list) and value else value) in message


@pytest.mark.parametrize(
    ("raw", "nearest"),
    [
        ({"train": {"nework_dim": 4}}, "train.network_dim"),
        ({"unet_lr": 1e-3}, "train.unet_lr"),
        ({"tran": {}}, "train"),
        ({"grid": {"prompt": ["x"]}}, "grid.prompts"),
    ],
)
def test_unknown_key_names_the_nearest(raw, nearest):
    assert nearest in refusal(**raw)


def test_all_problems_come_in_one_message():
    message = refusal(train={"unet_lr": 7, "network_dim": 0}, grid={"steps": 0}, base_modle="x")
    assert all(key in message for key in ("train.unet_lr", "train.network_dim", "grid.steps", "base_modle"))


@pytest.mark.parametrize(
    "raw",
    [
        {"characters": {}},
        {"characters": {"Shim Kaze": {"tag": "a", "trigger": "b"}}},
        {"characters": {"shim": {"tag": "a"}}},
        {"characters": {"shim": {"tag": "a", "trigger": "x,y"}}},
        {"characters": {"shim": {"tag": "a", "trigger": 7}}},
        {"preset": "gpu"},
        {"train": {"min_bucket_reso": 512, "max_bucket_reso": 256}},
        {"grid": {"epochs": [11]}},
        {"train": ["unet_lr"]},
    ],
    ids=str,
)
def test_other_refusals(raw):
    assert refusal(**raw)


def values(config: dict, stage: str, **overrides: object) -> dict:
    return settings.stage_slice(config, RULES, "shimakaze", stage, overrides)


def test_slices_are_narrow():
    before, after = load(), load(grid={"prompts": ["{trigger}"]})
    assert [stage for stage in REVISIONS if values(before, stage) != values(after, stage)] == ["cells"]
    after = load(train={"unet_lr": 1e-3})
    assert [stage for stage in REVISIONS if values(before, stage) != values(after, stage)] == ["train"]
    after = load(dataset={"target_steps": 3000})
    assert [stage for stage in REVISIONS if values(before, stage) != values(after, stage)] == ["dataset"]
    after = load(train={"max_train_epochs": 8})
    assert [stage for stage in REVISIONS if values(before, stage) != values(after, stage)] == [
        "dataset",
        "steps",
        "report",
        "train",
    ]


def test_every_setting_reaches_a_stage():
    used = {key for stage in REVISIONS for key in values(load(grid={"model": "other"}), stage)}
    unused = {path[-1] for path, leaf in schema.leaves(RULES) if path[-1] not in used}
    # a regularisation folder is an input; sheets and sweeps reach the jobs that are asked for by name
    assert unused == {"preset", "reg_dir", "sheets", "sweeps"}


def test_variant_overrides_reach_training_and_the_cells_clip_skip_alone():
    config = load()
    assert values(config, "train", unet_lr=5e-4)["unet_lr"] == 5e-4
    assert values(config, "cells", unet_lr=5e-4) == values(config, "cells")
    assert values(config, "cells", clip_skip=1)["clip_skip"] == 1
    assert values(config, "dataset", max_train_epochs=3) == values(config, "dataset")


def test_characters_repeats_win_over_the_datasets():
    fixed = {"shimakaze": CHARACTER["shimakaze"] | {"repeats": 6}}
    assert values(load(characters=fixed), "dataset")["repeats"] == 6
    assert values(load(dataset={"repeats": 3}), "dataset")["repeats"] == 3


def test_grid_model_replaces_the_base_model_in_cells_alone():
    config = load(grid={"model": "other.safetensors"})
    assert values(config, "cells")["base_model"] == "other.safetensors"
    assert values(config, "train")["base_model"] == "model.safetensors"


def test_settings_file_is_the_same_for_every_spelling_and_refused_when_it_changed(tmp_path):
    texts = {
        settings.slice_text(values(load(train={"unet_lr": lr}), "train"), "train") for lr in ("1e-3", 0.001, "0.001")
    }
    assert len(texts) == 1
    path, text = tmp_path / "train.json", texts.pop()
    path.write_text(text, encoding="utf-8")
    assert settings.read_slice(path, settings.digest(text)) == values(load(train={"unet_lr": 1e-3}), "train")
    path.write_text(text.replace("0.001", "0.002"), encoding="utf-8")
    with pytest.raises(StaleSettingsError):
        settings.read_slice(path, settings.digest(text))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"train": {"max_token_length": 100}}, ["train.max_token_length", "75", "150", "225"]),
        ({"device": "cpu", "train": {"mixed_precision": "fp16"}}, ["train.mixed_precision", "CPU"]),
        ({"device": "cpu", "train": {"optimizer_type": "AdamW8bit"}}, ["train.optimizer_type", "CUDA"]),
        ({"device": "mps", "train": {"xformers": True}}, ["train.xformers", "CUDA"]),
        ({"train": {"max_train_steps": 50, "lr_warmup_steps": 50}}, ["train.lr_warmup_steps", "train.max_train_steps"]),
        ({"train": {"unet_lr": 0, "text_encoder_lr": 0}}, ["train.unet_lr", "train.text_encoder_lr"]),
        ({"train": {"zero_terminal_snr": True, "v_parameterization": False}}, ["train.v_parameterization"]),
        ({"train": {"caption_dropout_rate": 1}}, ["train.caption_dropout_rate"]),
        ({"train": {"optimizer_args": ["betas=0.9;0.99"]}}, ["train.optimizer_args", "key=value"]),
        ({"train": {"save_every_n_epochs": 2}, "grid": {"epochs": [3]}}, ["grid.epochs", "train.save_every_n_epochs"]),
        ({"publish": {"epoch": 11}}, ["publish.epoch", "train.max_train_epochs"]),
        ({"train": {"network_dim": 4}, "grid": {"epochs": [99]}}, ["grid.epochs"]),
    ],
    ids=str,
)
def test_contradictions_are_refused_with_both_settings(raw, words):
    message = refusal(**raw)
    assert all(word in message for word in words), message


def test_epochs_of_a_run_counted_in_steps_are_not_known_beforehand():
    assert load(train={"max_train_steps": 9000}, grid={"epochs": [30]})["grid"]["epochs"] == [30]


@pytest.mark.parametrize(
    ("train", "words"),
    [
        ({"network_dim": 8, "network_alpha": 16}, ["network_alpha 16", "network_dim 8"]),
        ({"conv_alpha": 4}, ["conv_alpha", "conv_dim"]),
        ({"lr_scheduler": "constant", "lr_warmup_steps": 5}, ["lr_warmup_steps"]),
        ({"lr_scheduler_num_cycles": 3}, ["lr_scheduler_num_cycles"]),
        ({"save_every_n_epochs": 20}, ["save_every_n_epochs", "last"]),
        ({"optimizer_type": "AdamWScheduleFree"}, ["lr_scheduler"]),
        ({}, None),
    ],
    ids=str,
)
def test_what_is_risky_or_idle_is_a_warning(train, words):
    told = train_warnings(load(train=train)["train"])
    assert len(told) == bool(words) and all(word in told[0] for word in words or ())


def test_a_forced_prediction_type_reaches_the_drawing_of_its_own_model():
    def cells(**raw: object) -> object:
        return settings.stage_slice(load(**raw), RULES, "shimakaze", "cells")["v_parameterization"]

    forced = {"train": {"v_parameterization": True}}
    assert cells() == "auto" and cells(**forced) is True
    assert cells(**forced, grid={"model": "other.safetensors"}) == "auto"
    assert cells(grid={"model": "other.safetensors", "v_parameterization": True}) is True
    assert cells(**forced, grid={"v_parameterization": False}) is False


def test_what_is_said_of_models_that_stand_beside_one_another():
    whole = load(
        train={"v_parameterization": True, "zero_terminal_snr": True},
        grid={"model": "./other.safetensors", "v_parameterization": False},
    )
    said = [
        settings.said_of_model(whole, path) for path in (whole["base_model"], "other.safetensors", "third.safetensors")
    ]
    assert [each["v_parameterization"] for each in said] == [True, False, "auto"]
    assert [each["zero_terminal_snr"] for each in said] == [True, "auto", "auto"]


PRESET_KEYS = [
    (path.stem, section, key)
    for path in sorted(PRESETS.glob("*.yaml"))
    for section, keys in yaml.safe_load(path.read_text(encoding="utf-8")).items()
    for key in (keys if isinstance(keys, dict) else [None])
]
# legal beside what else the preset sets
OTHER = {"resolution": 192, "min_bucket_reso": 64, "max_bucket_reso": 512, "seeds": [5], "device": "auto", "seed": 5}
DIFFERENT = {bool: lambda value: not value, int: lambda value: value + 1, float: lambda value: value / 2 or 0.5}


@pytest.mark.parametrize(("preset", "section", "key"), PRESET_KEYS)
def test_every_key_of_a_preset_gives_way_to_the_users(preset, section, key):
    def value(config: dict) -> object:
        return config[section][key] if key else config[section]

    given = value(load(preset=preset))
    other = OTHER.get(key or section)
    if other is None:
        leaf = RULES["properties"][section]["properties"][key]
        words = {"mixed_precision": "bf16", "weights": "0, 0.5", "optimizer_type": "Lion", "sampler": "Euler"}
        other = 64 if leaf.get("multipleOf") else words[key] if key in words else DIFFERENT[type(given)](given)
    config = load(preset=preset, **{section: {key: other} if key else other})
    assert value(config) == other != given


@pytest.mark.parametrize(("preset", "gib"), [("low-vram", 5.5), ("high-vram", 22), ("none", 8), ("shimka-test", 8)])
def test_presets_fit_their_cards(preset, gib):
    config = load(preset=preset)
    sd15 = ModelFacts(859_520_964, 123_060_480, 83_653_863, 423_936, 165_888, 82_880, 544_000)
    grid = {key: config["grid"][key] for key in ("width", "height", "batch_size")}
    assert training_memory(make_recipe(config["train"]), sd15, "bf16", "cuda") < gib * GIB
    assert rendering_memory(sd15, 10 * sd15.lora(128), half=True, device="cuda", **grid) < (gib + 0.25) * GIB


def test_the_guides_own_test_is_fixed_in_all_that_chance_could_touch():
    config = load(preset="shimka-test")
    train = config["train"]
    assert (train["seed"], config["grid"]["seeds"]) == (1337, [13371488])
    assert not (train["shuffle_caption"] or train["flip_aug"])
    assert train["caption_dropout_rate"] == train["caption_tag_dropout_rate"] == 0
