"""The demo's networks: Stable Diffusion 1's layout with few, narrow layers.

Sizes were chosen by timing on two CPU cores: one layer a block and four attention heads
train about 1.6 times as fast as SD1's two layers and eight heads at 20x20 latents.
"""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

TEXT_WIDTH = 64  # CLIP's 49,408 words cost 6.3 MB of half precision at this width
CLIP_SKIP = 2  # as the guide's base model wants it
SCALING_FACTOR = 0.18215  # SD1's; the VAE's latents are scaled after training to fit it

TEXT_CONFIG: dict[str, object] = {
    "vocab_size": 49408,
    "hidden_size": TEXT_WIDTH,
    "intermediate_size": 4 * TEXT_WIDTH,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
    "bos_token_id": 49406,
    "eos_token_id": 49407,
    "pad_token_id": 49407,
}
UNET_CONFIG: dict[str, object] = {
    "sample_size": 20,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [64, 128, 128, 160],
    "layers_per_block": 1,
    "attention_head_dim": 4,  # diffusers' name for the number of heads in SD1 models
    "cross_attention_dim": TEXT_WIDTH,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
}
VAE_CONFIG: dict[str, object] = {
    "sample_size": 160,
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 4,
    "block_out_channels": [16, 32, 64, 64],
    "layers_per_block": 1,
    "norm_num_groups": 8,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "scaling_factor": SCALING_FACTOR,
}


def new_text_encoder(seed: int) -> CLIPTextModel:
    """A fresh CLIP text encoder, float32."""
    torch.manual_seed(seed)
    return CLIPTextModel(CLIPTextConfig(**TEXT_CONFIG))


def new_unet(seed: int) -> UNet2DConditionModel:
    """A fresh U-Net for latents (4, h/8, w/8), float32."""
    torch.manual_seed(seed)
    return UNet2DConditionModel(**UNET_CONFIG)


def new_vae(seed: int) -> AutoencoderKL:
    """A fresh VAE: pictures (3, h, w) in [-1, 1] to latents (4, h/8, w/8), float32."""
    torch.manual_seed(seed)
    return AutoencoderKL(**VAE_CONFIG)
