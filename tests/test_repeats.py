"""Repeats and step counts."""

from __future__ import annotations

import pytest

from loramake.errors import UserError
from loramake.repeats import auto_repeats, choose_repeats, image_passes, optimizer_steps, parse_folder, tier_repeats


@pytest.mark.parametrize(
    ("pairs", "target", "epochs", "expected"),
    [
        (61, 4000, 10, 7),
        (30, 4000, 10, 14),
        (400, 4000, 10, 1),
        (401, 4000, 10, 1),
        (399, 4000, 10, 2),
        (5000, 4000, 10, 1),
    ],
)
def test_the_guides_rule(pairs, target, epochs, expected):
    assert auto_repeats(pairs, target, epochs) == expected


def test_large_numbers_stay_exact():
    # 3 * (10**17 + 1) / 3 rounds wrongly in floating point
    assert auto_repeats(1, 3 * (10**17 + 1), 3) == 10**17 + 1


def test_a_fixed_number_wins():
    assert choose_repeats(61, 6, 4000, 10) == 6
    assert choose_repeats(61, "auto", 4000, 10) == 7


@pytest.mark.parametrize("wrong", [0, -1, 2.5, "6", "", True, None])
def test_other_repeats_are_refused(wrong):
    with pytest.raises(UserError, match="repeats"):
        choose_repeats(61, wrong, 4000, 10)


def test_no_pairs_is_refused():
    with pytest.raises(UserError):
        auto_repeats(0, 4000, 10)


WEIGHTS = {"good": 2.0, "normal": 1.0, "weak": 0.5}


@pytest.mark.parametrize(
    ("counts", "repeats", "expected"),
    [
        ({"normal": 61}, "auto", {"normal": 7}),
        ({"normal": 61}, 6, {"normal": 6}),
        # one tier alone, whatever its weight, has the guide's passes
        ({"good": 61}, "auto", {"good": 7}),
        # 10*2 + 40*1 + 20*0.5 = 70 shares of 400 passes: 5.71 a share
        ({"good": 10, "normal": 40, "weak": 20}, "auto", {"good": 12, "normal": 6, "weak": 3}),
        ({"good": 1, "weak": 1}, 6, {"good": 12, "weak": 3}),
        ({"good": 1, "normal": 1, "weak": 1}, 1, {"good": 2, "normal": 1, "weak": 1}),
        ({"normal": 4000, "weak": 4000}, "auto", {"normal": 1, "weak": 1}),
    ],
)
def test_tiers_share_by_weight(counts, repeats, expected):
    assert tier_repeats(counts, WEIGHTS, repeats, 4000, 10) == expected


def test_weights_are_decimal():
    # 0.1 in binary is a little more than a tenth, and would give 2
    assert tier_repeats({"a": 10}, {"a": 0.1}, "auto", 100, 10) == {"a": 1}
    assert tier_repeats({"a": 10, "b": 10}, {"a": 0.1, "b": 0.3}, "auto", 400, 1) == {"a": 10, "b": 30}


def test_passes_and_steps_differ():
    assert image_passes(61, 6, 10) == 3660
    # 3 pictures x 2 = 6 -> 2 batches of 4; 1 x 2 = 2 -> 1 short batch
    assert optimizer_steps([3, 1], repeats=2, batch_size=4, epochs=10) == 30
    assert optimizer_steps([61], repeats=6, batch_size=1) == image_passes(61, 6)


@pytest.mark.parametrize(
    ("name", "parsed"),
    [("6_shim", (6, "shim")), ("10_a_b", (10, "a_b")), ("shim", None), ("_shim", None), ("x_1", None), ("0_no", None)],
)
def test_folder_names(name, parsed):
    assert parse_folder(name) == parsed
