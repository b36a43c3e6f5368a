"""Running out of memory, said plainly: the three settings that help most, with today's values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from loramake.errors import UserError
from loramake.recipe import Recipe
from loramake.remedies import list_remedies


@contextmanager
def explain_out_of_memory(recipe: Recipe, device: torch.device, precision: str) -> Iterator[None]:
    """Turn the device's or the system's lack of memory into a message.

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
        remedies = list_remedies(recipe, device.type, precision)
        raise UserError(
            "Memory ran out in training. What was finished stays; a run with other settings begins anew.",
            found=f"device {device.type}: {str(error).splitlines()[0] if str(error) else 'no memory left'}",
            setting="; then ".join(remedies[:3]),
        ) from error
