"""What both trainers are compared on: a random checkpoint, pictures, latents and settings, in one of two sizes."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HOUSE))
TOKENIZER = HOUSE / "loramake/sd15/tokenizer"


@dataclass(frozen=True)
class Scale:
    """One size of the comparison.

    Attributes:
        sizes: the tiny model's widths for kohya's constants; empty for SD1.5's own.
        side: training resolution, pixels.
        steps: optimizer steps of a run; the first `warm` are not timed.
    """

    sizes: dict[str, int]
    side: int
    pictures: tuple[tuple[int, int], ...]
    rank: int
    batch: int
    steps: int
    warm: int


TINY = Scale(
    {"unet_width": 32, "context": 48, "vae_width": 32},
    128,
    ((128, 128),) * 6 + ((64, 192),) * 3 + ((192, 64),) * 3,
    rank=8,
    batch=2,
    steps=57,
    warm=7,
)
FULL = Scale({}, 512, ((512, 512),), rank=128, batch=1, steps=2, warm=1)


def prepare(ground: Path, scale: Scale) -> None:
    """Checkpoint, pictures and latents, where they are not there yet."""
    base = ground / "base.safetensors"
    if not base.is_file():
        make_checkpoint(base, scale.sizes)
    if not (ground / "latents").is_dir():
        if not (ground / "dataset").is_dir():
            make_pictures(ground / "dataset", scale)
        from loramake.latents import cache_latents

        buckets = {key: value for key, value in our_settings(scale).items() if "bucket" in key or key == "resolution"}
        options = {"base_model": str(base), "base_model_config": "", "vae": "", "device": "cpu", **buckets}
        cache_latents(ground / "dataset", ground / "latents", ground / "cache", **options)
    # kohya looks for the tokenizer's files under its own name for the place they usually come from
    cached = ground / "tokenizers/openai_clip-vit-large-patch14"
    if not cached.is_dir():
        cached.parent.mkdir(parents=True, exist_ok=True)
        cached.symlink_to(TOKENIZER)


def make_checkpoint(path: Path, sizes: dict[str, int]) -> None:
    """A single file with random weights, float32 for the tiny model, else float16."""
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    from loramake.checkpoints import save_single_file

    torch.manual_seed(0)
    read = {part: json.loads((HOUSE / f"loramake/sd15/{part}/config.json").read_text()) for part in ("unet", "vae")}
    text = json.loads((HOUSE / "loramake/sd15/text_encoder/config.json").read_text())
    if sizes:
        width, context = sizes["unet_width"], sizes["context"]
        read["unet"] |= {"block_out_channels": [width, 2 * width, 4 * width, 4 * width], "cross_attention_dim": context}
        read["vae"]["block_out_channels"] = [sizes["vae_width"] * factor for factor in (1, 2, 4, 4)]
        text |= {"hidden_size": context, "intermediate_size": 4 * context, "projection_dim": context}
    unet, vae = UNet2DConditionModel.from_config(read["unet"]), AutoencoderKL.from_config(read["vae"])
    dtype = torch.float32 if sizes else torch.float16
    save_single_file(path, unet, CLIPTextModel(CLIPTextConfig(**text)), vae, dtype)


def make_pictures(dataset: Path, scale: Scale) -> None:
    """Drawings of rectangles with captions of more than 75 tokens, in one repeat folder that fills an epoch."""
    import numpy as np
    from PIL import Image, ImageDraw

    folder = dataset / f"{-(-scale.steps * scale.batch // len(scale.pictures)) + 1}_shim"
    folder.mkdir(parents=True)
    draw = np.random.default_rng(0)
    for number, (width, height) in enumerate(scale.pictures):
        picture = Image.new("RGB", (width, height), tuple(draw.integers(0, 255, 3).tolist()))
        box = (width // 4, height // 4, width * 3 // 4, height * 3 // 4)
        ImageDraw.Draw(picture).rectangle(box, fill=tuple(draw.integers(0, 255, 3).tolist()))
        picture.save(folder / f"{number}.png")
        tags = ", ".join(f"long hair, blue sky {number}, detail {detail}" for detail in range(9))
        (folder / f"{number}.txt").write_text(f"shim, {tags}\n", encoding="utf-8")


def our_settings(scale: Scale) -> dict[str, object]:
    """The `train` section; kohya's arguments are made from it."""
    return {
        "resolution": scale.side,
        "enable_bucket": True,
        "bucket_no_upscale": False,
        "min_bucket_reso": 64,
        "max_bucket_reso": 2 * scale.side,
        "bucket_reso_steps": 64,
        "network_dim": scale.rank,
        "network_alpha": 1,
        "unet_lr": 2e-3,
        "text_encoder_lr": 1e-3,
        "lr_scheduler": "cosine",
        "train_batch_size": scale.batch,
        "max_train_steps": scale.steps,
        "clip_skip": 2,
        "max_token_length": 150,
        "keep_tokens": 1,
        "shuffle_caption": False,
        "mixed_precision": "no",
        "save_precision": "float",
        "seed": 1337,
    }
