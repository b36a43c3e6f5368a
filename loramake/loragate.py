"""Refusing a LoRA that came out broken, before it is saved; each refusal says what to change."""

from __future__ import annotations

from collections.abc import Callable

import torch

from loramake.devices import SAVE_DTYPES
from loramake.errors import UserError
from loramake.lora import Network
from loramake.recipe import Recipe


def gate(network: Network, recipe: Recipe, precision: str) -> None:
    """Refuse weights that are not finite, as they are or rounded to the saved precision.

    Raises:
        UserError: NaN or infinity.
    """
    dtype = SAVE_DTYPES[recipe.save_precision]
    weights = [parameter.detach() for parameter in network.parameters()]
    if torch.stack([torch.isfinite(w.to(dtype)).all() for w in weights]).all():
        return
    if all(bool(torch.isfinite(w).all()) for w in weights):
        raise UserError(
            "The LoRA's weights are too large for the precision it is saved in.",
            found=f"save_precision {recipe.save_precision}",
            expected="finite weights",
            setting="train.save_precision: float or bf16; or a lower train.unet_lr",
        )
    raise UserError(
        "Training has diverged: the LoRA holds NaN or infinite weights.",
        found=f"{_rates(recipe)}, network_alpha {recipe.network_alpha:g}, precision {precision}",
        expected="finite weights",
        setting=_bf16(precision) + "a lower train.unet_lr and train.text_encoder_lr",
    )


def check_effect(network: Network, recipe: Recipe, precision: str, probe: Callable[[], torch.Tensor]) -> None:
    """Refuse a LoRA that does nothing, or with which the U-Net gives NaN.

    Args:
        probe: the U-Net's answer to a fixed input with the LoRA as it is.

    Raises:
        UserError: up-weights that are all zero in the saved precision, the same answer with and without the LoRA, or
            an answer that is not finite.
    """
    dtype = SAVE_DTYPES[recipe.save_precision]
    if not any(layer.up.detach().to(dtype).any() for layer in network.layers.values()):
        raise UserError(
            "The LoRA does nothing: all its up-weights are zero.",
            found=f"{_rates(recipe)}, lr_warmup_steps {recipe.lr_warmup_steps}",
            expected="weights that moved",
            setting=_bf16(precision)
            + ("fewer train.lr_warmup_steps, or " if recipe.lr_warmup_steps else "")
            + "a higher train.unet_lr",
        )
    with network.switched_off():
        without = probe()
    if not torch.isfinite(without).all():
        raise UserError(
            "The base model's U-Net gives NaN, without any LoRA.",
            found=f"precision {precision}",
            expected="finite values",
            setting=_bf16(precision) + "another base_model",
        )
    answer = probe()
    if not torch.isfinite(answer).all():
        raise UserError(
            "With this LoRA the U-Net gives NaN.",
            found=f"{_rates(recipe)}, precision {precision}",
            expected="finite values",
            setting=_bf16(precision) + "a lower train.unet_lr and train.text_encoder_lr",
        )
    if torch.equal(answer, without):
        raise UserError(
            "The LoRA has no effect on the U-Net's output.",
            found=f"{_rates(recipe)}, network_alpha {recipe.network_alpha:g}, network_dim {recipe.network_dim}",
            expected="another answer than the base model's",
            setting="a higher train.unet_lr or train.network_alpha",
        )


def _rates(recipe: Recipe) -> str:
    return f"unet_lr {recipe.unet_lr:g}, text_encoder_lr {recipe.resolved_text_encoder_lr():g}"


def _bf16(precision: str) -> str:
    return "train.mixed_precision: bf16, or " if precision == "fp16" else ""
