"""LoRA on SD1.x: which modules get one, kohya's names and initial values, the module itself.

Hu et al. 2021, arXiv:2106.09685; file format of kohya-ss' `networks.lora`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch.nn import functional

from loramake.checkpoints import SafetensorsFile, open_weights
from loramake.errors import UserError
from loramake.lowrank import LowRankLinear
from loramake.seeds import derived_seed

UNET_CLASSES = ("Transformer2DModel",)
TEXT_CLASSES = ("CLIPAttention", "CLIPMLP")


class Target(NamedTuple):
    """A layer that gets a LoRA: its name in kohya's files, and where it hangs."""

    name: str
    parent: torch.nn.Module
    attr: str
    module: torch.nn.Module


def find_targets(unet: torch.nn.Module, text_encoder: torch.nn.Module) -> list[Target]:
    """All layers that kohya's trainer adapts, in its order of creation: text encoder first, then U-Net.

    Every Linear and 1x1 Conv2d inside `Transformer2DModel`, `CLIPAttention` and `CLIPMLP`: 72 + 192 on SD1.5.
    """
    text = _walk(text_encoder, TEXT_CLASSES, "lora_te")
    # transformers 5.6 dropped this level from the module path; the files keep it
    text = [target._replace(name=_classic(target.name)) for target in text]
    return text + _walk(unet, UNET_CLASSES, "lora_unet")


def _classic(name: str) -> str:
    rest = name.removeprefix("lora_te_")
    return name if rest.startswith("text_model_") else f"lora_te_text_model_{rest}"


def _walk(root: torch.nn.Module, classes: Iterable[str], prefix: str) -> list[Target]:
    found = []
    for path, owner in root.named_modules():
        if type(owner).__name__ not in classes:
            continue
        inside = [(inner, module) for inner, module in owner.named_modules() if _is_adaptable(module)]
        for inner, module in sorted(inside, key=lambda entry: _creation_rank(entry[0])):
            full = f"{path}.{inner}"
            parent_path, _, attr = full.rpartition(".")
            name = f"{prefix}.{full}".replace(".", "_")
            found.append(Target(name, root.get_submodule(parent_path), attr, module))
    return found


def _is_adaptable(module: torch.nn.Module) -> bool:
    if isinstance(module, torch.nn.Conv2d):
        return module.kernel_size == (1, 1)
    return isinstance(module, torch.nn.Linear)


def _creation_rank(path: str) -> tuple[int, int, int]:
    """Order inside one transformer; kohya's U-Net declares the feed-forward before the cross-attention."""
    parts = path.split(".")
    if parts[0] == "transformer_blocks":
        return 1, int(parts[1]), ("attn1", "ff", "attn2").index(parts[2])
    return (2 if parts[0] == "proj_out" else 0), 0, 0


class LoraLayer(torch.nn.Module):
    """A frozen Linear or 1x1 Conv2d with a LoRA beside it: base(x) + up(down(x)) · weight · alpha / rank.

    Args:
        base: the frozen layer.
        rank: columns of the two matrices.
        alpha: scale; 0 means alpha = rank.
        generator: draws the initial down weights; up starts at zero.
    """

    def __init__(self, base: torch.nn.Module, rank: int, alpha: float, generator: torch.Generator) -> None:
        super().__init__()
        self.base = base
        self.rank = rank
        self.alpha = float(alpha) or float(rank)
        self.factor = self.alpha / rank
        out_size, in_size = base.weight.shape[:2]
        tail = (1, 1) if isinstance(base, torch.nn.Conv2d) else ()
        # Kaiming uniform with a = √5 comes down to ±1/√in
        bound = math.sqrt(6.0 / ((1 + 5) * in_size))
        down = torch.empty(rank, in_size).uniform_(-bound, bound, generator=generator)
        device = base.weight.device
        self.down = torch.nn.Parameter(down.view(rank, in_size, *tail).to(device))  # (r, in[, 1, 1])
        self.up = torch.nn.Parameter(torch.zeros(out_size, rank, *tail, device=device))  # (out, r[, 1, 1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.down.ndim == 4:
            return self._convolve(x)
        if x.dtype != torch.float32 or torch.is_autocast_enabled(x.device.type):
            # half precision would round the correction away inside the large weight: keep it apart
            low = functional.linear(x, self.down)
            return self.base(x) + functional.linear(low, self.up) * self.factor
        base = self.base
        rows = x.reshape(-1, x.shape[-1])
        y = LowRankLinear.apply(rows, base.weight, base.bias, self.down, self.up, self.factor)
        return y.view(*x.shape[:-1], -1)

    def _convolve(self, x: torch.Tensor) -> torch.Tensor:
        """The 1x1 convolution as a linear map of channels; the result lies channels-last in memory."""
        base = self.base
        if x.dtype != torch.float32 or torch.is_autocast_enabled(x.device.type):
            low = functional.conv2d(x, self.down)
            return base(x) + functional.conv2d(low, self.up) * self.factor
        batch, channels, height, width = x.shape
        rows = x.permute(0, 2, 3, 1).reshape(-1, channels)
        down, up = self.down.flatten(1), self.up.flatten(1)
        y = LowRankLinear.apply(rows, base.weight.flatten(1), base.bias, down, up, self.factor)
        return y.view(batch, height, width, -1).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Network:
    """The LoRA of one run: its layers by kohya's name, text encoder first."""

    layers: Mapping[str, LoraLayer]
    targets: tuple[Target, ...]

    def parameters(self, prefix: str = "lora_") -> Iterator[torch.nn.Parameter]:
        """down and up of each layer whose name begins with `prefix` (lora_te_, lora_unet_)."""
        for name, layer in self.layers.items():
            if name.startswith(prefix):
                yield from (layer.down, layer.up)

    def tensors(self, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
        """The tensors of a kohya file; alpha is cast like the weights."""
        state = {}
        for name, layer in self.layers.items():
            state[f"{name}.alpha"] = torch.tensor(layer.alpha, dtype=dtype)
            state[f"{name}.lora_down.weight"] = layer.down.detach().to("cpu", dtype, copy=True)
            state[f"{name}.lora_up.weight"] = layer.up.detach().to("cpu", dtype, copy=True)
        return state

    @torch.no_grad()
    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take over the weights of a kohya file with the same layers and rank."""
        for name, layer in self.layers.items():
            layer.down.copy_(tensors[f"{name}.lora_down.weight"].view(layer.down.shape))
            layer.up.copy_(tensors[f"{name}.lora_up.weight"].view(layer.up.shape))

    def detach(self) -> None:
        """Take the LoRA off again: the model is as before."""
        for target in self.targets:
            setattr(target.parent, target.attr, target.module)


def attach(unet: torch.nn.Module, text_encoder: torch.nn.Module, *, rank: int, alpha: float, seed: int) -> Network:
    """Put a fresh LoRA on every target layer, in place.

    Initial values depend on `seed` and the order of the layers only.
    """
    generator = torch.Generator().manual_seed(derived_seed(seed, "lora"))
    targets = tuple(find_targets(unet, text_encoder))
    layers = {}
    for target in targets:
        layers[target.name] = LoraLayer(target.module, rank, alpha, generator)
        setattr(target.parent, target.attr, layers[target.name])
    return Network(layers, targets)


def load_file(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors and metadata of a LoRA file in kohya's format.

    Raises:
        UserError: missing, truncated or not a LoRA in this format.
    """
    source = SafetensorsFile(path) if Path(path).suffix == ".safetensors" else open_weights(path)
    tensors = {name: source.get(name) for name in source.names()}
    if not any(name.endswith(".lora_down.weight") for name in tensors):
        raise UserError(
            "This file holds no LoRA in kohya's format.",
            file=path,
            found=f"{len(tensors)} weights, such as {next(iter(tensors), 'none')}",
            expected="weights named lora_unet_….lora_down.weight",
        )
    return tensors, dict(source.metadata)
