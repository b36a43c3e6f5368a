"""A dataset, a base model and settings small enough to train in a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tinymodels import tiny_models

from loramake.checkpoints import save_single_file
from loramake.latents import cache_latents

SETTINGS = {
    "resolution": 64,
    "min_bucket_reso": 32,
    "max_bucket_reso": 128,
    "bucket_reso_steps": 32,
    "network_dim": 4,
    "network_alpha": 1,
    "unet_lr": 1e-2,
    "train_batch_size": 2,
    "max_train_epochs": 3,
    "mixed_precision": "no",
}
BUCKET_KEYS = ("resolution", "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps")


def make_base(path: Path, **options: int) -> Path:
    """A tiny random base model as a single file."""
    models = tiny_models(**options)
    save_single_file(path, models.unet, models.text_encoder, models.vae)
    return path


def make_dataset(
    folder: Path, *, repeats: int = 2, sizes: tuple[tuple[int, int], ...] = ((64, 64),) * 3 + ((40, 90),)
) -> Path:
    """Noise pictures with captions in one repeat folder."""
    inside = folder / f"{repeats}_shim"
    inside.mkdir(parents=True)
    draw = np.random.default_rng(0)
    for number, (width, height) in enumerate(sizes, 1):
        Image.fromarray(draw.integers(0, 255, (height, width, 3), dtype=np.uint8)).save(inside / f"{number}.png")
        (inside / f"{number}.txt").write_text(f"shim, 1girl, tag {number}, long hair, blue sky\n", encoding="utf-8")
    return folder


def make_latents(dataset: Path, base: Path, out: Path, cache: Path, **changes) -> dict[str, int]:
    """Cached latents for SETTINGS."""
    torch.set_num_threads(1)
    options = {
        "base_model": str(base),
        "base_model_config": "",
        "vae": "",
        "device": "cpu",
        "enable_bucket": True,
        "bucket_no_upscale": False,
        **{key: SETTINGS[key] for key in BUCKET_KEYS},
        **changes,
    }
    return cache_latents(dataset, out, cache, **options)


def make_ground(folder: Path, *, repeats: int = 2) -> Path:
    """What a training is made from, in `folder`: `base.safetensors`, `dataset` and `latents`."""
    base = make_base(folder / "base.safetensors")
    make_latents(make_dataset(folder / "dataset", repeats=repeats), base, folder / "latents", folder / "cache")
    return folder
