"""Image passes and optimizer steps of a dataset."""

from __future__ import annotations

from loramake.trainplan import make_plan


def test_steps_are_counted_by_bucket_and_passes_by_picture():
    wide, square = (640, 384), (512, 512)
    plan = make_plan([("6_shim", 6, square), ("6_shim", 6, wide), ("2_weak", 2, square)], batch_size=4, epochs=10)
    assert [(each.name, each.pictures, each.passes) for each in plan.folders] == [("6_shim", 2, 12), ("2_weak", 1, 2)]
    # 6 + 2 passes of squares are two full batches, over both folders; 6 wide ones a full and a half one
    assert [(each.size, each.pictures, each.passes, each.batches) for each in plan.buckets] == [
        (square, 2, 8, 2),
        (wide, 1, 6, 2),
    ]
    assert (plan.passes, plan.steps) == (14, 4)


def test_steps_of_several_batches_and_of_a_run_counted_in_steps():
    shown = [("1_shim", 1, (64, 64))] * 7
    plan = make_plan(shown, batch_size=1, epochs=3, batches_per_step=4)
    assert (plan.batches, plan.steps, plan.total_steps, plan.total_passes) == (7, 2, 6, 21)
    plan = make_plan(shown, batch_size=1, epochs=3, batches_per_step=4, max_steps=9)
    assert (plan.total_steps, plan.epochs, plan.total_passes) == (9, 5, round(4.5 * 7))
