"""The optimizer over a LoRA: two groups, clipping, and its state as plain tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from loramake.lora import Network


def make_optimizer(network: Network, *, weight_decay: float) -> torch.optim.AdamW:
    """AdamW (betas 0.9 and 0.999, eps 1e-8) over text encoder and U-Net as two groups, in this order.

    A weight that gets no gradient (a layer that clip_skip passes over) is left untouched, weight decay included.
    """
    groups = [{"params": list(network.parameters(prefix)), "lr": 0.0} for prefix in ("lora_te_", "lora_unet_")]
    device = next(network.parameters()).device
    return torch.optim.AdamW(
        groups, lr=0.0, betas=(0.9, 0.999), eps=1e-8, weight_decay=weight_decay, fused=device.type in ("cpu", "cuda")
    )


def set_learning_rates(optimizer: torch.optim.Optimizer, text_encoder_lr: float, unet_lr: float) -> None:
    """Set both groups' learning rates for the next step."""
    for group, rate in zip(optimizer.param_groups, (text_encoder_lr, unet_lr), strict=True):
        group["lr"] = rate


def clip_gradients(network: Network, max_norm: float) -> torch.Tensor:
    """Scale all gradients so that their common 2-norm is at most `max_norm` (0: no clipping); returns the old norm."""
    return torch.nn.utils.clip_grad_norm_(list(network.parameters()), max_norm or float("inf"))


def _named(network: Network) -> Iterator[tuple[str, torch.nn.Parameter]]:
    for name, layer in network.layers.items():
        yield f"{name}.lora_down.weight", layer.down
        yield f"{name}.lora_up.weight", layer.up


def optimizer_tensors(network: Network, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The moments and step counts of every weight that has been updated, by the weight's name."""
    tensors = {}
    for name, parameter in _named(network):
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"{name}:{key}"] = value.detach().cpu().clone()
    return tensors


def load_optimizer_tensors(
    network: Network, optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]
) -> None:
    """Restore what `optimizer_tensors` gave."""
    for name, parameter in _named(network):
        entries = {
            key: tensors[f"{name}:{key}"] for key in ("step", "exp_avg", "exp_avg_sq") if f"{name}:{key}" in tensors
        }
        if entries:
            optimizer.state[parameter] = {key: value.to(parameter.device).clone() for key, value in entries.items()}
