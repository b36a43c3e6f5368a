"""A batch whose gradients several processes compute."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from trainable import SETTINGS, make_base, make_dataset, make_latents

from loramake.errors import UserError
from loramake.gradshares import GradientShares, count_shares, cut_batch, partners
from loramake.noise import alphas_cumprod
from loramake.recipe import Recipe
from loramake.stepping import Batch, training_step
from loramake.trainmodel import attach_network, load_frozen

CPU = torch.device("cpu")
RECIPE = Recipe(**{**SETTINGS, "train_batch_size": 3, "min_snr_gamma": 5.0})


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return str(make_base(tmp_path_factory.mktemp("base") / "base.safetensors"))


def make_batch(size, weights=None):
    draw = torch.Generator().manual_seed(size)
    ids = torch.randint(0, 49000, (size, 1, 77), generator=draw)
    latents, noise = torch.randn(2, size, 4, 8, 8, generator=draw)
    return Batch(ids, latents, noise, torch.randint(0, 1000, (size,), generator=draw), weights)


def prepare(base):
    model = load_frozen(RECIPE, base, "", CPU, "no")
    network = attach_network(RECIPE, model)
    with torch.no_grad():
        for layer in network.layers.values():
            layer.up.fill_(0.01)  # so that down gets gradients too
    kept = alphas_cumprod(zero_terminal_snr=False)

    def loss_of(batch):
        step = training_step(model.unet, model.text_encoder, batch, kept, clip_skip=2, min_snr_gamma=5.0)
        return step.loss

    return network, loss_of


def gradients(network):
    return [None if p.grad is None else p.grad.clone() for p in network.parameters()]


def test_shares_give_the_gradients_of_the_whole_batch(base):
    network, loss_of = prepare(base)
    batches = [make_batch(3, torch.tensor([1.0, 0.5, 1.0])), make_batch(1)]
    losses = []
    for batch in batches:
        losses.append(loss_of(batch))
        (losses[-1] * 0.5).backward()
    wanted = gradients(network)
    for parameter in network.parameters():
        parameter.grad = None
    with partners(RECIPE, base, "", count=1, threads=1) as others:
        shares = GradientShares(others, network, "epsilon", False)
        divided = [shares.backward(batch, loss_of, 0.5) for batch in batches]
        found = gradients(network)
        # weights that change here change there
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.mul_(3)
        changed = shares.backward(batches[0], loss_of, 1.0)
    torch.testing.assert_close(divided, [loss.detach() for loss in losses], atol=1e-6, rtol=1e-6)
    assert [g is None for g in found] == [g is None for g in wanted]
    for one, other in zip(found, wanted, strict=True):
        if other is not None:
            torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(changed, loss_of(batches[0]).detach(), atol=1e-6, rtol=1e-6)


def test_a_partner_that_dies_is_named(base):
    network, loss_of = prepare(base)
    with partners(RECIPE, base, "", count=1, threads=1) as others:
        shares = GradientShares(others, network, "epsilon", False)
        others.each[0].process.kill()
        with pytest.raises(UserError, match="has ended"):
            shares.backward(make_batch(3), loss_of, 1.0)


@pytest.mark.parametrize("whole", [1, 2, 3, 5])
def test_batches_are_cut_evenly(whole):
    batch = make_batch(whole)
    parts = cut_batch(batch, 3)
    assert torch.equal(torch.cat([part.noise for part in parts]), batch.noise)
    sizes = [len(part.timesteps) for part in parts]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] - sizes[-1] <= 1 and len(sizes) == min(whole, 3)


def test_only_plain_training_of_small_models_is_divided(base):
    def count(device="cpu", precision="no", threads=2, **changes):
        return count_shares(Recipe(**{**SETTINGS, **changes}), base, torch.device(device), precision, threads)

    assert count() == 2 and count(threads=8, train_batch_size=3) == 3
    assert {count(threads=1), count(device="cuda"), count(precision="bf16"), count(train_batch_size=1)} == {1}
    # its masks are drawn in the order of the whole batch
    assert count(network_dropout=0.1) == 1


TRAINING = """
import sys
from pathlib import Path
from trainable import SETTINGS
from loramake.training import train_lora

def train(ground, name):
    base = str(ground / "base.safetensors")
    train_lora(ground / "dataset", ground / "latents", ground / name, ground / f"runs of {name}",
               base_model=base, device="cpu", name="shim", threads=2, **SETTINGS)

for name in sys.argv[2:]:
    train(Path(sys.argv[1]), name)
"""


def test_divided_runs_are_byte_identical_and_leave_no_process(tmp_path):
    base = make_base(tmp_path / "base.safetensors")
    dataset = make_dataset(tmp_path / "dataset")
    make_latents(dataset, base, tmp_path / "latents", tmp_path / "cache")
    root = Path(__file__).resolve().parents[1]
    env = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000", "PYTHONPATH": os.pathsep.join(["tests", "."])}

    def start(*names):
        command = [sys.executable, "-c", TRAINING, str(tmp_path), *names]
        return subprocess.Popen(command, env=env, cwd=root, stdout=subprocess.DEVNULL)

    twice, killed = start("one", "two"), start("three")
    child = wait_for_child(killed.pid)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert is_gone(child), "the partner outlived the process that trained"
    assert twice.wait(timeout=240) == 0
    first, second = (sorted((tmp_path / name).glob("*.safetensors")) for name in ("one", "two"))
    assert len(first) == 3 and [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


def is_gone(process):
    for _ in range(2400):
        stat = Path(f"/proc/{process}/stat")
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False


def wait_for_child(parent):
    for _ in range(2400):
        listing = Path(f"/proc/{parent}/task/{parent}/children")
        if not listing.parent.exists():
            pytest.fail("the training ended without a partner")
        for child in listing.read_text().split():
            if b"gradpartner" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
        time.sleep(0.1)
    pytest.fail("no partner came")
