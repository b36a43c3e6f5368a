"""What a model file is and how large its parts are, from names and shapes alone: nothing is loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

from loramake.diffuserslayout import part_files
from loramake.errors import UserError
from loramake.families import Shapes, check_folder, check_shapes, check_vae_shapes
from loramake.ldmkeys import UNET_PREFIX, VAE_PREFIX
from loramake.weightheader import read_header

_ATTENTION = re.compile(r"attn[12]\.to_(q|k|v|out\.0)\.weight|ff\.net\.(0\.proj|2)\.weight|proj_(in|out)\.weight")
_TEXT = re.compile(r"self_attn\.(q|k|v|out)_proj\.weight|mlp\.fc[12]\.weight")
_CONV = re.compile(
    r"(in_layers\.2|out_layers\.3|emb_layers\.1|skip_connection|conv1|conv2|time_emb_proj|conv_shortcut"
    r"|\.op|\.\d+\.conv)\.weight$"
)


@dataclass(frozen=True)
class ModelFacts:
    """Sizes of a base model, each in weights.

    Attributes:
        unet, text_encoder, vae: of the parts.
        unet_rank, text_rank: of a LoRA on the part, for each unit of network_dim.
        conv_rank, conv_dim: what conv_dim adds for each unit of network_dim and of conv_dim.
    """

    unet: int = 0
    text_encoder: int = 0
    vae: int = 0
    unet_rank: int = 0
    text_rank: int = 0
    conv_rank: int = 0
    conv_dim: int = 0

    def lora(self, network_dim: int, conv_dim: int = 0, *, text: bool = True) -> int:
        """Weights of a LoRA."""
        rank = self.unet_rank + self.text_rank * text + self.conv_rank * (conv_dim > 0)
        return rank * network_dim + self.conv_dim * conv_dim


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shape of each weight of a file, by name.

    Raises:
        UserError: missing, truncated, or not weights.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError("There is no such file.", file=path, expected="a .safetensors or .ckpt file")
    if path.suffix.lower() == ".safetensors":
        header, _ = read_header(path)
        return {name: tuple(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}
    from loramake.checkpoints import PickledFile  # torch: a second

    pickled = PickledFile(path, "meta")
    return {name: pickled.shape(name) for name in pickled.names()}


def read_base(path: Path | str, *, needs_vae: bool, setting: str = "base_model") -> ModelFacts:
    """Sizes of a base model, file or folder in diffusers layout, of which the family is checked.

    Args:
        needs_vae: its own VAE is wanted.
        setting: names it in messages.

    Raises:
        UserError: missing, truncated, of another family, or without a part that is wanted.
    """
    _check_there(path, setting)
    path = Path(path)
    if path.is_dir():
        check_folder(path, setting)
        return _count(dict(_folder_shapes(path, needs_vae)))
    shapes = read_shapes(path)
    check_shapes(shapes, path, needs_vae, setting=setting)
    return _count(shapes)


def check_vae(path: Path | str) -> None:
    """Check an external VAE, file or folder, by its header.

    Raises:
        UserError: missing, truncated, or no VAE of this family.
    """
    _check_there(path, "vae")
    path = Path(path)
    if path.is_dir():
        inner = path / "vae" if (path / "vae").is_dir() else path
        shapes = {n: s for file in part_files(inner.parent, inner.name) for n, s in read_shapes(file).items()}
    else:
        shapes = read_shapes(path)
    check_vae_shapes(shapes, path)


def lora_ranks(path: Path | str) -> set[int]:
    """The ranks of a LoRA file's Linear and 1x1 layers.

    Raises:
        UserError: missing, truncated, or no LoRA in kohya's format.
    """
    _check_there(path, "train.network_weights")
    shapes = read_shapes(Path(path))
    downs = [shape for name, shape in shapes.items() if name.endswith(".lora_down.weight")]
    if not downs:
        raise UserError(
            "This file holds no LoRA in kohya's format.",
            file=path,
            found=f"{len(shapes)} weights, such as {next(iter(shapes), 'none')}",
            expected="weights named lora_unet_….lora_down.weight",
            setting="train.network_weights",
        )
    return {shape[0] for shape in downs if shape[2:] in ((), (1, 1))}


def _check_there(path: Path | str, setting: str) -> None:
    if not str(path):
        raise UserError(f"{setting} is not set.", found='""', expected="the path of a model", setting=setting)
    if not Path(path).exists():
        raise UserError("A file named in the config is not there.", file=path, found="nothing", setting=setting)


def _folder_shapes(folder: Path, needs_vae: bool) -> Iterator[tuple[str, tuple[int, ...]]]:
    for part, prefix in (("unet", UNET_PREFIX), ("text_encoder", "text_encoder."), ("vae", VAE_PREFIX)):
        if part == "vae" and not needs_vae:
            continue
        for file in part_files(folder, part):
            yield from ((prefix + name, shape) for name, shape in read_shapes(file).items())


def _count(shapes: Shapes) -> ModelFacts:
    sizes = dict.fromkeys(ModelFacts.__dataclass_fields__, 0)
    for name, shape in shapes.items():
        if name.startswith("model_ema."):
            continue
        part = "unet" if name.startswith(UNET_PREFIX) else "vae" if name.startswith(VAE_PREFIX) else "text_encoder"
        sizes[part] += prod(shape)
        if len(shape) < 2 or part == "vae":
            continue
        sides = shape[0] + prod(shape[1:])
        if part == "text_encoder":
            sizes["text_rank"] += sides if _TEXT.search(name) else 0
        elif _ATTENTION.search(name):
            sizes["unet_rank"] += sides
        elif _CONV.search(name):
            sizes["conv_rank" if shape[2:] in ((), (1, 1)) else "conv_dim"] += sides
    return ModelFacts(**sizes)
