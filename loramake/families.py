"""Recognising what a weight file or model folder is, by the names and shapes of its weights; no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from loramake.errors import UserError
from loramake.ldmkeys import TEXT_PREFIX, UNET_PREFIX, VAE_PREFIX

if TYPE_CHECKING:
    from loramake.checkpoints import WeightFile

Shapes = Mapping[str, tuple[int, ...]]

SD1 = "SD1.x"
_TEXT_ROOT = TEXT_PREFIX.removesuffix("text_model.")
_VAE_ROOTS = {"encoder", "decoder", "quant_conv", "post_quant_conv", "loss", "model_ema"}
# parts of a weight's name that only one family has; the first that is found decides
_MARKS = (
    ("LoRA", ("lora_down", "lora_up", "lora_A", "lora_B", "lora.down", "lora.up", "lora_linear_layer")),
    ("LoRA", ("hada_w1", "lokr_w", "oft_blocks", "oft_diag", "dora_scale")),
    ("ControlNet", ("control_model.", "input_hint_block.", "controlnet_cond_embedding", "controlnet_down_blocks")),
    ("IP-Adapter", ("ip_adapter.", "image_proj.")),
    ("SDXL", ("conditioner.embedders.", "diffusion_model.label_emb.", "add_embedding.linear_1")),
    ("SD2.x", ("cond_stage_model.model.",)),
    ("SD3", ("joint_blocks.", "attn.add_q_proj")),
    ("Flux", ("double_blocks.", "single_transformer_blocks.")),
    ("textual inversion", ("emb_params", "string_to_param")),
)
_FOLDER_CLASSES = {
    "AutoencoderKL": "VAE",
    "ControlNetModel": "ControlNet",
    "UNet2DConditionModel": "U-Net alone",
    "CLIPTextModel": "text encoder alone",
}
_HINTS = {
    "VAE": "vae: this file, and base_model: a checkpoint",
    "LoRA": "train.network_weights, to go on from this LoRA; base_model: the checkpoint it was made for",
}


def family(shapes: Shapes) -> str:
    """What a file holds: "SD1.x", "SDXL", "SD2.x", "LoRA", "VAE", "U-Net alone", … or "unknown".

    Args:
        shapes: shape of each weight by name.
    """
    for kind, words in _MARKS:
        if any(word in name for name in shapes for word in words):
            return kind
    if 0 < len(shapes) <= 2 and all(
        shape and len(shape) <= 2 and shape[-1] in (768, 1024) for shape in shapes.values()
    ):
        return "textual inversion"
    if any(name.startswith(UNET_PREFIX) for name in shapes):
        keys = [shape for name, shape in shapes.items() if name.endswith("attn2.to_k.weight")]
        if keys and keys[0][-1] == 1024:
            return "SD2.x"
        entry = shapes.get(f"{UNET_PREFIX}input_blocks.0.0.weight", ())
        if len(entry) == 4 and entry[1] != 4:
            return "SD1.x inpainting" if entry[1] == 9 else f"SD1.x with {entry[1]} input channels"
        return SD1 if any(name.startswith(_TEXT_ROOT) for name in shapes) else "U-Net alone"
    roots = {name.removeprefix(VAE_PREFIX).split(".")[0] for name in shapes}
    if "decoder" in roots and roots <= _VAE_ROOTS:
        return "VAE"
    if "down_blocks" in roots and "time_embedding" in roots:
        return "U-Net alone"
    return "text encoder alone" if roots == {"text_model"} else "unknown"


def folder_family(folder: Path) -> str:
    """What a folder in diffusers or peft layout holds, by its configurations; as `family`."""
    kind = str(_read(folder / "model_index.json").get("_class_name", ""))
    if "XL" in kind or (folder / "text_encoder_2").is_dir():
        return "SDXL"
    if (folder / "transformer").is_dir():
        return "Flux" if "Flux" in kind else "SD3" if "StableDiffusion3" in kind else "SD3 or Flux"
    if (folder / "adapter_config.json").is_file():
        return "LoRA"
    if not (folder / "unet").is_dir():
        own = _read(folder / "config.json")
        name = str(own.get("_class_name") or next(iter(own.get("architectures") or []), ""))
        return _FOLDER_CLASSES.get(name, "unknown")
    if _read(folder / "text_encoder" / "config.json").get("hidden_size") == 1024:
        return "SD2.x"
    channels = _read(folder / "unet" / "config.json").get("in_channels", 4)
    return {4: SD1, 9: "SD1.x inpainting"}.get(channels, f"SD1.x with {channels} input channels")


def check_family(source: WeightFile, *, needs_vae: bool, needs_rest: bool) -> None:
    """Refuse a base model that is no SD1-type single file, naming what it is.

    Args:
        needs_vae: whether the model's own VAE is wanted.
        needs_rest: whether U-Net or text encoder are wanted.

    Raises:
        UserError: another family, or a part that is wanted is not inside.
    """
    check_shapes({name: source.shape(name) for name in source.names()}, source.path, needs_vae, needs_rest)


def check_shapes(
    shapes: Shapes, path: Path, needs_vae: bool, needs_rest: bool = True, setting: str = "base_model"
) -> None:
    """As `check_family`, for a file of which only the header was read; `setting` names it."""
    kind = family(shapes)
    if kind == "VAE" and not needs_rest:
        return
    if kind != SD1:
        raise UserError(
            f"The base model is not an SD1.x checkpoint but: {kind}.",
            file=path,
            found=f"{len(shapes)} weights, such as {next(iter(shapes), 'none')}",
            expected="a full SD1.x model (text encoder and U-Net)",
            setting=_HINTS.get(kind, setting),
        )
    if needs_vae and not any(name.startswith(VAE_PREFIX) for name in shapes):
        raise UserError(
            "The base model has no VAE inside.",
            file=path,
            expected=f"weights named {VAE_PREFIX}…",
            setting="vae (give an external VAE)",
        )


def check_vae_shapes(shapes: Shapes, path: Path) -> None:
    """Refuse a file given as a VAE that holds none, or one of another family.

    Raises:
        UserError: names what it is.
    """
    entry = next((s for n, s in shapes.items() if n.removeprefix(VAE_PREFIX) == "decoder.conv_in.weight"), None)
    if entry is None or not any(name.removeprefix(VAE_PREFIX).startswith("encoder.") for name in shapes):
        kind = family(shapes)
        found = "no weights named encoder.… and decoder.…" + ("" if kind == "unknown" else f"; this is: {kind}")
        raise UserError("This file holds no VAE.", file=path, found=found, expected="a VAE", setting="vae")
    if len(entry) == 4 and entry[1] != 4:
        raise UserError(
            "This VAE belongs to another family of models.",
            file=path,
            found=f"latents of {entry[1]} channels",
            expected="a VAE of SD1.x, with 4",
            setting="vae",
        )


def check_folder(folder: Path, setting: str = "base_model") -> None:
    """Refuse a diffusers folder that is no SD1-type model; `setting` names it.

    Raises:
        UserError: names the family.
    """
    if (kind := folder_family(folder)) != SD1:
        raise UserError(
            f"This folder holds no SD1.x model but: {kind}.",
            file=folder,
            found=", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing",
            expected="unet/, text_encoder/ and vae/ of an SD1.x model",
            setting=_HINTS.get(kind, setting),
        )


def _read(file: Path) -> dict:
    """A configuration; empty where there is none that can be read."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
