"""Who draws which cells."""

import copy
import multiprocessing

import pytest

from loramake.cellturns import Turns
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


def test_every_batch_is_drawn_once_in_whatever_order_processes_come():
    context = multiprocessing.get_context()
    one = Turns(context)
    other = copy.copy(one)  # as a process gets it: its own place, one shared order
    order = [one, one, other, other, other, one, other, one, one, other]
    claims = [(process is one, process._passed, process.claim()) for process in order]
    drawn = [place for _, place, mine in claims if mine]
    assert sorted(drawn) == [0, 1, 2, 3, 4]
    assert {who for who, _, mine in claims if mine} == {True, False}
    one.stop()
    assert not one.claim() and not other.claim()


def test_cells_are_counted_over_all_processes():
    one = Turns()
    assert [one.count(), copy.copy(one).count(), one.count()] == [1, 2, 3]
