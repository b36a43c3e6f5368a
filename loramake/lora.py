"""LoRA on SD1.x: which modules get one, kohya's names and initial values, the module itself.

Hu et al. 2021, arXiv:2106.09685; file format of kohya-ss' `networks.lora`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch

from loramake.checkpoints import SafetensorsFile, open_weights
from loramake.errors import UserError
from loramake.loralayer import LoraLayer
from loramake.seeds import derived_seed

UNET_CLASSES = ("Transformer2DModel",)
CONV_CLASSES = ("ResnetBlock2D", "Downsample2D", "Upsample2D")
TEXT_CLASSES = ("CLIPAttention", "CLIPMLP")


class Target(NamedTuple):
    """A layer that gets a LoRA: its name in kohya's files, and where it hangs."""

    name: str
    parent: torch.nn.Module
    attr: str
    module: torch.nn.Module


def find_targets(unet: torch.nn.Module, text_encoder: torch.nn.Module, *, conv: bool = False) -> list[Target]:
    """All layers that kohya's trainer adapts, in its order of creation: text encoder first, then U-Net.

    Every Linear and 1x1 Conv2d inside `Transformer2DModel`, `CLIPAttention` and `CLIPMLP`: 72 + 192 on SD1.5.

    Args:
        conv: also every Linear and Conv2d of any size inside `ResnetBlock2D`, `Downsample2D` and `Upsample2D`, as
            kohya's `conv_dim` does ("LoCon").
    """
    text = _walk(text_encoder, TEXT_CLASSES, "lora_te")
    # transformers 5.6 dropped this level from the module path; the files keep it
    text = [target._replace(name=_classic(target.name)) for target in text]
    return text + _walk(unet, UNET_CLASSES + (CONV_CLASSES if conv else ()), "lora_unet", conv=conv)


def _classic(name: str) -> str:
    rest = name.removeprefix("lora_te_")
    return name if rest.startswith("text_model_") else f"lora_te_text_model_{rest}"


def _walk(root: torch.nn.Module, classes: Iterable[str], prefix: str, *, conv: bool = False) -> list[Target]:
    found = []
    for path, owner in root.named_modules():
        if type(owner).__name__ not in classes:
            continue
        inside = [(inner, module) for inner, module in owner.named_modules() if _is_adaptable(module, conv)]
        for inner, module in sorted(inside, key=lambda entry: _creation_rank(entry[0])):
            full = f"{path}.{inner}"
            parent_path, _, attr = full.rpartition(".")
            name = f"{prefix}.{full}".replace(".", "_")
            found.append(Target(name, root.get_submodule(parent_path), attr, module))
    return found


def _is_adaptable(module: torch.nn.Module, conv: bool) -> bool:
    if isinstance(module, torch.nn.Conv2d):
        return conv or module.kernel_size == (1, 1)
    return isinstance(module, torch.nn.Linear)


def _creation_rank(path: str) -> tuple[int, int, int]:
    """Order inside one transformer; kohya's U-Net declares the feed-forward before the cross-attention."""
    parts = path.split(".")
    if parts[0] == "transformer_blocks":
        return 1, int(parts[1]), ("attn1", "ff", "attn2").index(parts[2])
    return (2 if parts[0] == "proj_out" else 0), 0, 0


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

    def set_training(self, training: bool) -> None:
        """Switch dropout on or off."""
        for layer in self.layers.values():
            layer.training = training

    def limit_norms(self, limit: float) -> None:
        """Hold every layer's correction to a norm of at most `limit`; see `LoraLayer.limit_norm`."""
        for layer in self.layers.values():
            layer.limit_norm(limit)

    @contextmanager
    def switched_off(self) -> Iterator[None]:
        """The base model alone, for a while."""
        factors = {name: layer.factor for name, layer in self.layers.items()}
        try:
            for layer in self.layers.values():
                layer.factor = 0.0
            yield
        finally:
            for name, layer in self.layers.items():
                layer.factor = factors[name]

    def detach(self) -> None:
        """Take the LoRA off again: the model is as before."""
        for target in self.targets:
            setattr(target.parent, target.attr, target.module)


def attach(
    unet: torch.nn.Module,
    text_encoder: torch.nn.Module,
    *,
    rank: int,
    alpha: float,
    seed: int,
    conv_rank: int = 0,
    conv_alpha: float = 1.0,
    dropout: float = 0.0,
) -> Network:
    """Put a fresh LoRA on every target layer, in place.

    Initial values depend on `seed` and the order of the layers only.

    Args:
        rank, alpha: of Linear layers and 1x1 convolutions.
        conv_rank, conv_alpha: of larger convolutions; rank 0 leaves them and the rest of their blocks alone.
        dropout: see `loralayer.LoraLayer`.
    """
    generator = torch.Generator().manual_seed(derived_seed(seed, "lora"))
    targets = tuple(find_targets(unet, text_encoder, conv=conv_rank > 0))
    layers = {}
    for target in targets:
        large = target.module.weight.shape[2:] not in ((), (1, 1))
        size, scale = (conv_rank, conv_alpha) if large else (rank, alpha)
        layers[target.name] = LoraLayer(target.module, size, scale, generator, dropout)
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
