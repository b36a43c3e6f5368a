"""Two processes on a CPU train what one would with twice the batches a step; one writes; a lost one is noticed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from trainable import SETTINGS, make_ground

from loramake import dataparallel
from loramake.errors import UserError
from loramake.lora import load_file
from loramake.training import train_lora

HOUSE = Path(__file__).resolve().parents[1]
COMMON = {**SETTINGS, "train_batch_size": 1, "save_precision": "float", "device": "cpu", "name": "shim"}


def train(ground, folder, **options):
    settings = {**COMMON, "base_model": str(ground / "base.safetensors"), **options}
    return train_lora(ground / "dataset", ground / "latents", folder / "out", folder / "runs", **settings)


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    return make_ground(tmp_path_factory.mktemp("it's тест"), repeats=3)


def start(ground, folder, **settings):
    paths = os.pathsep.join([str(HOUSE), str(HOUSE / "tests")])
    env = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000", "PYTHONPATH": paths}
    call = f"train(Path({str(ground)!r}), Path({str(folder)!r}), threads=2, **{settings!r})"
    code = f"from pathlib import Path; from test_dataparallel import train; {call}"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def tensors_of(folder):
    return [load_file(path) for path in sorted((folder / "out").glob("*.safetensors"))]


def followers(parent):
    found = subprocess.run(["pgrep", "-P", str(parent), "-f", "loramake.follower"], capture_output=True, text=True)
    return [int(line) for line in found.stdout.split()]


def wait_until(condition, seconds=180):
    for _ in range(seconds * 10):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("it did not come")


def test_two_processes_train_what_one_does_with_twice_the_batches_also_after_a_kill(ground, tmp_path, monkeypatch):
    # 9 batches an epoch: the fifth step leaves nothing for the second process
    options = {"validation_split": 0.25, "max_train_epochs": 6, "max_train_steps": 28}
    both = start(ground, tmp_path / "two", num_processes=2, **options)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    train(ground, tmp_path / "one", threads=1, gradient_accumulation_steps=2, **options)
    wait_until(lambda: list((tmp_path / "two").glob("runs/*/state-*.safetensors")) or both.poll() is not None)
    others = followers(both.pid)
    both.send_signal(signal.SIGKILL)
    both.wait()
    assert len(others) == 1
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in others), 30)
    again = start(ground, tmp_path / "two", num_processes=2, **options)
    said = again.communicate(timeout=300)[0]
    assert again.returncode == 0 and "resuming after epoch" in said, said
    assert said.count("captions of up to") == 1  # the other process is silent
    two, one = (tensors_of(tmp_path / name) for name in ("two", "one"))
    assert len(two) == len(one) == 6
    for (tensors, _), (others, _) in zip(two, one, strict=True):
        assert all(torch.equal(tensors[key], value) for key, value in others.items())
    for name in ("loss.tsv", "validation.tsv"):
        assert (tmp_path / "two/out" / name).read_text() == (tmp_path / "one/out" / name).read_text()
    stated = two[0][1]
    assert (stated["ss_batch_size_per_device"], stated["ss_total_batch_size"]) == ("1", "2")


def test_a_process_that_fails_says_why(tmp_path):
    task = dataparallel.Task(1, 2, tmp_path / "meeting", tmp_path / "1.txt", None, None, None, "abacus", 1, 1)
    with pytest.raises(UserError) as error, dataparallel._started([task]):
        wait_until(task.failure.is_file)
        raise RuntimeError("Connection closed by peer")
    assert "abacus" in str(error.value) and "num_processes: 1" in str(error.value)


def test_fewer_cards_than_processes(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    dataparallel._check_cards(torch.device("cuda"), 1)
    with pytest.raises(UserError) as error:
        dataparallel._check_cards(torch.device("cuda"), 2)
    assert "num_processes: 1" in str(error.value)
