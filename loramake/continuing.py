"""Starting from the weights of a LoRA that is there already (kohya's `network_weights`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from loramake.errors import UserError
from loramake.lora import Network, load_file


def start_from(network: Network, path: Path | str) -> None:
    """Give a fresh network the weights of a file in kohya's format.

    Layers that the file lacks stay fresh. Where the file's alpha is another than the run's, up is scaled so that the
    LoRA does the same as before.

    Raises:
        UserError: another rank, another model, or layers that the run does not train.
    """
    if not Path(path).is_file():
        raise UserError("There is no such LoRA.", file=path, expected="a file", setting="train.network_weights")
    tensors, _ = load_file(Path(path))
    names = sorted({key.partition(".")[0] for key in tensors})
    for name in names:
        layer = network.layers.get(name)
        down, up = (tensors.get(f"{name}.{half}.weight") for half in ("lora_down", "lora_up"))
        if layer is None or down is None or up is None or f"{name}.lora_mid.weight" in tensors:
            conv = "resnets" in name or "samplers" in name
            raise UserError(
                "This LoRA has weights that the run has no place for.",
                file=path,
                found=name,
                expected="the layers of kohya's networks.lora on this base model",
                setting="train.conv_dim" if conv else "train.network_weights or base_model",
            )
        _check_shape(network, name, down, up, path)
    _copy(network, names, tensors)
    print(f"continuing from {Path(path).name}: {len(names)} of {len(network.layers)} layers")


def _check_shape(network: Network, name: str, down: torch.Tensor, up: torch.Tensor, path: Path | str) -> None:
    layer = network.layers[name]
    if down.shape[0] != layer.rank:
        setting = "conv_dim" if layer.down.shape[2:] not in ((), (1, 1)) else "network_dim"
        raise UserError(
            "This LoRA has another rank.",
            file=path,
            found=f"rank {down.shape[0]}",
            expected=f"rank {layer.rank}",
            setting=f"train.{setting}: {down.shape[0]}",
        )
    if down.numel() != layer.down.numel() or up.numel() != layer.up.numel():
        raise UserError(
            "This LoRA was made for another kind of model.",
            file=path,
            found=f"{name}: {list(down.shape)} and {list(up.shape)}",
            expected=f"{list(layer.down.shape)} and {list(layer.up.shape)}",
            setting="train.network_weights or base_model",
        )


@torch.no_grad()
def _copy(network: Network, names: list[str], tensors: Mapping[str, torch.Tensor]) -> None:
    for name in names:
        layer = network.layers[name]
        # an alpha of 0, or none, means alpha = rank
        alpha = float(tensors.get(f"{name}.alpha", torch.tensor(0.0))) or float(layer.rank)
        layer.down.copy_(tensors[f"{name}.lora_down.weight"].view(layer.down.shape))
        layer.up.copy_(tensors[f"{name}.lora_up.weight"].view(layer.up.shape).float() * (alpha / layer.alpha))
