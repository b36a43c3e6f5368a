"""Which files of a folder in diffusers layout hold the weights of a part; no torch."""

from __future__ import annotations

from pathlib import Path

from loramake.errors import UserError


def part_files(folder: Path, part: str) -> list[Path]:
    """The weight files of a part: safetensors before .bin, full precision before `fp16`, shards included.

    Args:
        part: unet, text_encoder or vae; "" for a folder that is the VAE itself.

    Raises:
        UserError: there are none.
    """
    stem = "model" if part == "text_encoder" else "diffusion_pytorch_model"
    stems = [stem, "pytorch_model"] if part == "text_encoder" else [stem]
    for suffix in ("safetensors", "bin"):
        for name in stems:
            for pattern in (f"{name}.{suffix}", f"{name}-*-of-*.{suffix}", f"{name}.fp16.{suffix}"):
                files = sorted((folder / part).glob(pattern))
                if files:
                    return files
    raise UserError(
        "A part of the model has no weights.",
        file=folder / part,
        expected=f"{stem}.safetensors or {stem}.bin",
        setting="base_model",
    )
