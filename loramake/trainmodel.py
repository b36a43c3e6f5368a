"""The model that a run trains on, frozen, with a fresh LoRA; and what it is trained to predict."""

from __future__ import annotations

import torch

from loramake.attending import use_narrow_attention, use_xformers
from loramake.compiling import compile_blocks
from loramake.devices import COMPUTE_DTYPES
from loramake.errors import UserError
from loramake.gating import use_lean_gates
from loramake.lora import Network, attach
from loramake.models import StableDiffusion1, as_set, load_sd1
from loramake.recipe import Recipe


def load_frozen(
    recipe: Recipe, base_model: str, base_model_config: str, device: torch.device, precision: str
) -> StableDiffusion1:
    """Text encoder and U-Net, frozen, in the precision of the computation (no, fp16 or bf16).

    Raises:
        UserError: see `models.load_sd1`.
    """
    parts = ("text_encoder", "unet")
    dtype = COMPUTE_DTYPES[precision]
    model = load_sd1(base_model, config=base_model_config, device=device, dtype=dtype, parts=parts)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(True, warn_only=True)
    if recipe.gradient_checkpointing:
        model.unet.enable_gradient_checkpointing()
        model.text_encoder.enable_gradient_checkpointing()
    if device.type == "cpu" and dtype == torch.float32:
        use_narrow_attention(model.unet, model.text_encoder)
        if not recipe.torch_compile:  # a graph joins plain gates with what is around them
            use_lean_gates(model.unet)
        # the order that oneDNN's convolutions want; otherwise each backward pass puts the weights into it anew
        model.unet.to(memory_format=torch.channels_last)
    if recipe.xformers:
        use_xformers(model.unet)
    return model


def attach_network(recipe: Recipe, model: StableDiffusion1) -> Network:
    """Put the recipe's fresh LoRA on a model; a text encoder at rate 0 gets no gradients."""
    network = attach(
        model.unet,
        model.text_encoder,
        rank=recipe.network_dim,
        alpha=recipe.network_alpha,
        seed=recipe.seed,
        conv_rank=recipe.conv_dim,
        conv_alpha=recipe.conv_alpha,
        dropout=recipe.network_dropout,
    )
    if recipe.torch_compile:
        compile_blocks(model.unet)
    if recipe.resolved_text_encoder_lr() == 0:
        for parameter in network.parameters("lora_te_"):
            parameter.requires_grad_(False)
    return network


def as_trained(recipe: Recipe, model: StableDiffusion1) -> StableDiffusion1:
    """The model with what the recipe says that it predicts, and of its noise schedule.

    Raises:
        UserError: a schedule without signal at its end is asked for with a model that predicts noise.
    """
    model = as_set(model, v_parameterization=recipe.v_parameterization, zero_terminal_snr=recipe.zero_terminal_snr)
    if recipe.zero_terminal_snr is True and model.prediction_type == "epsilon":
        raise UserError(
            "Without signal at the last timestep only velocity can be predicted, and this base model predicts noise.",
            found="zero_terminal_snr: true",
            expected="zero_terminal_snr: auto, or a base model that predicts velocity",
            setting="train.zero_terminal_snr, or train.v_parameterization: true",
        )
    return model
