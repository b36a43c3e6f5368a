"""The LoRA bank: adapters of several checkpoints beside the frozen base, each sample with its own adapter and weight.

The base is never changed and nothing is reloaded between cells, so cells of all epochs and weights share batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from loramake.bankcheck import check_lora, kernel_of
from loramake.bankchoice import Choice, Current, common_runs, find_runs
from loramake.bankconv import ConvBankLayer
from loramake.lora import Target, find_targets, load_file
from loramake.lowrank import merges_pay, multiply

ROWS_PER_RUN = 256  # below this, products of a run each cost more than the low-rank path of the whole batch (measured)
BASE = -1  # adapter of a sample that takes the base model alone


class BankLayer(torch.nn.Module):
    """A frozen Linear or 1x1 Conv2d with K adapters: base(x) + up_k(down_k(x)) · weight · alpha_k / rank_k.

    Args:
        base: the frozen layer.
        down: (K, r, in), zero rows where an adapter's rank is lower.
        up: (K, out, r), already times alpha / rank.
        current: where the layer looks up the batch's choice.
    """

    def __init__(self, base: torch.nn.Module, down: Tensor, up: Tensor, current: Current) -> None:
        super().__init__()
        self.base, self._current = base, current
        self.register_buffer("down", down, persistent=False)
        self.register_buffer("up", up, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4:
            return self._rows(x.reshape(len(x), -1, x.shape[-1])).view(*x.shape[:-1], -1)
        batch, channels, height, width = x.shape
        # a 1x1 convolution is a linear map of channels; its result lies channels-last in memory
        y = self._rows(x.permute(0, 2, 3, 1).reshape(batch, height * width, channels))
        return y.view(batch, height, width, -1).permute(0, 3, 1, 2)

    def _rows(self, x: Tensor) -> Tensor:
        """(B, N, in) → (B, N, out)."""
        weight, bias = self.base.weight.flatten(1), self.base.bias
        choices = self._current.choices
        runs, others = common_runs(choices)
        each = len(x) * x.shape[1] // max(len(runs), 1)
        even = len(runs) == 1 or each >= ROWS_PER_RUN
        if runs and even and merges_pay(each, *weight.T.shape) and x.dtype == torch.float32:
            return self._merged(x, weight, runs, others)
        y = multiply(x.flatten(0, 1), weight, bias).view(*x.shape[:2], -1)
        for choice in choices:
            self._add(y, x, choice)
        return y

    def _merged(
        self,
        x: Tensor,
        weight: Tensor,
        runs: Sequence[tuple[int, int, int, float]],
        others: Sequence[tuple[int, float]],
    ) -> Tensor:
        """Each run of samples through its own merged weight, which is made once; `others` act on all samples."""
        for adapter, factor in others:
            weight = torch.addmm(weight, self.up[adapter], self.down[adapter], alpha=factor)
        made: dict[tuple[int, float], Tensor] = {}
        parts = []
        for first, end, adapter, factor in runs:
            if (adapter, factor) not in made:
                up, down = self.up[adapter], self.down[adapter]
                made[adapter, factor] = torch.addmm(weight, up, down, alpha=factor) if factor else weight
            rows = multiply(x[first:end].flatten(0, 1), made[adapter, factor], self.base.bias)
            parts.append(rows.view(end - first, x.shape[1], -1))
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _add(self, y: Tensor, x: Tensor, choice: Choice) -> None:
        """Add to y (B, N, out), in place, what one choice makes of x (B, N, in)."""
        if choice.adapter is None:
            low = torch.bmm(x, self.down[choice.adapters].transpose(1, 2))  # (B, N, r)
            y.baddbmm_(low * choice.weights.view(-1, 1, 1), self.up[choice.adapters].transpose(1, 2))
            return
        low = multiply(x.flatten(0, 1), self.down[choice.adapter]).view(*x.shape[:2], -1)
        low = low * choice.weights.view(-1, 1, 1)  # (B, N, r)
        y.view(-1, y.shape[-1]).addmm_(low.flatten(0, 1), self.up[choice.adapter].t())


class LoraBank:
    """The adapters of K LoRA files on one model.

    Attach once, then run the model inside `using(choose(…))`, with several choices for several LoRAs at once; outside
    of it the model is the base alone.

    Args:
        unet, text_encoder: the frozen base, changed in place until `remove()`.
        loras: tensors of each file in kohya's format.
        files: names of the files, for errors.

    Raises:
        UserError: a LoRA for another base, without effect, or with values that are not finite.
    """

    def __init__(
        self,
        unet: torch.nn.Module,
        text_encoder: torch.nn.Module,
        loras: Sequence[Mapping[str, Tensor]],
        files: Sequence[Path | str],
    ) -> None:
        targets = find_targets(unet, text_encoder, conv=any(map(_has_conv, loras)))
        for tensors, file in zip(loras, files, strict=True):
            check_lora(tensors, targets, file)
        self.size = len(loras)
        self._targets = targets
        self._current = Current()
        # also without adapters: the base's pictures then come from the same arithmetic
        for target in targets:
            down, up = _stack(target, loras)
            kind = ConvBankLayer if down.ndim > 3 else BankLayer
            setattr(target.parent, target.attr, kind(target.module, down, up, self._current))

    def remove(self) -> None:
        """Take the bank off again: the model is as before."""
        for target in self._targets:
            setattr(target.parent, target.attr, target.module)

    def choose(self, adapters: Sequence[int], weights: Sequence[float], *, like: Tensor) -> Choice:
        """The choice of a batch.

        Args:
            adapters: of each sample, 0 … K−1, or BASE.
            weights: of each sample.
            like: gives device and dtype.
        """
        used = {adapter for adapter, weight in zip(adapters, weights, strict=True) if adapter != BASE and weight}
        scales = [weight if adapter != BASE else 0.0 for adapter, weight in zip(adapters, weights, strict=True)]
        return Choice(
            adapter=used.pop() if len(used) == 1 else None,
            weight=scales[0] if len(set(scales)) == 1 else None,
            adapters=torch.tensor([max(adapter, 0) for adapter in adapters], device=like.device),
            weights=torch.tensor(scales, dtype=like.dtype, device=like.device) if any(scales) else None,
            runs=find_runs(adapters, scales),
        )

    @staticmethod
    def weigh(layer: torch.nn.Module, taken: Sequence[tuple[int, float]]) -> Tensor:
        """The weight of a layer, on which a bank may be, with adapters merged in, each times its factor."""
        if not isinstance(layer, BankLayer | ConvBankLayer):
            return layer.weight
        weight = layer.base.weight.flatten(1)
        for adapter, factor in taken:
            weight = torch.addmm(weight, layer.up[adapter].flatten(1), layer.down[adapter].flatten(1), alpha=factor)
        return weight.view_as(layer.base.weight)

    @contextmanager
    def using(self, *choices: Choice) -> Iterator[None]:
        """Run the model with these choices, whose effects add up; the batch must have as many samples as each."""
        before = self._current.choices
        self._current.choices = tuple(choice for choice in choices if choice.weights is not None)
        try:
            yield
        finally:
            self._current.choices = before


def load_bank(unet: torch.nn.Module, text_encoder: torch.nn.Module, files: Sequence[Path]) -> LoraBank:
    """A bank of LoRA files in kohya's format; adapter k is file k.

    Raises:
        UserError: see `LoraBank`; also a damaged file.
    """
    return LoraBank(unet, text_encoder, [load_file(file)[0] for file in files], files)


def _stack(target: Target, loras: Sequence[Mapping[str, Tensor]]) -> tuple[Tensor, Tensor]:
    """down (K, r, in[, k, k]) and up (K, out, r) of one layer; zeros where a file has nothing for it."""
    weight = target.module.weight
    out_size, in_size = weight.shape[:2]
    kernel = kernel_of(weight.shape)
    ranks = [_rank(target, tensors) for tensors in loras]
    down = torch.zeros(len(loras), max([1, *ranks]), in_size, *kernel)
    up = torch.zeros(len(loras), out_size, down.shape[1])
    for index, (tensors, rank) in enumerate(zip(loras, ranks, strict=True)):
        if rank:
            # an alpha of 0, or none, means alpha = rank
            alpha = float(tensors.get(f"{target.name}.alpha", torch.tensor(0.0))) or float(rank)
            down[index, :rank] = tensors[f"{target.name}.lora_down.weight"].float().reshape(rank, in_size, *kernel)
            scaled = tensors[f"{target.name}.lora_up.weight"].float().reshape(out_size, rank) * (alpha / rank)
            up[index, :, :rank] = scaled
    return down.to(weight.device, weight.dtype), up.to(weight.device, weight.dtype)


def _has_conv(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a LoRA has weights outside of the transformers."""
    return any("_resnets_" in key or "samplers_" in key for key in tensors)


def _rank(target: Target, tensors: Mapping[str, Tensor]) -> int:
    down = tensors.get(f"{target.name}.lora_down.weight")
    return 0 if down is None else down.shape[0]
