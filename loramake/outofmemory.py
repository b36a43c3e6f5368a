"""Running out of memory, said plainly: the three settings that help most, with today's values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import torch

from loramake.errors import UserError
from loramake.recipe import Recipe
from loramake.remedies import list_remedies


def explain_out_of_memory(recipe: Recipe, device: torch.device, precision: str) -> AbstractContextManager[None]:
    """Turn the device's or the system's lack of memory in training into a message; see `explain_shortage`."""
    doing = "training. What was finished stays; a run with other settings begins anew"
    return explain_shortage(doing, device, list_remedies(recipe, device.type, precision))


@contextmanager
def explain_shortage(doing: str, device: torch.device, remedies: Sequence[str]) -> Iterator[None]:
    """Turn a lack of memory into a message with the first three remedies.

    Args:
        doing: what ran out of memory.
        remedies: settings with today's values, the best first.

    Raises:
        UserError: memory ran out inside.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        # torch's CPU allocator has no exception of its own
        words = ("out of memory", "DefaultCPUAllocator", "can't allocate memory")
        named = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not named and not any(word in str(error) for word in words):
            raise
        raise UserError(
            f"Memory ran out in {doing}.",
            found=f"device {device.type}: {str(error).splitlines()[0] if str(error) else 'no memory left'}",
            setting="; then ".join(remedies[:3]),
        ) from error
