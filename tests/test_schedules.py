"""Learning rate schedules against kohya's."""

from __future__ import annotations

import json

import pytest
from vectors import vectors

from loramake.errors import UserError
from loramake.schedules import NAMES, learning_rate


def test_recorded_schedules():
    for case in json.loads((vectors() / "lr_schedules.json").read_text()).values():
        options = {"warmup": case["warmup_steps"], "cycles": case["num_cycles"], "power": case["power"]}
        total = case["max_train_steps"]
        wanted = [*case["lr_used_at_step_1_to_n"], case["lr_after_last"]]
        ours = [learning_rate(case["name"], case["base_lr"], s, total, **options) for s in range(len(wanted))]
        assert ours == pytest.approx(wanted, rel=1e-12, abs=1e-18), case["name"]


@pytest.mark.parametrize("name", [n for n in NAMES if n != "constant"])
def test_warm_up_starts_at_zero(name):
    assert learning_rate(name, 1e-3, 0, 10, warmup=3) == 0
    assert learning_rate(name, 1e-3, 3, 10, warmup=3) == pytest.approx(1e-3)


def test_unknown_name_is_refused():
    with pytest.raises(UserError):
        learning_rate("cosin", 1e-3, 0, 10)
