"""Recognising what a weight file is by the names of its weights."""

from __future__ import annotations

from collections.abc import Iterable

from loramake.checkpoints import WeightFile
from loramake.errors import UserError
from loramake.ldmkeys import TEXT_PREFIX, UNET_PREFIX, VAE_PREFIX

_TEXT_ROOT = TEXT_PREFIX.removesuffix("text_model.")


def family(names: Iterable[str]) -> str:
    """What a file holds: "SD1.x", "SDXL", "SD2.x", "LoRA", "VAE", "textual inversion", "U-Net alone" or "unknown"."""
    names = set(names)

    def any_with(*words: str) -> bool:
        return any(word in name for name in names for word in words)

    if any_with("lora_down", "lora_up", "lora_A", "lora_B", "hada_w1", "lokr_w", "oft_blocks"):
        return "LoRA"
    if any_with("conditioner.embedders.", "diffusion_model.label_emb."):
        return "SDXL"
    if any_with("cond_stage_model.model."):
        return "SD2.x"
    if any_with("joint_blocks.", "double_blocks."):
        return "SD3 or Flux"
    if names & {"emb_params", "string_to_param"}:
        return "textual inversion"
    if any(name.startswith(UNET_PREFIX) for name in names):
        has_text = any(name.startswith(_TEXT_ROOT) for name in names)
        return "SD1.x" if has_text else "U-Net alone"
    roots = {name.removeprefix(VAE_PREFIX).split(".")[0] for name in names}
    if "decoder" in roots and roots <= {"encoder", "decoder", "quant_conv", "post_quant_conv", "loss", "model_ema"}:
        return "VAE"
    return "unknown"


def check_family(source: WeightFile, *, needs_vae: bool, needs_rest: bool) -> None:
    """Refuse a base model that is no SD1-type single file, naming what it is.

    Args:
        needs_vae: whether the model's own VAE is wanted.
        needs_rest: whether U-Net or text encoder are wanted.

    Raises:
        UserError: another family, or a part that is wanted is not inside.
    """
    names = list(source.names())
    kind = family(names)
    if kind == "VAE" and not needs_rest:
        return
    if kind != "SD1.x":
        raise UserError(
            f"The base model is not an SD1.x checkpoint but: {kind}.",
            file=source.path,
            found=f"{len(names)} weights, such as {names[0] if names else 'none'}",
            expected="a full SD1.x model (text encoder and U-Net)",
            setting="vae" if kind == "VAE" else "base_model",
        )
    if needs_vae and not any(name.startswith(VAE_PREFIX) for name in names):
        raise UserError(
            "The base model has no VAE inside.",
            file=source.path,
            expected=f"weights named {VAE_PREFIX}…",
            setting="vae (give an external VAE)",
        )
