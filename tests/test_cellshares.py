"""Who draws which cells."""

import pytest

from loramake.cellshares import cut_shares
from loramake.smallmodels import SMALL_MODEL_BYTES, count_processes


@pytest.mark.parametrize(
    ("size", "device", "threads", "pieces", "processes"),
    [
        (SMALL_MODEL_BYTES, "cpu", 2, 20, 2),
        (SMALL_MODEL_BYTES, "cpu", 1, 20, 1),
        (SMALL_MODEL_BYTES, "cpu", 8, 3, 3),
        (SMALL_MODEL_BYTES, "auto", 2, 20, 1),
        (SMALL_MODEL_BYTES, "cuda", 2, 20, 1),
        (SMALL_MODEL_BYTES + 1, "cpu", 2, 20, 1),
    ],
)
def test_work_with_small_models_on_a_cpu_is_divided(size, device, threads, pieces, processes, tmp_path):
    with (tmp_path / "base.safetensors").open("wb") as file:
        file.truncate(size)
    assert count_processes(tmp_path / "base.safetensors", device, threads, pieces) == processes
    assert count_processes(tmp_path, device, threads, pieces) == 1


@pytest.mark.parametrize(("cells", "shares"), [(10, 3), (2, 2), (164, 4)])
def test_shares_are_whole_even_and_in_order(cells, shares):
    made = cut_shares(list(range(cells)), shares)
    assert sum(map(list, made), []) == list(range(cells))
    assert max(map(len, made)) - min(map(len, made)) <= 1
