"""Random SD1-type models, small enough for tests."""

from __future__ import annotations

import torch

from loramake.autoencoder import Autoencoder
from loramake.cliptext import TextEncoder
from loramake.models import StableDiffusion1
from loramake.unet import UNet

UNET = {
    "block_out_channels": [16, 32],
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    "cross_attention_dim": 16,
    "attention_head_dim": 2,
    "norm_num_groups": 8,
    "sample_size": 8,
}
VAE = {
    "block_out_channels": [8, 8, 16, 16],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "latent_channels": 4,
    "norm_num_groups": 4,
    "sample_size": 64,
}
TEXT = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "vocab_size": 49408,
    "max_position_embeddings": 77,
}


def tiny_models(seed: int = 0, layers: int = 1) -> StableDiffusion1:
    """The three parts with random weights; no tokenizer."""
    torch.manual_seed(seed)
    unet = UNet({**UNET, "layers_per_block": layers})
    vae = Autoencoder({**VAE, "layers_per_block": layers})
    text_encoder = TextEncoder(TEXT)
    for embedding in text_encoder.embeddings.children():
        torch.nn.init.normal_(embedding.weight, std=0.2)
    for model in (unet, vae, text_encoder):
        model.eval().requires_grad_(False)
    return StableDiffusion1(text_encoder, unet, vae, None, 0.18215, "epsilon")
