"""Running out of memory, said plainly: the three settings that help most, with today's values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from loramake.errors import UserError
from loramake.recipe import Recipe


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


def list_remedies(recipe: Recipe, device: str, precision: str) -> list[str]:
    """What helps against a lack of memory, the most for the least first, each with today's value; three or more."""
    remedies = []
    if not recipe.gradient_checkpointing:
        remedies.append("train.gradient_checkpointing: true (now false)")
    if recipe.train_batch_size > 1:
        half, steps = recipe.train_batch_size // 2, recipe.gradient_accumulation_steps * 2
        remedies.append(
            f"train.train_batch_size: {half} (now {recipe.train_batch_size}), with gradient_accumulation_steps: {steps}"
        )
    if precision == "no" and device == "cuda":
        remedies.append("train.mixed_precision: auto (now no)")
    if device == "cuda" and not recipe.optimizer_type.endswith("8bit"):
        remedies.append(f"train.optimizer_type: AdamW8bit (now {recipe.optimizer_type})")
    if recipe.network_dim > 8:
        remedies.append(f"train.network_dim: {recipe.network_dim // 2} (now {recipe.network_dim})")
    lower = max(recipe.min_bucket_reso, recipe.resolution * 3 // 4 // 64 * 64)
    if lower < recipe.resolution:
        remedies.append(f"train.resolution: {lower} (now {recipe.resolution})")
    if recipe.text_encoder_lr != 0:
        remedies.append(f"train.text_encoder_lr: 0 (now {recipe.text_encoder_lr})")
    return [*remedies, "a smaller base_model", "other programs closed", "device: cpu"]
