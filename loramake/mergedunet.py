"""The U-Net with one choice of LoRAs merged in, to draw in float32 on a CPU with few operations a step.

The same function as `unet.UNet`, but channels lie last in memory throughout, as oneDNN likes them; weights are merged
and laid out once for all steps of a batch; keys and values of the text are kept; sums and gates are part of products.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from loramake.mergedlayers import Conv, Linear, Weigh, as_rows, bias_of, convolution, norm, norm_rows, side_by_side
from loramake.unet import UNet, timestep_waves
from loramake.unetblocks import BasicTransformerBlock, ResnetBlock2D, Transformer2DModel

Convs = dict[torch.nn.Module, Conv]

_FEW_HEADS = 4  # attended to the text at once, so that their scores stay in the processor's cache


class MergedUNet:
    """Predicts what `unet` predicts with the LoRAs that `weigh` merges.

    Args:
        unet: in float32 on a CPU; its convolutions and linear layers may have a bank beside them.
        weigh: a layer's weight with its LoRAs, in the shape of the base's.
        convs: of an earlier one of the same U-Net, those that no LoRA touches; completed.
    """

    def __init__(self, unet: UNet, weigh: Weigh, convs: Convs | None = None) -> None:
        convs = {} if convs is None else convs
        self._config = unet.config
        self._time = unet.time_embedding
        self._conv_in, self._conv_out = (convolution(layer, weigh, convs) for layer in (unet.conv_in, unet.conv_out))
        self._norm_out = unet.conv_norm_out
        self._resnets: list[_Resnet] = []
        self._transformers: list[_Transformer] = []
        self._down = [self._level(block, weigh, convs) for block in unet.down_blocks]
        self._mid = self._level(unet.mid_block, weigh, convs)
        self._up = [self._level(block, weigh, convs) for block in unet.up_blocks]
        projections = [resnet.time for resnet in self._resnets]
        self._shifts = (
            torch.cat([weigh(layer).t() for layer in projections], dim=1),
            torch.cat([bias_of(layer) for layer in projections]),
        )
        self._sizes = [len(bias_of(layer)) for layer in projections]
        self._texts: list[Tensor] = []

    def _level(self, block: torch.nn.Module, weigh: Weigh, convs: Convs) -> _Level:
        level = _Level(block, weigh, convs)
        self._resnets += level.resnets
        self._transformers += level.transformers
        return level

    def __call__(self, sample: Tensor, timestep: Tensor, text: Tensor) -> Tensor:
        """Predict.

        Args:
            sample: (B, 4, h, w).
            timestep: one for all.
            text: (B, M, context); what was seen before is recognised by identity, so it must not be changed.
        """
        place = self._place_text(text)
        waves = timestep_waves(timestep, self._config.block_out_channels[0])
        time = functional.silu(self._time(waves))
        shifts = torch.addmm(self._shifts[1], time, self._shifts[0])[0].split(self._sizes)
        for resnet, shift in zip(self._resnets, shifts, strict=True):
            resnet.shift = shift
        x = self._conv_in(sample.contiguous(memory_format=torch.channels_last))
        skips = [x]
        for level in self._down:
            for number in range(len(level.resnets)):
                x = level.step(number, x, place)
                skips.append(x)
            if level.sampler:
                x = level.sampler(x)
                skips.append(x)
        x = self._mid.resnets[1](self._mid.step(0, x, place))
        for level in self._up:
            for number in range(len(level.resnets)):
                x = level.step(number, torch.cat([x, skips.pop()], dim=1), place)
            if level.sampler:
                x = level.sampler(functional.interpolate(x, size=skips[-1].shape[2:], mode="nearest"))
        x = functional.silu(norm(self._norm_out, x), inplace=True)
        return self._conv_out(x).contiguous()

    def forget_texts(self) -> None:
        """Drop the keys and values of the texts seen so far."""
        self._texts.clear()
        for transformer in self._transformers:
            transformer.forget()

    def _place_text(self, text: Tensor) -> int:
        """The number of a text's keys and values, which are made when it is seen first."""
        for place, known in enumerate(self._texts):
            if known is text:
                return place
        self._texts.append(text)
        for transformer in self._transformers:
            transformer.read(text)
        return len(self._texts) - 1


class _Level:
    """Blocks of one resolution."""

    def __init__(self, block: torch.nn.Module, weigh: Weigh, convs: Convs) -> None:
        self.resnets = [_Resnet(resnet, weigh, convs) for resnet in block.resnets]
        self.transformers = [_Transformer(part, weigh) for part in getattr(block, "attentions", ())]
        samplers = [*getattr(block, "downsamplers", ()), *getattr(block, "upsamplers", ())]
        self.sampler = convolution(samplers[0].conv, weigh, convs) if samplers else None

    def step(self, number: int, x: Tensor, place: int) -> Tensor:
        x = self.resnets[number](x)
        return self.transformers[number](x, place) if self.transformers else x


class _Resnet:
    """A residual block; `shift` is what the time embedding adds to its channels, (C,)."""

    shift: Tensor

    def __init__(self, block: ResnetBlock2D, weigh: Weigh, convs: Convs) -> None:
        self._norms = block.norm1, block.norm2
        self._convs = [convolution(layer, weigh, convs) for layer in (block.conv1, block.conv2)]
        self._shortcut = convolution(block.conv_shortcut, weigh, convs) if hasattr(block, "conv_shortcut") else None
        self.time = block.time_emb_proj

    def __call__(self, x: Tensor) -> Tensor:
        first, second = self._convs
        y = first(functional.silu(norm(self._norms[0], x), inplace=True), first.bias + self.shift)
        y = functional.silu(norm(self._norms[1], y), inplace=True)
        return second.add(y, self._shortcut(x) if self._shortcut else x)


class _Transformer:
    """A transformer over pixels, on rows: its 1x1 convolutions are linear maps of channels."""

    def __init__(self, model: Transformer2DModel, weigh: Weigh) -> None:
        self._norm = model.norm
        self._in, self._out = side_by_side([model.proj_in], weigh), side_by_side([model.proj_out], weigh)
        self._blocks = [_Block(block, weigh) for block in model.transformer_blocks]

    def read(self, text: Tensor) -> None:
        """Keep a text's keys and values."""
        for block in self._blocks:
            block.read(text)

    def forget(self) -> None:
        for block in self._blocks:
            block.texts.clear()

    def __call__(self, x: Tensor, place: int) -> Tensor:
        batch, channels, height, width = x.shape
        rows = self._in(as_rows(norm(self._norm, x)))
        for block in self._blocks:
            rows = block(rows, batch, place)
        rows = self._out.joined(rows, as_rows(x), "add")
        return rows.view(batch, height, width, channels).permute(0, 3, 1, 2)


class _Block:
    """One transformer block on rows (B·N, C)."""

    def __init__(self, block: BasicTransformerBlock, weigh: Weigh) -> None:
        own, cross = block.attn1, block.attn2
        self._norms = block.norm1, block.norm2, block.norm3
        self._heads = own.heads
        self._own = side_by_side([own.to_q, own.to_k, own.to_v], weigh)
        self._own_out, self._cross_out = side_by_side([own.to_out[0]], weigh), side_by_side([cross.to_out[0]], weigh)
        # plain products of queries and keys need the scale of attention
        self._ask = Linear(weigh(cross.to_q) * (cross.inner_dim // cross.heads) ** -0.5, None)
        self._look = side_by_side([cross.to_k, cross.to_v], weigh)
        gelu, _, back = block.ff.net
        halves = [part.contiguous() for part in weigh(gelu.proj).chunk(2)], bias_of(gelu.proj).chunk(2)
        self._value, self._gate = (Linear(weight, bias) for weight, bias in zip(*halves, strict=True))
        self._back = side_by_side([back], weigh)
        self.texts: list[tuple[Tensor, Tensor]] = []

    def read(self, text: Tensor) -> None:
        batch, length, _ = text.shape
        both = self._look(text.flatten(0, 1)).view(batch, length, 2, self._heads, -1)
        k, v = both.permute(2, 0, 3, 1, 4).flatten(1, 2).contiguous()  # (B·heads, M, d)
        self.texts.append((k.transpose(1, 2), v))

    def __call__(self, rows: Tensor, batch: int, place: int) -> Tensor:
        rows = self._own_out.joined(self._attend(norm_rows(self._norms[0], rows), batch), rows, "add")
        seen = self._attend_text(norm_rows(self._norms[1], rows), batch, *self.texts[place])
        rows = self._cross_out.joined(seen, rows, "add")
        wide = norm_rows(self._norms[2], rows)
        return self._back.joined(self._value.joined(wide, self._gate(wide, "gelu"), "mul"), rows, "add")

    def _attend(self, rows: Tensor, batch: int) -> Tensor:
        q, k, v = self._own(rows).view(batch, -1, 3, self._heads, rows.shape[1] // self._heads).permute(2, 0, 3, 1, 4)
        return functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(rows.shape)

    def _attend_text(self, rows: Tensor, batch: int, k: Tensor, v: Tensor) -> Tensor:
        q = self._ask(rows).view(batch, -1, self._heads, v.shape[2]).transpose(1, 2).flatten(0, 1)
        out = torch.empty_like(q)
        for first in range(0, len(q), _FEW_HEADS):
            few = slice(first, first + _FEW_HEADS)
            torch.bmm(torch.softmax(torch.bmm(q[few], k[few]), dim=-1), v[few], out=out[few])
        return out.view(batch, self._heads, -1, v.shape[2]).transpose(1, 2).reshape(rows.shape)
