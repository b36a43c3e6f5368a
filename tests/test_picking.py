"""The rule of the pick: which cell, which verdict, on figures made up for each case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loramake.errors import UserError
from loramake.picking import PROBED_WEIGHT, Limits, Row, as_json, best, best_learned, check_applies, pick

LIMITS = Limits(least_gain=0.05, least_trigger=0.6, least_control=0.6)
GOOD = Row(1, 1.0, gain=0.5, reach=1.0, change=0.7, drift=1.0, trigger=0.9, clothes=1.0, background=0.9, pictures=4)


def training(gains: list[float], **figures: float) -> list[Row]:
    """An epoch for each gain, at weights 0.6 and 1, the lower of which does little."""
    rows = []
    for epoch, gain in enumerate(gains, 1):
        rows.append(replace(GOOD, epoch=epoch, weight=0.6, gain=0.6 * gain, trigger=0.5))
        rows.append(replace(GOOD, **{"epoch": epoch, "gain": gain, **figures}))
    return rows


def judge(rows: list[Row], probe: Row | None = None, held_out: bool = True):
    chosen = best(rows)
    return pick(rows, [replace(probe or chosen, epoch=chosen.epoch, weight=PROBED_WEIGHT)], LIMITS, held_out=held_out)


def test_validation_loss_that_rises_again_ends_it():
    picked = judge(training([0.2, 0.4, 0.5, 0.45, 0.3]))
    assert (picked.epoch, picked.weight, picked.verdict) == (3, 1.0, "good")
    assert "50 %" in picked.reason and "Later epochs" in picked.reason


def test_the_earlier_of_equal_epochs_and_the_lower_of_equal_weights():
    rows = [replace(GOOD, epoch=epoch, weight=weight) for epoch in (9, 8) for weight in (1.2, 1.0)]
    picked = judge(rows)
    assert (picked.epoch, picked.weight) == (8, 1.0)


def test_obedience_counts_against_strength():
    strong = replace(GOOD, weight=1.2, gain=0.55, trigger=1.4, background=0.4)
    assert judge([GOOD, strong]).weight == 1.0
    assert judge([GOOD, replace(strong, background=1.3)]).weight == 1.2


def test_what_the_cells_show_counts_instead_of_predictions():
    weak = replace(GOOD, weight=0.8, gain=0.53, likeness=0.6, obedience=0.95)
    strong = replace(GOOD, weight=1.15, gain=0.54, background=0.5, likeness=0.95, obedience=0.85)
    assert judge([weak, strong]).weight == 1.15
    picked = judge([weak, replace(strong, obedience=0.2)])
    assert picked.weight == 0.8 and "Higher weights obey less: 1.00 falls to 0.40" in picked.reason
    # more of her than her own pictures show is no gain
    assert judge([replace(strong, likeness=1.0), replace(strong, weight=1.3, likeness=1.3)]).weight == 1.15


def test_who_judges_is_who_describes_her_best():
    rows = [replace(GOOD, epoch=epoch, gain=gain) for epoch, gain in ((1, 0.2), (2, 0.5), (3, None))]
    assert best_learned(rows) == 2
    assert best_learned([replace(GOOD, gain=-0.1)]) is None


def test_one_broken_picture_excludes_a_cell():
    better = replace(GOOD, epoch=2, gain=0.6)
    assert judge([GOOD, better]).epoch == 2
    assert judge([GOOD, replace(better, broken=1)]).epoch == 1


def test_a_cell_in_which_the_tagger_sees_what_was_asked_wins():
    blind = replace(GOOD, gain=0.52, tags=0.5)
    assert judge([replace(GOOD, epoch=2, tags=0.9), blind]).epoch == 2


def test_under_trained_where_the_trigger_does_little():
    picked = judge(training([0.1, 0.2, 0.3], trigger=0.4))
    assert picked.verdict == "under-trained" and "0.40" in picked.reason


def test_a_weak_trigger_is_no_fault_where_her_pictures_are_described_well():
    assert judge(training([0.3, 0.6], trigger=0.4)).verdict == "good"


def test_an_early_epoch_that_obeys_badly_is_under_trained_all_the_same():
    picked = judge(training([0.1, 0.2], trigger=0.3), replace(GOOD, clothes=0.5))
    assert picked.verdict == "under-trained"


@pytest.mark.parametrize("lost", ["clothes", "background"])
def test_over_trained_where_an_ordinary_weight_no_longer_obeys(lost):
    rows = training([0.3, 0.5])
    picked = judge(rows, replace(GOOD, **{lost: 0.3}))
    assert picked.verdict == "over-trained" and lost in picked.reason and "0.30" in picked.reason


def test_cells_that_obey_overrule_predictions_that_do_not():
    rows = [replace(GOOD, weight=weight, likeness=0.9, obedience=0.8) for weight in (0.8, 1.0)]
    assert judge(rows, replace(GOOD, background=0.3)).verdict == "good"
    rows[0] = replace(rows[0], obedience=0.4)
    assert judge(rows, replace(GOOD, background=0.3)).verdict == "over-trained"
    assert judge(rows, replace(GOOD, broken=1)).verdict == "over-trained"


def test_broken_where_nothing_is_better_than_the_base():
    assert judge(training([-0.3, -0.8])).verdict == "broken"
    nothing = {key: None for key in ("gain", "reach", "change", "drift", "trigger", "clothes", "background")}
    picked = judge([replace(GOOD, epoch=epoch, **nothing) for epoch in (1, 2)])
    assert picked.verdict == "broken" and "NaN" in picked.reason
    assert judge([replace(row, broken=row.pictures) for row in training([0.5, 0.6])]).verdict == "broken"


def test_nan_of_some_epochs_leaves_the_others():
    rows = [GOOD, replace(GOOD, epoch=2, gain=None), replace(GOOD, epoch=3, gain=float("nan"))]
    assert judge(rows).epoch == 1


def test_json_names_everything():
    rows = training([0.2, 0.5])
    content = as_json(judge(rows), rows, character="shim", variant="base", limits=LIMITS)
    assert {"character", "variant", "epoch", "weight", "verdict", "reason", "rows", "limits"} == set(content)
    assert len(content["rows"]) == 4 and content["rows"][3]["score"] == pytest.approx(0.5 * 0.9 * 0.9)


def test_a_lora_that_changes_nothing_did_not_apply():
    check_applies([GOOD, replace(GOOD, change=0.0)], "loras/shim/base")
    with pytest.raises(UserError, match="did not apply") as caught:
        check_applies([replace(GOOD, change=1e-4)], "loras/shim/base")
    assert "unet_lr" in str(caught.value) and "base_model" in str(caught.value)
