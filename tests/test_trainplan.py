"""Image passes and optimizer steps of a dataset."""

from __future__ import annotations

from loramake.trainplan import make_plan


def test_steps_are_counted_by_bucket_and_passes_by_picture():
    wide, square = (640, 384), (512, 512)
    plan = make_plan([("6_shim", 6, square), ("6_shim", 6, wide), ("2_weak", 2, square)], batch_size=4, epochs=10)
    assert [(each.name, each.pictures, each.passes) for each in plan.folders] == [("6_shim", 2, 12), ("2_weak", 1, 2)]
    # 6 + 2 passes of squares are two full batches, over both folders; 6 wide ones a full and a half one
    assert [(each.size, each.pictures, each.passes, each.steps) for each in plan.buckets] == [
        (square, 2, 8, 2),
        (wide, 1, 6, 2),
    ]
    assert (plan.passes, plan.steps) == (14, 4)
