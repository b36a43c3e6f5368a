"""Training runs: files, relinking, resume, determinism, refusals."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from trainable import SETTINGS, make_base, make_ground

from loramake import trainloop
from loramake.errors import UserError
from loramake.trainer import Trainer
from loramake.training import train_lora


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    return make_ground(tmp_path_factory.mktemp("it's тест"))


@pytest.fixture(autouse=True)
def fixed_time(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


def train(ground, out, runs, **changes):
    options = {
        "base_model": str(ground / "base.safetensors"),
        "device": "cpu",
        "name": "shimakaze",
        **SETTINGS,
        **changes,
    }
    return train_lora(ground / "dataset", ground / "latents", out, runs, **options)


@pytest.fixture(scope="module")
def finished(ground, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        folder = tmp_path_factory.mktemp("finished")
        index = train(ground, folder / "out", folder / "runs")
    return folder, index


def loras(folder):
    return {p.name: p.read_bytes() for p in sorted(folder.glob("*.safetensors"))}


def test_files_and_index(finished):
    folder, index = finished
    names = {p.name for p in (folder / "out").iterdir()}
    epochs = {f"shimakaze-{e:06d}.safetensors" for e in (1, 2, 3)}
    events = {name for name in names if name.startswith("events.out.tfevents.")}
    assert names - events == epochs | {"loss.tsv", "loss.png", "index.json"} and len(events) == 1
    assert [e["epoch"] for e in index["epochs"]] == [1, 2, 3]
    # 3 + 1 pictures in two buckets, twice each: 3 + 1 batches
    assert index["optimizer_steps"] == 12 and index["image_passes"] == 24
    rows = [r.split("\t") for r in (folder / "out" / "loss.tsv").read_text().splitlines()[1:]]
    assert [int(r[0]) for r in rows] == list(range(1, 13))
    assert not list((folder / "runs").rglob("state*"))


def test_lora_learns_and_says_what_it_is(finished):
    folder, _ = finished
    with safe_open(folder / "out" / "shimakaze-000003.safetensors", "pt") as file:
        metadata = file.metadata()
        ups = {k: file.get_tensor(k) for k in file.keys() if k.endswith("lora_up.weight")}  # noqa: SIM118
    assert metadata["ss_epoch"] == "3" and metadata["ss_output_name"] == "shimakaze-000003"
    assert metadata["ss_steps"] == "12" and metadata["ss_num_batches_per_epoch"] == "4"
    unmoved = [name for name, up in ups.items() if not up.any()]
    # clip_skip 2 passes over the last of three layers
    assert unmoved and all("encoder_layers_2" in name for name in unmoved)


def test_relinking_trains_nothing_and_needs_no_torch(ground, finished, tmp_path):
    folder, index = finished
    code = (
        "import json, sys\nfrom pathlib import Path\nfrom loramake.training import train_lora\n"
        f"g = Path({str(ground)!r})\n"
        "train_lora(g / 'dataset', g / 'latents', Path(sys.argv[1]), Path(sys.argv[2]), name='shimakaze',"
        f" base_model=str(g / 'base.safetensors'), device='cpu', **{SETTINGS!r})\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "again"), str(folder / "runs")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "0 optimizer steps" in done.stdout
    assert json.loads((tmp_path / "again" / "index.json").read_text()) == index
    assert loras(tmp_path / "again") == loras(folder / "out")


def test_reruns_are_byte_identical(ground, finished, tmp_path):
    torch.randn(5)
    train(ground, tmp_path / "out", tmp_path / "runs")
    assert loras(tmp_path / "out") == loras(finished[0] / "out")
    assert (tmp_path / "out" / "loss.tsv").read_bytes() == (finished[0] / "out" / "loss.tsv").read_bytes()


@pytest.mark.parametrize("workers", [1, 4])
def test_threads_that_make_batches_change_no_byte(ground, finished, tmp_path, workers):
    index = train(ground, tmp_path / "out", tmp_path / "runs", max_data_loader_n_workers=workers)
    assert index == finished[1]  # the run's identity too
    assert loras(tmp_path / "out") == loras(finished[0] / "out")
    assert (tmp_path / "out" / "loss.tsv").read_bytes() == (finished[0] / "out" / "loss.tsv").read_bytes()


@pytest.mark.parametrize("moment", ["before the state", "after the state", "in the epoch"])
def test_resumed_run_is_byte_identical(ground, finished, tmp_path, monkeypatch, moment):
    class Killed(BaseException):
        pass

    def killing(original, when):
        calls = []

        def wrapper(*args, **kwargs):
            calls.append(1)
            if len(calls) == 2 and when == "before":
                raise Killed
            result = original(*args, **kwargs)
            if len(calls) == 2 and when == "after":
                raise Killed
            return result

        return wrapper

    with monkeypatch.context() as patch:
        if moment == "in the epoch":
            patch.setattr(Trainer, "train_epoch", killing(Trainer.train_epoch, "before"))
        else:
            patch.setattr(trainloop, "save_state", killing(trainloop.save_state, moment.split()[0]))
        with pytest.raises(Killed):
            train(ground, tmp_path / "out", tmp_path / "runs")
    assert not (tmp_path / "out").exists()
    train(ground, tmp_path / "out", tmp_path / "runs")
    assert loras(tmp_path / "out") == loras(finished[0] / "out")
    assert (tmp_path / "out" / "loss.tsv").read_bytes() == (finished[0] / "out" / "loss.tsv").read_bytes()
    work = next((tmp_path / "runs").glob("*/work.tsv")).read_text().split("\t")
    assert int(work[-1]) == (4 if moment == "after the state" else 8)


def stop_after(patch, epochs):
    """Let training end like a kill once so many states are written."""
    original, calls = trainloop.save_state, []

    def wrapper(*args, **kwargs):
        original(*args, **kwargs)
        calls.append(1)
        if len(calls) == epochs:
            raise KeyboardInterrupt

    patch.setattr(trainloop, "save_state", wrapper)


@pytest.mark.parametrize(("damaged", "repeated", "said"), [(1, 2, "000002"), (2, 3, "starting over")])
def test_damaged_states_are_named_and_passed_over(
    ground, finished, tmp_path, monkeypatch, capsys, damaged, repeated, said
):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, 2)
        train(ground, tmp_path / "out", tmp_path / "runs")
    states = sorted(tmp_path.rglob("state-*.safetensors"), reverse=True)
    assert [path.name for path in states] == ["state-000002.safetensors", "state-000001.safetensors"]
    for path in states[:damaged]:
        content = bytearray(path.read_bytes())
        content[-9] ^= 1
        path.write_bytes(content)
    train(ground, tmp_path / "out", tmp_path / "runs")
    text = capsys.readouterr().out
    assert "checksum" in text and said in text
    assert f"trained {4 * repeated} optimizer steps" in text
    assert loras(tmp_path / "out") == loras(finished[0] / "out")
    assert (tmp_path / "out" / "loss.tsv").read_bytes() == (finished[0] / "out" / "loss.tsv").read_bytes()


def test_lost_epoch_file_is_made_again(ground, finished, tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, 2)
        train(ground, tmp_path / "out", tmp_path / "runs")
    next(tmp_path.rglob("shimakaze-000002.safetensors")).unlink()
    train(ground, tmp_path / "out", tmp_path / "runs")
    assert loras(tmp_path / "out") == loras(finished[0] / "out")


@pytest.mark.parametrize("call", [3, 5, 6, 7])
def test_full_disk_in_a_save_is_said_and_loses_nothing(ground, finished, tmp_path, monkeypatch, call):
    original, calls = os.fsync, []

    def full(descriptor):
        # TensorBoard's writer flushes too
        if ".tmp" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            calls.append(1)
            if len(calls) == call:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(descriptor)

    # an epoch flushes its LoRA, its log and its state, after two files at the run's beginning
    with monkeypatch.context() as patch, pytest.raises(UserError) as error:
        patch.setattr(os, "fsync", full)
        train(ground, tmp_path / "out", tmp_path / "runs")
    assert "disk is full" in str(error.value)
    assert not list(tmp_path.rglob("*.tmp*"))
    train(ground, tmp_path / "out", tmp_path / "runs")
    assert loras(tmp_path / "out") == loras(finished[0] / "out")
    trained = int(next(tmp_path.rglob("work.tsv")).read_text().split("\t")[-1])
    assert trained == (12 if call <= 5 else 8)


def test_every_second_epoch_and_the_last(ground, tmp_path):
    index = train(ground, tmp_path / "out", tmp_path / "runs", save_every_n_epochs=2)
    assert [e["epoch"] for e in index["epochs"]] == [2, 3]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"network_dim": 0}, "network_dim"),
        ({"max_token_length": 100}, "225"),
        ({"mixed_precision": "fp16"}, "mixed_precision"),
        ({"lr_scheduler": "cosin"}, "cosine"),
        ({"clip_skip": 9}, "clip_skip"),
        ({"unet_lr": 1e30, "max_grad_norm": 0}, "unet_lr"),
        ({"unet_lr": 0, "text_encoder_lr": 0, "max_train_epochs": 1}, "unet_lr"),
        ({"nonsense": 1}, "nonsense"),
        ({"base_model": "nowhere.safetensors"}, "nowhere"),
    ],
)
def test_wrong_settings_are_refused(ground, tmp_path, changes, word):
    with pytest.raises(UserError) as error:
        train(ground, tmp_path / "out", tmp_path / "runs", **changes)
    assert word in str(error.value)


def test_latents_of_another_vae_are_refused(ground, tmp_path):
    other = make_base(tmp_path / "other.safetensors")
    data = bytearray(other.read_bytes())
    data[-1] ^= 1
    other.write_bytes(data)
    with pytest.raises(UserError) as error:
        train(ground, tmp_path / "out", tmp_path / "runs", base_model=str(other))
    assert "VAE" in str(error.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"mixed_precision": "bf16"},
        {"gradient_checkpointing": True},
        {"noise_offset": 0.1, "min_snr_gamma": 5, "caption_dropout_rate": 0.3, "caption_tag_dropout_rate": 0.3},
        {"text_encoder_lr": 0, "clip_skip": 1, "shuffle_caption": False, "save_precision": "float"},
    ],
)
def test_other_settings_train(ground, tmp_path, changes):
    index = train(ground, tmp_path / "out", tmp_path / "runs", max_train_epochs=1, **changes)
    assert len(index["epochs"]) == 1


def test_gradient_checkpointing_changes_nothing(ground, finished, tmp_path):
    train(ground, tmp_path / "out", tmp_path / "runs", gradient_checkpointing=True, max_train_epochs=3)
    ours = (tmp_path / "out" / "loss.tsv").read_text().splitlines()[1:]
    theirs = (finished[0] / "out" / "loss.tsv").read_text().splitlines()[1:]
    losses = [[float(row.split("\t")[2]) for row in rows] for rows in (ours, theirs)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)
