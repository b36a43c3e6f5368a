"""Who draws which cells."""

import pytest

from loramake.cellshares import SMALL_MODEL_BYTES, count_painters, cut_shares


@pytest.mark.parametrize(
    ("size", "device", "threads", "batches", "painters"),
    [
        (30e6, "cpu", 2, 20, 2),
        (30e6, "cpu", 1, 20, 1),
        (30e6, "cpu", 8, 3, 3),
        (30e6, "auto", 2, 20, 1),
        (30e6, "cuda", 2, 20, 1),
        (SMALL_MODEL_BYTES + 1, "cpu", 2, 20, 1),
    ],
)
def test_small_models_on_a_cpu_are_drawn_by_several(size, device, threads, batches, painters):
    assert count_painters(size, device, threads, batches) == painters


@pytest.mark.parametrize(("cells", "shares"), [(10, 3), (2, 2), (164, 4)])
def test_shares_are_whole_even_and_in_order(cells, shares):
    made = cut_shares(list(range(cells)), shares)
    assert sum(map(list, made), []) == list(range(cells))
    assert max(map(len, made)) - min(map(len, made)) <= 1
