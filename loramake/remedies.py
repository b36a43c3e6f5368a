"""Settings that help against a lack of memory, with today's values; no torch."""

from __future__ import annotations

from loramake.recipe import Recipe


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


def list_rendering_remedies(width: int, height: int, batch_size: int) -> list[str]:
    """The same for drawing cells of so many pixels, so many at once; three."""
    remedies = [f"grid.batch_size: {batch_size // 2} (now {batch_size})"] if batch_size > 1 else []
    smaller = [max(64, side * 3 // 4 // 8 * 8) for side in (width, height)]
    remedies += [f"grid.width: {smaller[0]} and grid.height: {smaller[1]} (now {width} and {height})"]
    return [*remedies, "other programs closed", "device: cpu"][:3]


def list_encoding_remedies(largest: tuple[int, int]) -> list[str]:
    """The same for encoding pictures; `largest` is the largest bucket, pixels. Three."""
    width, height = largest
    return [
        f"train.resolution: three quarters (the largest bucket is now {width}x{height})",
        "other programs closed",
        "device: cpu, which encodes one picture at a time, for this stage",
    ]
