"""Names of SD1 weights: diffusers' module paths against the single-file ("LDM") layout of the original releases."""

from __future__ import annotations

import re
from collections.abc import Mapping

UNET_PREFIX = "model.diffusion_model."
VAE_PREFIX = "first_stage_model."
TEXT_PREFIX = "cond_stage_model.transformer.text_model."

_UNET_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_UNET_ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def _split(key: str) -> tuple[str, str]:
    """A weight's module path and its last word (weight or bias)."""
    module, _, kind = key.rpartition(".")
    return module, kind


def unet_name(key: str, config: Mapping[str, object]) -> str:
    """The LDM name of one U-Net weight.

    The original code numbers its blocks through: each resolution has `layers_per_block` entries going down, one more
    going up, and its down- or upsampler counts as (or joins) the last of them.

    Args:
        key: name in the state dict of diffusers' `UNet2DConditionModel`.
        config: its configuration; `layers_per_block` and `up_block_types` are read.
    """
    module, kind = _split(key)
    layers = int(config["layers_per_block"])
    if module in _UNET_ENDS:
        return f"{UNET_PREFIX}{_UNET_ENDS[module]}.{kind}"
    side, rest = module.split(".", 1)
    if side == "mid_block":
        part, index, inner = rest.split(".", 2)
        place = f"middle_block.{2 * int(index) + (part == 'attentions')}"
        inner = _UNET_RESNET[inner] if part == "resnets" else inner
        return f"{UNET_PREFIX}{place}.{inner}.{kind}"
    block, part, index, inner = rest.split(".", 3)
    down = side == "down_blocks"
    first = int(block) * (layers + 1) + (1 if down else 0)
    entries = "input_blocks" if down else "output_blocks"
    if part == "downsamplers":
        place, inner = f"{entries}.{first + layers}.0", "op"
    elif part == "upsamplers":
        slot = 2 if "CrossAttn" in config["up_block_types"][int(block)] else 1
        place = f"{entries}.{first + layers}.{slot}"
    elif part == "resnets":
        place, inner = f"{entries}.{first + int(index)}.0", _UNET_RESNET[inner]
    else:
        place = f"{entries}.{first + int(index)}.1"
    return f"{UNET_PREFIX}{place}.{inner}.{kind}"


def vae_name(key: str, config: Mapping[str, object]) -> str:
    """The LDM name of one weight of diffusers' `AutoencoderKL`; `config` gives `block_out_channels`."""
    module, kind = _split(key)
    module = module.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    module = re.sub(r"down_blocks\.(\d+)\.resnets\.", r"down.\1.block.", module)
    module = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", module)
    last = len(config["block_out_channels"]) - 1
    # the original decoder counts its resolutions from the finest
    module = re.sub(r"up_blocks\.(\d+)", lambda m: f"up.{last - int(m[1])}", module)
    module = re.sub(r"\.resnets\.(\d+)", r".block.\1", module)
    module = module.replace("upsamplers.0", "upsample")
    module = re.sub(r"mid_block\.block\.(\d+)", lambda m: f"mid.block_{int(m[1]) + 1}", module)
    found = re.fullmatch(r"(.*)mid_block\.attentions\.0\.(.+)", module)
    if found:
        module = f"{found[1]}mid.attn_1.{_VAE_ATTENTION[found[2]]}"
    return f"{VAE_PREFIX}{module}.{kind}"


def text_name(key: str) -> str:
    """The LDM name of one weight of transformers' `CLIPTextModel`, with or without its `text_model.` prefix."""
    return TEXT_PREFIX + key.removeprefix("text_model.")


def part_name(part: str, key: str, config: Mapping[str, object]) -> str:
    """The LDM name of one weight; `part` is text_encoder, unet or vae, `config` that part's diffusers configuration."""
    if part == "unet":
        return unet_name(key, config)
    return vae_name(key, config) if part == "vae" else text_name(key)
