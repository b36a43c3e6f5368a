"""Training survives SIGKILL: the files come out as if nothing had happened. More kills: benchmarks/kill_training.py."""

from __future__ import annotations

import random
import time

import pytest
from killing import Tally, finish, kill_and_finish, outcome, start
from trainable import make_ground


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    import tensorboardX  # noqa: F401

    return make_ground(tmp_path_factory.mktemp("ground"))


def test_killed_runs_end_like_whole_ones(ground, tmp_path):
    begin = time.monotonic()
    assert finish(start(ground, tmp_path / "whole")) == 0, (tmp_path / "whole" / "said.txt").read_text()
    seconds = time.monotonic() - begin
    whole, tally = outcome(tmp_path / "whole"), Tally()
    assert set(whole) == {"loss.tsv", "loss.png", "index.json", *(f"shim-{e:06d}.safetensors" for e in (1, 2, 3))}
    kill_and_finish(ground, tmp_path / "killed", random.Random(1), 4, seconds, 400, tally)
    assert outcome(tmp_path / "killed") == whole
    assert tally.kills >= 2 and tally.repeated <= 1
