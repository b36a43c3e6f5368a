"""Processes that train one LoRA together (data parallel): which one this is, and the sum of their gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import torch

_PATIENCE = timedelta(days=1)  # a dead process is noticed otherwise, and the first one may validate for long


class Ranks:
    """One process's place among those that train together.

    Args:
        number: from 0; the first one writes all files and says everything.
        count: of processes.
    """

    def __init__(self, number: int = 0, count: int = 1) -> None:
        self.number, self.count = number, count
        self._trained: list[torch.nn.Parameter] | None = None

    def combine(self, parameters: Sequence[torch.nn.Parameter], losses: Sequence[torch.Tensor]) -> torch.Tensor:
        """Make every process's gradients the sum over all; returns the mean loss of all batches of this step.

        Args:
            parameters: all that may have gradients, the same in each process.
            losses: of this process's batches; none where an epoch's last step had too few.
        """
        if self.count == 1:
            return losses[0] if len(losses) == 1 else torch.stack(list(losses)).mean()
        from accelerate.utils import reduce

        device = parameters[0].device
        if self._trained is None:
            # a layer that gets no gradient in any process must not get one of zeros: weight decay would move it
            there = torch.tensor([float(p.grad is not None) for p in parameters], device=device)
            flags = reduce(there, reduction="sum").tolist()
            self._trained = [p for p, flag in zip(parameters, flags, strict=True) if flag]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in self._trained]
        total = torch.stack(list(losses)).sum() if losses else torch.zeros((), device=device)
        counted = torch.tensor(float(len(losses)), device=device)
        # one message for everything
        flat = torch.cat([*(g.flatten() for g in gradients), total.view(1), counted.view(1)])
        *parts, total, counted = reduce(flat, reduction="sum").split([*(g.numel() for g in gradients), 1, 1])
        for parameter, part in zip(self._trained, parts, strict=True):
            parameter.grad = part.view_as(parameter)
        return (total / counted)[0]

    def agree(self, value: int) -> int:
        """The first process's value, in all of them."""
        if self.count == 1:
            return value
        from accelerate.utils import broadcast_object_list

        return broadcast_object_list([value])[0]


ALONE = Ranks()


@contextmanager
def joined(number: int, count: int, meeting: Path, device: torch.device, threads: int) -> Iterator[Ranks]:
    """Meet the other processes through accelerate: NCCL between CUDA cards, gloo on a CPU.

    Args:
        meeting: a file that is not there yet, the same for all, through which they find each other.
        device: cpu or cuda, with the number of this process's card.
        threads: CPU threads of this process.
    """
    from accelerate import PartialState
    from accelerate.utils import patch_environment

    # accelerate takes the card of this number
    local = (device.index or 0) if device.type == "cuda" else number
    place = {"RANK": number, "WORLD_SIZE": count, "LOCAL_RANK": local, "LOCAL_WORLD_SIZE": count}
    with patch_environment(**place, OMP_NUM_THREADS=threads):
        state = PartialState(
            cpu=device.type == "cpu",
            init_method=meeting.as_uri(),
            rank=number,
            world_size=count,
            timeout=_PATIENCE,
        )
        try:
            yield Ranks(number, count)
        finally:
            state.destroy_process_group()
            PartialState._reset_state()
