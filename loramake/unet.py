"""SD1's U-Net: its blocks put together as a configuration in diffusers layout says."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from loramake.architecture import Config, read_config
from loramake.unetblocks import Attention, Downsample2D, ResnetBlock2D, Transformer2DModel, Upsample2D, run_block

_DEFAULTS = {
    "in_channels": 4,
    "out_channels": 4,
    "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
    "attention_head_dim": 8,  # diffusers' name for the number of heads
    "cross_attention_dim": 1280,
    "norm_num_groups": 32,
    "norm_eps": 1e-5,
    "sample_size": None,
}
_FIXED = {
    "act_fn": "silu",
    "addition_embed_type": None,
    "center_input_sample": False,
    "class_embed_type": None,
    "conv_in_kernel": 3,
    "conv_out_kernel": 3,
    "downsample_padding": 1,
    "dual_cross_attention": False,
    "encoder_hid_dim_type": None,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "mid_block_scale_factor": 1,
    "mid_block_type": "UNetMidBlock2DCrossAttn",
    "only_cross_attention": False,
    "resnet_time_scale_shift": "default",
    "time_embedding_type": "positional",
    "transformer_layers_per_block": 1,
    "use_linear_projection": False,
}
_LONGEST_PERIOD = 10_000


class TimestepEmbedding(nn.Module):
    """The timestep's waves through two linear layers."""

    def __init__(self, waves: int, channels: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(waves, channels)
        self.linear_2 = nn.Linear(channels, channels)

    def forward(self, waves: Tensor) -> Tensor:
        """(B, waves) → (B, channels)."""
        return self.linear_2(functional.silu(self.linear_1(waves)))


class Block(nn.Module):
    """Residual blocks of one resolution, with transformers in between or after them.

    Args:
        channels: of the input of each residual block.
        out_channels: of their outputs.
        transformers: as many; in the middle one less than residual blocks.
        heads: of the transformers' attention.
        config: the whole U-Net's.
    """

    def __init__(
        self, channels: Sequence[int], out_channels: int, transformers: int, heads: int, config: Config
    ) -> None:
        super().__init__()
        groups, context, time = config.norm_num_groups, config.cross_attention_dim, 4 * config.block_out_channels[0]
        if transformers:
            made = [Transformer2DModel(out_channels, context, heads, groups) for _ in range(transformers)]
            self.attentions = nn.ModuleList(made)
        made = [ResnetBlock2D(size, out_channels, groups, config.norm_eps, time) for size in channels]
        self.resnets = nn.ModuleList(made)
        self.gradient_checkpointing = False

    def attend(self, number: int, x: Tensor, text: Tensor) -> Tensor:
        """The transformer of this number, where the block has transformers."""
        return self.attentions[number](x, text) if "attentions" in self._modules else x

    def resolve(self, number: int, x: Tensor, time: Tensor) -> Tensor:
        """The residual block of this number."""
        return run_block(self.resnets[number], x, time, again=self.gradient_checkpointing)


class UNet(nn.Module):
    """The noise, or velocity, that is in latents; called like diffusers' `UNet2DConditionModel`.

    Args:
        config: `unet/config.json` in diffusers layout, or its keys.

    Raises:
        UserError: an architecture that is none of SD1's.
    """

    def __init__(self, config: Mapping[str, object]) -> None:
        super().__init__()
        self.config = config = read_config(config, _DEFAULTS, _FIXED)
        sizes, layers = list(config.block_out_channels), config.layers_per_block
        heads = config.attention_head_dim
        heads = list(heads) if isinstance(heads, list | tuple) else [heads] * len(sizes)
        self.conv_in = nn.Conv2d(config.in_channels, sizes[0], 3, padding=1)
        self.time_embedding = TimestepEmbedding(sizes[0], 4 * sizes[0])
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        skips = [sizes[0]]
        for level, (kind, size) in enumerate(zip(config.down_block_types, sizes, strict=True)):
            before = sizes[max(level - 1, 0)]
            block = Block([before] + [size] * (layers - 1), size, layers * _crosses(kind), heads[level], config)
            skips += [size] * layers
            if level < len(sizes) - 1:
                block.downsamplers = nn.ModuleList([Downsample2D(size, padding=1)])
                skips.append(size)
            self.down_blocks.append(block)
        self.mid_block = Block([sizes[-1]] * 2, sizes[-1], 1, heads[-1], config)
        now = sizes[-1]
        for level, (kind, size) in enumerate(zip(config.up_block_types, reversed(sizes), strict=True)):
            inputs = [(now if place == 0 else size) + skips.pop() for place in range(layers + 1)]
            block = Block(inputs, size, (layers + 1) * _crosses(kind), heads[-1 - level], config)
            if level < len(sizes) - 1:
                block.upsamplers = nn.ModuleList([Upsample2D(size)])
            self.up_blocks.append(block)
            now = size
        self.conv_norm_out = nn.GroupNorm(config.norm_num_groups, sizes[0], config.norm_eps)
        self.conv_out = nn.Conv2d(sizes[0], config.out_channels, 3, padding=1)

    def forward(
        self, sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor, return_dict: bool = False
    ) -> tuple[Tensor]:
        """Predict.

        Args:
            sample: (B, 4, h, w), noisy latents of unit variance.
            timestep: (B,) or one for all, 0 … 999, real.
            encoder_hidden_states: (B, M, context), the text's states.
            return_dict: as diffusers' class takes it; must be False.
        """
        if return_dict:
            raise ValueError("the prediction comes in a tuple")
        waves = timestep_waves(timestep, self.config.block_out_channels[0]).to(sample.dtype)
        time = self.time_embedding(waves.expand(len(sample), -1))
        text, x = encoder_hidden_states, self.conv_in(sample)
        skips = [x]
        for block in self.down_blocks:
            for number in range(len(block.resnets)):
                x = block.attend(number, block.resolve(number, x, time), text)
                skips.append(x)
            if "downsamplers" in block._modules:
                x = block.downsamplers[0](x)
                skips.append(x)
        x = self.mid_block.resolve(0, x, time)
        x = self.mid_block.resolve(1, self.mid_block.attend(0, x, text), time)
        for block in self.up_blocks:
            for number in range(len(block.resnets)):
                x = block.resolve(number, torch.cat([x, skips.pop()], dim=1), time)
                x = block.attend(number, x, text)
            if "upsamplers" in block._modules:
                # sides that are not multiples of 8 were rounded up on the way down
                x = block.upsamplers[0](x, tuple(skips[-1].shape[2:]))
        return (self.conv_out(functional.silu(self.conv_norm_out(x))),)

    def enable_gradient_checkpointing(self) -> None:
        """Compute residual blocks and transformers again in the backward pass instead of keeping what is inside."""
        for module in self.modules():
            if hasattr(module, "gradient_checkpointing"):
                module.gradient_checkpointing = True

    def attentions(self) -> list[Attention]:
        """All attention layers."""
        return [module for module in self.modules() if isinstance(module, Attention)]


def timestep_waves(timestep: Tensor, count: int) -> Tensor:
    """Cosines and sines of real timesteps at `count` / 2 frequencies, (B, count) float32 (Vaswani et al. 2017)."""
    half = count // 2
    rates = torch.exp(
        -math.log(_LONGEST_PERIOD) * torch.arange(half, dtype=torch.float32, device=timestep.device) / half
    )
    angles = timestep.reshape(-1, 1).float() * rates
    return torch.cat([torch.cos(angles), torch.sin(angles)], dim=-1)


def _crosses(kind: str) -> bool:
    """Whether blocks of this name in a configuration attend to the text."""
    return kind.startswith("CrossAttn")
