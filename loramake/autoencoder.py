"""SD1's VAE (Rombach et al. 2022; Kingma & Welling 2013): pictures to latents and back, with diffusers' names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from loramake.architecture import read_config
from loramake.unetblocks import TRANSFORMER_EPS as EPS
from loramake.unetblocks import Attention, Downsample2D, ResnetBlock2D, Upsample2D

_DEFAULTS = {
    "in_channels": 3,
    "out_channels": 3,
    "block_out_channels": (64,),
    "layers_per_block": 1,
    "latent_channels": 4,
    "norm_num_groups": 32,
    "scaling_factor": 0.18215,
    "sample_size": 32,
}
_FIXED = {"act_fn": "silu", "mid_block_add_attention": True, "use_quant_conv": True, "use_post_quant_conv": True}
_QUIETEST, _LOUDEST = -30.0, 20.0  # of the log variance


class Posterior(NamedTuple):
    """Mean and standard deviation of each value of the latents, (B, 4, h, w)."""

    mean: Tensor
    std: Tensor


class Encoded(NamedTuple):
    """What `encode` gives, as diffusers names it."""

    latent_dist: Posterior


class Level(nn.Module):
    """Residual blocks of one resolution, and what leads to the next."""

    def __init__(self, channels: Sequence[int], out_channels: int, groups: int, **sampler: nn.Module) -> None:
        super().__init__()
        self.resnets = nn.ModuleList([ResnetBlock2D(size, out_channels, groups, EPS) for size in channels])
        for name, module in sampler.items():
            setattr(self, name, nn.ModuleList([module]))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) → (B, C', h', w')."""
        for layers in self.children():
            for layer in layers:
                x = layer(x)
        return x


class Middle(nn.Module):
    """Two residual blocks with attention between all pixels in between."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.attentions = nn.ModuleList([Attention(channels, channels, 1, bias=True, groups=groups)])
        self.resnets = nn.ModuleList([ResnetBlock2D(channels, channels, groups, EPS) for _ in range(2)])

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) → the same shape."""
        return self.resnets[1](self.attentions[0](self.resnets[0](x)))


class Encoder(nn.Module):
    """Pictures to mean and log variance of latents."""

    def __init__(self, config: Mapping[str, object]) -> None:
        super().__init__()
        sizes, layers, groups = config["block_out_channels"], config["layers_per_block"], config["norm_num_groups"]
        self.conv_in = nn.Conv2d(config["in_channels"], sizes[0], 3, padding=1)
        self.down_blocks = nn.ModuleList()
        for number, size in enumerate(sizes):
            inputs = [sizes[max(number - 1, 0)]] + [size] * (layers - 1)
            sampler = {"downsamplers": Downsample2D(size, padding=0)} if number < len(sizes) - 1 else {}
            self.down_blocks.append(Level(inputs, size, groups, **sampler))
        self.mid_block = Middle(sizes[-1], groups)
        self.conv_norm_out = nn.GroupNorm(groups, sizes[-1], EPS)
        self.conv_out = nn.Conv2d(sizes[-1], 2 * config["latent_channels"], 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) → (B, 8, H/8, W/8)."""
        x = self.conv_in(x)
        for block in self.down_blocks:
            x = block(x)
        return self.conv_out(functional.silu(self.conv_norm_out(self.mid_block(x))))


class Decoder(nn.Module):
    """Latents to pictures."""

    def __init__(self, config: Mapping[str, object]) -> None:
        super().__init__()
        sizes, groups = list(reversed(config["block_out_channels"])), config["norm_num_groups"]
        self.conv_in = nn.Conv2d(config["latent_channels"], sizes[0], 3, padding=1)
        self.up_blocks = nn.ModuleList()
        self.mid_block = Middle(sizes[0], groups)
        for number, size in enumerate(sizes):
            inputs = [sizes[max(number - 1, 0)]] + [size] * config["layers_per_block"]
            sampler = {"upsamplers": Upsample2D(size)} if number < len(sizes) - 1 else {}
            self.up_blocks.append(Level(inputs, size, groups, **sampler))
        self.conv_norm_out = nn.GroupNorm(groups, sizes[-1], EPS)
        self.conv_out = nn.Conv2d(sizes[-1], config["out_channels"], 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 4, h, w) → (B, 3, 8h, 8w)."""
        x = self.mid_block(self.conv_in(x))
        for block in self.up_blocks:
            x = block(x)
        return self.conv_out(functional.silu(self.conv_norm_out(x)))


class Autoencoder(nn.Module):
    """The VAE; latents are unscaled.

    Args:
        config: `vae/config.json` in diffusers layout, or its keys.

    Raises:
        UserError: an architecture that is none of SD1's.
    """

    def __init__(self, config: Mapping[str, object]) -> None:
        super().__init__()
        self.config = config = read_config(config, _DEFAULTS, _FIXED)
        latents = config.latent_channels
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        self.quant_conv = nn.Conv2d(2 * latents, 2 * latents, 1)
        self.post_quant_conv = nn.Conv2d(latents, latents, 1)

    def encode(self, x: Tensor) -> Encoded:
        """(B, 3, H, W) of -1 … 1 → the latents' posterior, an eighth a side."""
        mean, log_variance = self.quant_conv(self.encoder(x)).chunk(2, dim=1)
        std = torch.exp(0.5 * log_variance.clamp(_QUIETEST, _LOUDEST))
        return Encoded(Posterior(mean, std))

    def decode(self, z: Tensor, return_dict: bool = False) -> tuple[Tensor]:
        """(B, 4, h, w) → ((B, 3, 8h, 8w),), about -1 … 1; `return_dict` as diffusers' class takes it, False."""
        if return_dict:
            raise ValueError("the pictures come in a tuple")
        return (self.decoder(self.post_quant_conv(z)),)
