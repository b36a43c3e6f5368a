"""What the training settings do to a run: lengths, optimizers, LoRA forms, regularisation, validation, metadata."""

from __future__ import annotations

import ast
import json
import resource
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from trainable import SETTINGS, make_base, make_dataset, make_latents

from loramake import schema, trainloop
from loramake.errors import UserError
from loramake.lora import load_file as load_lora
from loramake.recipe import Recipe, make_recipe
from loramake.training import train_lora

HOUSE = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ground")
    base = make_base(folder / "base.safetensors")
    dataset = make_dataset(folder / "dataset")
    make_dataset(folder / "reg_source", repeats=1, sizes=((64, 64),) * 2)
    (folder / "reg_source" / "1_shim").rename(folder / "reg_source" / "1_girl")
    options = {"flip_aug": True, "reg_dir": folder / "reg_source"}
    make_latents(dataset, base, folder / "latents", folder / "cache", **options)
    return folder


@pytest.fixture(autouse=True)
def fixed_time(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


def train(ground, folder, **changes):
    options = {**SETTINGS, "max_train_epochs": 1, "device": "cpu", "name": "shim", **changes}
    base = str(ground / "base.safetensors")
    return train_lora(
        ground / "dataset", ground / "latents", folder / "out", folder / "runs", base_model=base, **options
    )


def last(folder):
    """Tensors and metadata of the last epoch."""
    return load_lora(sorted((folder / "out").glob("*.safetensors"))[-1])


def rows(folder, name="loss.tsv"):
    head, *lines = (folder / "out" / name).read_text().splitlines()
    return [dict(zip(head.split("\t"), map(float, line.split("\t")), strict=True)) for line in lines]


def test_new_keys_at_their_defaults_leave_the_identity_of_a_run_alone():
    first = make_recipe({}).canonical()
    assert "conv_dim" not in first and "optimizer_args" not in first
    assert make_recipe({"conv_dim": 4}).canonical() == {**first, "conv_dim": 4}
    assert make_recipe({"network_dropout": 0, "optimizer_args": []}).canonical() == first


def test_accumulated_batches_are_one_step(ground, tmp_path):
    index = train(ground, tmp_path, gradient_accumulation_steps=3, max_train_epochs=2)
    # 4 batches an epoch: 3 + 1
    assert index["optimizer_steps"] == 4
    stated = last(tmp_path)[1]
    assert stated["ss_max_train_steps"] == "4" and stated["ss_gradient_accumulation_steps"] == "3"
    assert stated["ss_num_batches_per_epoch"] == "4" and stated["ss_total_batch_size"] == "6"
    assert [r["epoch"] for r in rows(tmp_path)] == [1, 1, 2, 2]


def test_accumulating_two_halves_is_like_the_whole_batch():
    """Mean of the halves' gradients: what a batch of twice the size gives."""
    weight = torch.ones(3, requires_grad=True)
    inputs = torch.randn(4, 3)
    whole = torch.autograd.grad((inputs @ weight).pow(2).mean(), weight)[0]
    halves = [torch.autograd.grad((half @ weight).pow(2).mean() / 2, weight)[0] for half in inputs.chunk(2)]
    assert torch.allclose(whole, sum(halves), rtol=1e-4)


def test_length_in_steps(ground, tmp_path):
    index = train(ground, tmp_path, max_train_steps=6, max_train_epochs=9)
    assert index["optimizer_steps"] == 6 and [e["epoch"] for e in index["epochs"]] == [1, 2]
    stated = last(tmp_path)[1]
    assert (stated["ss_max_train_steps"], stated["ss_num_epochs"], stated["ss_steps"]) == ("6", "2", "6")
    rates = [r["unet_lr"] for r in rows(tmp_path)]
    assert len(rates) == 6 and rates[3] == pytest.approx(SETTINGS["unet_lr"] / 2)  # cosine, half way


OPTIMIZERS = {
    "Lion": {"unet_lr": 1e-3},
    "Prodigy": {"unet_lr": 1, "optimizer_args": ["decouple=True", "d0=0.001"]},
    "AdamWScheduleFree": {},
    "Adafactor": {"optimizer_args": ["relative_step=False", "scale_parameter=False"]},
    "torch.optim.RAdam": {"optimizer_args": ["betas=0.9,0.99"]},
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_train_and_resume_exactly(ground, tmp_path, monkeypatch, name):
    options = {"optimizer_type": name, "max_train_epochs": 2, "save_precision": "float", **OPTIMIZERS[name]}
    train(ground, tmp_path / "whole", **options)
    original = trainloop.save_state

    def save_and_stop(*args, **kwargs):
        original(*args, **kwargs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(trainloop, "save_state", save_and_stop)
        train(ground, tmp_path / "cut", **options)
    train(ground, tmp_path / "cut", **options)
    whole, cut = last(tmp_path / "whole"), last(tmp_path / "cut")
    assert all(torch.equal(value, cut[0][key]) for key, value in whole[0].items()) and whole[1] == cut[1]
    assert name.rpartition(".")[2] in whole[1]["ss_optimizer"]
    assert all(
        argument in whole[1]["ss_optimizer"]
        for argument in options.get("optimizer_args", [])
        if "betas" not in argument
    )


def test_schedule_free_saves_the_average_and_not_the_point_of_training(ground, tmp_path, monkeypatch):
    seen = {}
    original = trainloop.save_state

    def look(folder, network, optimizer, *args, **kwargs):
        seen.update(network.tensors())
        seen["training"] = optimizer.param_groups[0]["train_mode"]
        original(folder, network, optimizer, *args, **kwargs)

    monkeypatch.setattr(trainloop, "save_state", look)
    train(ground, tmp_path, optimizer_type="AdamWScheduleFree", save_precision="float")
    saved = last(tmp_path)[0]
    assert seen.pop("training") is True
    assert any(not torch.equal(saved[key], value) for key, value in seen.items())
    assert len({r["unet_lr"] for r in rows(tmp_path)}) == 1  # it has its own schedule


def test_adafactors_own_rates_are_what_is_logged(ground, tmp_path, monkeypatch):
    """The log against what the optimizer's own step asked for, weight by weight."""
    from transformers.optimization import Adafactor

    taken = {"lora_te_": [], "lora_unet_": []}
    own = Adafactor._get_lr

    def noting(group, state):
        rate = own(group, state)
        taken[rates_of[id(group)]].append(float(rate))
        return rate

    rates_of = {}

    def step(self, *arguments):
        rates_of.update({id(group): name for group, name in zip(self.param_groups, taken, strict=True)})
        with monkeypatch.context() as patch:
            patch.setattr(Adafactor, "_get_lr", staticmethod(noting))
            return plain(self, *arguments)

    plain = Adafactor.step
    monkeypatch.setattr(Adafactor, "step", step)
    train(ground, tmp_path, optimizer_type="Adafactor", unet_lr=1e-9)
    logged = rows(tmp_path)
    for name, key in (("lora_te_", "text_encoder_lr"), ("lora_unet_", "unet_lr")):
        per_step = [sum(part) / len(part) for part in _parts(taken[name], len(logged))]
        assert [row[key] for row in logged] == pytest.approx(per_step, rel=1e-4)
    assert min(row["unet_lr"] for row in logged) > 1e-6  # not the setting, which counts for nothing here


def _parts(values, count):
    size = len(values) // count
    return [values[start : start + size] for start in range(0, len(values), size)]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"lr_warmup_steps": 8}, "lr_warmup_steps"),
        ({"optimizer_type": "AdamW8bit"}, "CUDA"),
        ({"optimizer_type": "Lion8bit"}, "Lion8bit"),
        ({"optimizer_type": "AdamQ"}, "Prodigy"),
        ({"optimizer_type": "nowhere.AdamQ"}, "pip install nowhere"),
        ({"optimizer_type": "torch.optim.RAdam", "optimizer_args": ["speed=3"]}, "optimizer_args"),
        ({"optimizer_args": ["betas"]}, "key=value"),
        ({"optimizer_type": "Prodigy", "unet_lr": 1, "text_encoder_lr": 0.5}, "text_encoder_lr"),
        ({"zero_terminal_snr": True}, "velocity"),
        ({"zero_terminal_snr": True, "v_parameterization": False}, "velocity"),
        ({"network_weights": "nowhere.safetensors"}, "network_weights"),
        ({"network_dropout": 1}, "network_dropout"),
    ],
)
def test_what_cannot_work_is_refused(ground, tmp_path, changes, word):
    with pytest.raises(UserError) as error:
        train(ground, tmp_path, **changes)
    assert word in str(error.value)


def test_locon_has_kohyas_layers(ground, tmp_path):
    train(ground, tmp_path, conv_dim=2, conv_alpha=1)
    tensors, stated = last(tmp_path)
    conv = tensors["lora_unet_down_blocks_0_resnets_0_conv1.lora_down.weight"]
    assert conv.shape == (2, 16, 3, 3)
    assert tensors["lora_unet_down_blocks_0_resnets_0_conv1.lora_up.weight"].shape == (16, 2, 1, 1)
    assert tensors["lora_unet_down_blocks_0_resnets_0_time_emb_proj.lora_down.weight"].shape[0] == 4
    for name in ("down_blocks_0_downsamplers_0_conv", "up_blocks_0_upsamplers_0_conv", "mid_block_resnets_0_conv2"):
        assert tensors[f"lora_unet_{name}.lora_down.weight"].ndim == 4
    assert not any("lora_mid" in key or key.startswith(("lora_unet_conv_in", "lora_unet_time_emb")) for key in tensors)
    assert json.loads(stated["ss_network_args"]) == {"conv_dim": "2", "conv_alpha": "1", "dropout": None}


def test_dropout_and_norm_limit(ground, tmp_path):
    train(ground, tmp_path / "plain", save_precision="float")
    train(ground, tmp_path / "drop", save_precision="float", network_dropout=0.5)
    train(ground, tmp_path / "limit", save_precision="float", scale_weight_norms=0.01)
    plain, drop, limit = (last(tmp_path / name)[0] for name in ("plain", "drop", "limit"))
    key = "lora_unet_mid_block_attentions_0_proj_in"
    assert not torch.equal(plain[f"{key}.lora_up.weight"], drop[f"{key}.lora_up.weight"])
    norms = [
        (t[f"{key}.lora_up.weight"].flatten(1) @ t[f"{key}.lora_down.weight"].flatten(1)).norm() / 4
        for t in (plain, limit)
    ]
    assert norms[0] > 0.011 and norms[1] <= 0.010001
    assert last(tmp_path / "limit")[1]["ss_scale_weight_norms"] == "0.01"
    assert last(tmp_path / "drop")[1]["ss_network_dropout"] == "0.5"


def test_going_on_from_a_lora(ground, tmp_path):
    train(ground, tmp_path / "first", save_precision="float")
    file = next((tmp_path / "first" / "out").glob("*.safetensors"))
    options = {"save_precision": "float", "network_weights": str(file), "unet_lr": 1e-9, "text_encoder_lr": 1e-9}
    train(ground, tmp_path / "again", network_alpha=2, **options)
    before, after = load_file(file), last(tmp_path / "again")[0]
    key = next(k for k in before if k.endswith("lora_up.weight") and before[k].any())
    # twice the alpha: half the weights, the same effect
    assert torch.allclose(after[key], before[key] / 2, atol=1e-6)
    with pytest.raises(UserError) as error:
        train(ground, tmp_path / "other", network_dim=8, **options)
    assert "network_dim: 4" in str(error.value)


def test_mirror_images(ground, tmp_path):
    train(ground, tmp_path / "plain")
    train(ground, tmp_path / "flip", flip_aug=True)
    assert [r["loss"] for r in rows(tmp_path / "plain")] != [r["loss"] for r in rows(tmp_path / "flip")]
    assert last(tmp_path / "flip")[1]["ss_flip_aug"] == "True"


def test_regularisation_pictures(ground, tmp_path):
    index = train(ground, tmp_path / "one", reg_dir=ground / "reg_source")
    assert index["image_passes"] == 16  # as many of the class as of the character
    stated = last(tmp_path / "one")[1]
    assert stated["ss_num_train_images"] == "8" and stated["ss_num_reg_images"] == "2"
    assert json.loads(stated["ss_reg_dataset_dirs"]) == {"1_girl": {"n_repeats": 1, "img_count": 2}}
    assert stated["modelspec.trigger_phrase"] == "shim"
    train(ground, tmp_path / "none", reg_dir=ground / "reg_source", prior_loss_weight=0)
    first = [rows(tmp_path / name)[0]["loss"] for name in ("one", "none")]
    assert first[1] <= first[0]
    assert sum(r["loss"] for r in rows(tmp_path / "none")) < sum(r["loss"] for r in rows(tmp_path / "one"))


def test_held_out_pictures_are_validated_and_not_trained(ground, tmp_path, monkeypatch):
    index = train(ground, tmp_path, validation_split=0.25, max_train_epochs=2)
    assert index["image_passes"] == 2 * 2 * 3  # one of four pictures held out
    checks = rows(tmp_path, "validation.tsv")
    assert [c["epoch"] for c in checks] == [0, 1, 2] and len({c["validation_loss"] for c in checks}) == 3
    train(ground, tmp_path / "again", validation_split=0.25, max_train_epochs=2)
    again = (tmp_path / "again" / "out" / "validation.tsv").read_bytes()
    assert again == (tmp_path / "out" / "validation.tsv").read_bytes()


def test_velocity_models(ground, tmp_path):
    train(ground, tmp_path, v_parameterization=True, zero_terminal_snr=True, min_snr_gamma=5)
    stated = last(tmp_path)[1]
    assert stated["ss_base_model_version"] == "sd_v1_v" and stated["ss_zero_terminal_snr"] == "True"
    assert stated["modelspec.prediction_type"] == "v"


def test_no_metadata_keeps_what_loaders_need(ground, tmp_path):
    train(ground, tmp_path, no_metadata=True)
    stated = last(tmp_path)[1]
    assert {"ss_network_module", "ss_network_dim", "ss_network_alpha", "sshs_model_hash"} <= stated.keys()
    assert not any(word in str(stated) for word in ("shim", "1girl", "base.safetensors", "seed"))


def test_defaults_of_schema_and_recipe_agree():
    rules = schema.load_schema(HOUSE / "config/schema.yaml")["properties"]["train"]
    defaults = {path[-1]: leaf["default"] for path, leaf in schema.leaves(rules)}
    recipe = make_recipe(defaults)
    assert recipe == Recipe()


def test_one_run_under_two_names(ground, tmp_path):
    def files(folder: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (folder / "out").iterdir() if path.suffix != ".png"}

    train(ground, tmp_path / "a", title="shim-unet_lr-1e-2", max_train_epochs=2, save_every_n_epochs=1)
    other = files(tmp_path / "a")
    assert "shim-unet_lr-1e-2-000002.safetensors" in other
    train(ground, tmp_path / "b", max_train_epochs=2, save_every_n_epochs=1)
    # the run of the first under the second's name, and the other way round: as if it had been trained there
    (tmp_path / "b/runs").rename(tmp_path / "c")
    (tmp_path / "a/runs").rename(tmp_path / "b/runs")
    (tmp_path / "c").rename(tmp_path / "a/runs")
    own = files(tmp_path / "b")
    train(ground, tmp_path / "b", max_train_epochs=2, save_every_n_epochs=1)
    train(ground, tmp_path / "a", title="shim-unet_lr-1e-2", max_train_epochs=2, save_every_n_epochs=1)
    for folder, before in (("b", own), ("a", other)):
        assert {name: data for name, data in files(tmp_path / folder).items() if "events" not in name} == {
            name: data for name, data in before.items() if "events" not in name
        }
    assert all("relinked" in path.read_text() for path in tmp_path.glob("*/runs/*/work.tsv"))


def test_a_full_disk_in_the_middle_of_a_save_loses_nothing_finished(ground, tmp_path, monkeypatch):
    limits, save_state = resource.getrlimit(resource.RLIMIT_FSIZE), trainloop.save_state

    def fill_the_disk(*arguments: object, **options: object) -> None:
        save_state(*arguments, **options)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))

    options = {"max_train_epochs": 3}
    train(ground, tmp_path / "whole", **options)
    try:
        with monkeypatch.context() as patch, pytest.raises(UserError) as error:
            patch.setattr(trainloop, "save_state", fill_the_disk)
            train(ground, tmp_path / "cut", **options)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "disk is full" in str(error.value)
    (run,) = (path for path in (tmp_path / "cut/runs").iterdir() if path.is_dir())
    assert [path.name for path in run.glob("*.safetensors") if "state" not in path.name] == ["shim-000001.safetensors"]
    assert not list(run.glob(".*tmp*"))
    train(ground, tmp_path / "cut", **options)
    for path in (tmp_path / "whole/out").glob("*.safetensors"):
        assert (tmp_path / "cut/out" / path.name).read_bytes() == path.read_bytes()
    assert (
        sum(int(line.split("\t")[-1]) for line in (run / "work.tsv").read_text().splitlines())
        == len(rows(tmp_path / "cut")) * 2 // 3
    )


def test_every_training_setting_is_documented_and_part_of_what_a_run_is():
    rules = schema.load_schema(HOUSE / "config/schema.yaml")["properties"]["train"]
    plain, same = make_recipe({}).canonical(), set()
    words = {"optimizer_type": "Lion", "optimizer_args": ["eps=1e-7"], "network_weights": "a.safetensors"}
    for (key,), leaf in schema.leaves(rules):
        assert leaf["description"] and leaf["advice"] and "train" in leaf["stages"], key
        kinds = leaf.get("anyOf", [leaf])
        assert all({"minimum", "maximum"} <= kind.keys() for kind in kinds if kind.get("type") in ("integer", "number"))
        default = leaf["default"]
        for value in (words.get(key), *leaf.get("enum", ()), True, False, 64, 128, 2, 3, 0.5):
            right, problems = schema.check(leaf, value, key)
            if value is not None and not problems and right != default:
                break
        else:
            raise AssertionError(f"no other value for {key}")
        if make_recipe({key: right}).canonical() == plain:
            same.add(key)
    # how the work is divided, not what comes out
    assert same <= {"max_data_loader_n_workers"}, same


# modules that only check a setting, state it in a file, or reckon with it beforehand
TALKERS = {"recipe", "contradictions", "trainmeta", "metadata", "remedies", "estimates", "memorycheck", "preflight"}
# read under another name: through a method of the recipe, which this finds instead
READ_THROUGH = {
    "text_encoder_lr": "resolved_text_encoder_lr",
    "optimizer_args": "optimizer_arguments",
    "max_train_steps": "total_steps",
    "max_train_epochs": "epochs",
}
# what a file says is all that it changes: test_no_metadata_keeps_what_loaders_need
STATED = {"no_metadata"}


def test_every_training_setting_is_read_where_something_is_computed():
    read = set()
    for path in (HOUSE / "loramake").glob("*.py"):
        if path.stem in TALKERS:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                read.add(node.attr)
            elif isinstance(node, ast.arg):
                read.add(node.arg)
    rules = schema.load_schema(HOUSE / "config/schema.yaml")["properties"]["train"]
    keys = [key for (key,), _ in schema.leaves(rules)]
    assert len(keys) > 40
    assert {key for key in keys if READ_THROUGH.get(key, key) not in read} == STATED


EFFECTS = {
    "lr_scheduler": "constant",
    "lr_warmup_steps": 2,
    "weight_decay": 0.5,
    "max_grad_norm": 1e-4,
    "noise_offset": 0.5,
    "min_snr_gamma": 1,
    "keep_tokens": 4,
    "shuffle_caption": False,
    "caption_dropout_rate": 0.9,
    "caption_tag_dropout_rate": 0.9,
    "caption_dropout_every_n_epochs": 2,
    "clip_skip": 1,
    "network_alpha": 4,
    "text_encoder_lr": 0,
    "seed": 3,
}


def test_settings_of_the_steps_change_what_is_learned(ground, tmp_path):
    options = {"max_train_epochs": 2, "save_precision": "float"}

    def learned(name, **changes):
        train(ground, tmp_path / name, **options, **changes)
        return torch.cat([value.flatten() for key, value in sorted(last(tmp_path / name)[0].items()) if "up" in key])

    plain = learned("plain")
    same = [key for key, value in EFFECTS.items() if torch.equal(learned(key, **{key: value}), plain)]
    assert same == []
