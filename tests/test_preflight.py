"""Preflight: everything that is wrong in one message, from capabilities that the tests invent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from trainable import SETTINGS, make_base, make_dataset, make_latents

from loramake import settings as config_settings
from loramake.abilities import training_refusals
from loramake.capabilities import Capabilities, Card, choose_device, choose_precision
from loramake.checkpoints import save_tensors
from loramake.errors import UserError
from loramake.estimates import GIB, training_disk, training_memory
from loramake.lora import attach
from loramake.modelfacts import ModelFacts, read_base
from loramake.models import load_sd1
from loramake.preflight import Planned, check
from loramake.recipe import make_recipe
from loramake.schema import load_schema
from loramake.training import Ground, find_run

HOUSE = Path(__file__).resolve().parents[1]
RULES = load_schema(HOUSE / "config/schema.yaml")

ALL_PACKAGES = frozenset({"xformers", "bitsandbytes", "lion_pytorch", "prodigyopt", "schedulefree", "torch"})
PLAIN = Capabilities(packages=ALL_PACKAGES, ram=16 * GIB, ram_free=12 * GIB)
APPLE = Capabilities(mps=True, packages=ALL_PACKAGES, ram=16 * GIB, ram_free=12 * GIB)


def with_card(gib: float = 24, *, bf16: bool = True, packages: frozenset[str] = ALL_PACKAGES) -> Capabilities:
    card = Card("Card", int(gib * GIB), int(gib * GIB) - GIB // 2, bf16)
    return Capabilities((card,), packages=packages, ram=32 * GIB, ram_free=24 * GIB)


# SD1.5, as `read_base` counts it
SD15 = ModelFacts(859_520_964, 123_060_480, 83_653_863, 423_936, 165_888, 82_880, 544_000)


@pytest.mark.parametrize(
    ("setting", "machine", "device"),
    [
        ("auto", with_card(), "cuda"),
        ("auto", APPLE, "mps"),
        ("auto", PLAIN, "cpu"),
        ("cpu", with_card(), "cpu"),
        ("mps", APPLE, "mps"),
    ],
)
def test_auto_takes_cuda_then_mps_then_cpu(setting, machine, device):
    assert choose_device(setting, machine) == device


@pytest.mark.parametrize(("setting", "machine"), [("cuda", APPLE), ("mps", with_card()), ("cuda", PLAIN)])
def test_a_device_that_is_not_there_is_refused(setting, machine):
    with pytest.raises(UserError) as error:
        choose_device(setting, machine)
    assert error.value.found == setting and "cpu" in error.value.expected


@pytest.mark.parametrize(
    ("setting", "device", "machine", "precision"),
    [
        ("auto", "cuda", with_card(), "bf16"),
        ("auto", "cuda", with_card(bf16=False), "fp16"),
        ("auto", "cpu", PLAIN, "no"),
        ("auto", "mps", APPLE, "no"),
        ("fp16", "cuda", with_card(bf16=False), "fp16"),
        ("bf16", "cpu", PLAIN, "bf16"),
        ("fp16", "cpu", PLAIN, None),
        ("bf16", "cuda", with_card(bf16=False), None),
    ],
)
def test_precision_by_device(setting, device, machine, precision):
    if precision:
        assert choose_precision(setting, device, machine) == precision
        return
    with pytest.raises(UserError) as error:
        choose_precision(setting, device, machine)
    assert error.value.setting == "train.mixed_precision"


@pytest.mark.parametrize(
    ("changes", "device", "machine", "settings"),
    [
        ({}, "auto", with_card(), []),
        ({"optimizer_type": "AdamW8bit"}, "auto", with_card(), []),
        ({"optimizer_type": "AdamW8bit"}, "auto", PLAIN, ["optimizer_type"]),
        ({"optimizer_type": "Lion8bit"}, "cpu", with_card(), ["optimizer_type"]),
        ({"optimizer_type": "PagedAdamW8bit"}, "auto", APPLE, ["optimizer_type"]),
        ({"optimizer_type": "AdamW8bit"}, "cuda", with_card(packages=frozenset()), ["optimizer_type"]),
        ({"optimizer_type": "Prodigy", "unet_lr": 1}, "cpu", Capabilities(), ["optimizer_type"]),
        ({"optimizer_type": "my.Optimizer"}, "cpu", PLAIN, ["optimizer_type"]),
        ({"optimizer_type": "torch.optim.RAdam"}, "cpu", PLAIN, []),
        ({"xformers": True}, "cuda", with_card(), []),
        ({"num_processes": 2}, "cuda", with_card(), ["num_processes"]),
        ({"num_processes": 2}, "cpu", PLAIN, []),
        ({"xformers": True}, "auto", PLAIN, ["xformers"]),
        ({"xformers": True}, "cuda", with_card(packages=frozenset()), ["xformers"]),
        (
            {"xformers": True, "mixed_precision": "fp16", "optimizer_type": "AdamW8bit"},
            "cpu",
            PLAIN,
            ["mixed_precision", "optimizer_type", "xformers"],
        ),
    ],
)
def test_what_a_device_cannot_do_is_named(changes, device, machine, settings):
    refusals = training_refusals(make_recipe(changes), device, machine)
    assert len(refusals) == len(settings)
    assert all(f"train.{name}" in str(error) for name, error in zip(settings, refusals, strict=True))


def stage(name: str, base: Path, **changes: object) -> Planned:
    """A stage's settings as the workflow gives them."""
    own = {
        "base_model": str(base),
        "device": "cpu",
        "train": {**SETTINGS, "min_bucket_reso": 64},
        "grid": {"width": 64, "height": 64},
    }
    for key, value in changes.items():
        own[key] = {**own[key], **value} if isinstance(value, dict) and key in own else value
    config = config_settings.load({"characters": {"shim": {"tag": "x", "trigger": "y"}}, **own}, RULES, HOUSE)
    return Planned(name, config_settings.stage_slice(config, RULES, "shim", name))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_base(tmp_path_factory.mktemp("base") / "base.safetensors")


def test_what_is_there_passes_with_estimates(base):
    planned = [stage(name, base) for name in ("latents", "train", "cells")]
    told = check(planned, PLAIN, 10 * GIB)
    assert any("training" in line for line in told) and any("drawing" in line for line in told)
    assert any("disk" in line for line in told)


def test_all_that_is_wrong_comes_in_one_message(base, tmp_path):
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(base.read_bytes()[:2000])
    lora = tmp_path / "lora.safetensors"
    save_tensors(lora, {"lora_unet_x.lora_down.weight": torch.zeros(7, 3)}, {})
    changes = {"optimizer_type": "AdamW8bit", "xformers": True, "network_weights": str(lora)}
    planned = [
        stage("latents", cut, vae="nowhere.pt", train=changes, device="cuda"),
        stage("train", cut, vae="nowhere.pt", train=changes, device="cuda"),
        stage("cells", base, grid={"model": str(lora)}, device="cuda"),
        Planned("publish", {"folder": str(tmp_path / "nowhere")}),
    ]
    with pytest.raises(UserError) as error:
        check(planned, Capabilities(ram=GIB, ram_free=GIB), 0)
    text = str(error.value)
    for word in (str(cut), "nowhere.pt", "LoRA", "rank 7", "device", "bitsandbytes", "xformers", "publish.folder"):
        assert word in text, (word, text)
    assert text.count(str(cut)) == 1 and text.startswith("9 things") and "disk" in text


def test_where_jobs_run_elsewhere_only_files_are_looked_at(base):
    planned = [stage("train", base, device="cuda", train={"xformers": True, "optimizer_type": "AdamW8bit"})]
    assert check(planned, None, 10 * GIB)


def test_a_finished_run_needs_no_device(base, tmp_path):
    dataset = make_dataset(tmp_path / "dataset")
    make_latents(dataset, base, tmp_path / "latents", tmp_path / "cache")
    places = {key: tmp_path / key for key in ("dataset", "latents", "runs")}
    inputs = {"character": "shim", "reg": "", **{key: str(path) for key, path in places.items()}}
    changes = {"optimizer_type": "AdamW8bit", "mixed_precision": "bf16"}
    planned = replace(stage("train", base, device="cuda", train=changes), inputs=inputs)
    with pytest.raises(UserError, match="device"):
        check([planned], PLAIN, 10 * GIB)
    run, *_ = find_run(Ground(**places), planned.training, "shim", "cuda", str(base), "", "")
    run.folder.mkdir(parents=True)
    run.loss_log.touch()
    run.finish([], image_passes=1, optimizer_steps=1)
    assert check([planned], PLAIN, 10 * GIB)
    other = replace(planned, settings={**planned.settings, "seed": 5})
    with pytest.raises(UserError, match="device"):
        check([other], PLAIN, 10 * GIB)


def test_what_a_pick_needs(base):
    assert check([stage("pick", base)], PLAIN, 10 * GIB) == []
    tagger = {"model": "t.onnx", "tags": "t.csv"}
    with pytest.raises(UserError) as error:
        check([stage("pick", base, device="cuda", autotag=tagger)], PLAIN, 10 * GIB)
    assert "device" in str(error.value) and "onnxruntime" in str(error.value)
    with pytest.raises(UserError, match="base_model"):
        check([stage("pick", base.with_name("nowhere.safetensors"))], PLAIN, 10 * GIB)


def test_arguments_that_the_optimizer_does_not_take(base):
    planned = [stage("train", base, train={"optimizer_args": ["momentun=0.9"], "optimizer_type": "torch.optim.SGD"})]
    with pytest.raises(UserError) as error:
        check(planned, PLAIN, 10 * GIB)
    assert "momentun" in str(error.value) and "optimizer_args" in str(error.value)


def test_packages_of_other_stages():
    planned = [Planned("clean", {"text": "paint"}), Planned("autotag", {"device": "cpu"})]
    with pytest.raises(UserError) as error:
        check(planned, Capabilities(), GIB)
    assert "rapidocr" in str(error.value) and "onnxruntime" in str(error.value)
    assert check([Planned("clean", {"text": "ignore"})], Capabilities(), GIB) == []


def test_too_little_disk_and_memory(base):
    planned = [stage("train", base, train={"network_dim": 1024, "max_train_epochs": 10})]
    small = Capabilities(packages=ALL_PACKAGES, ram=GIB // 2, ram_free=GIB // 4)
    with pytest.raises(UserError) as error:
        check(planned, small, 1000)
    text = str(error.value)
    assert "disk" in text and "memory" in text and "gradient_checkpointing: true (now false)" in text
    tight = Capabilities(packages=ALL_PACKAGES, ram=8 * GIB, ram_free=GIB // 4)
    assert any("warning" in line for line in check(planned, tight, 100 * GIB))


def test_sizes_read_from_the_header_are_those_of_the_model(base):
    facts, model = read_base(base, needs_vae=True), load_sd1(base)
    for part in ("unet", "text_encoder", "vae"):
        assert getattr(facts, part) == sum(weight.numel() for weight in getattr(model, part).parameters())
    for rank, conv in ((5, 0), (4, 3)):
        model = load_sd1(base)
        network = attach(model.unet, model.text_encoder, rank=rank, alpha=1, seed=1, conv_rank=conv)
        assert facts.lora(rank, conv) == sum(weight.numel() for weight in network.parameters())
        text = sum(weight.numel() for weight in network.parameters("lora_te_"))
        assert facts.lora(rank, conv) - facts.lora(rank, conv, text=False) == text


def test_estimates_grow_with_what_costs_memory():
    def size(precision: str = "bf16", **changes: object) -> float:
        return training_memory(make_recipe(changes), SD15, precision, "cuda") / GIB

    low = {"gradient_checkpointing": True, "optimizer_type": "AdamW8bit"}
    assert size(**low) < size(gradient_checkpointing=True) < size() < size(train_batch_size=4) < size("no") * 2
    # what people report of SD1.5 at 512 px: 6 GB cards train with checkpointing, 8 GB cards without
    assert 2.5 < size(**low) < 4.5
    assert 4 < size() < 7
    assert training_disk(make_recipe({"save_every_n_epochs": 5}), SD15) < training_disk(make_recipe({}), SD15)
