"""What stands beside the weights: configurations in diffusers layout, and the weight files of its folders."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch

from loramake.checkpoints import CONFIG_KEY, WeightFile, open_weights
from loramake.diffuserslayout import part_files
from loramake.errors import UserError

SD15_FOLDER = Path(__file__).parent / "sd15"
ALL_PARTS = ("text_encoder", "unet", "vae")


def read_configs(folder: Path | None, metadata: Mapping[str, str]) -> dict[str, dict[str, object]]:
    """The configuration of each part and of the scheduler: from the folder, else the metadata, else SD1.5."""
    inside = json.loads(metadata[CONFIG_KEY]) if CONFIG_KEY in metadata and folder is None else {}
    names = {part: "config.json" for part in ALL_PARTS} | {"scheduler": "scheduler_config.json"}
    configs = {}
    for part, name in names.items():
        if part in inside:
            configs[part] = inside[part]
            continue
        file = (folder or SD15_FOLDER) / part / name
        if not file.is_file() and part == "scheduler":
            file = SD15_FOLDER / part / name
        try:
            configs[part] = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(
                "The model's configuration cannot be read.",
                file=file,
                found=error,
                expected="a folder in diffusers layout: unet/config.json, vae/config.json, text_encoder/config.json",
                setting="base_model_config",
            ) from error
    return configs


def external_vae_config(path: Path | str, own: Mapping[str, object]) -> Mapping[str, object]:
    """An external VAE's configuration: beside its weights, in its metadata, else as the base model's own."""
    path = Path(path)
    for file in (path / "config.json", path / "vae" / "config.json"):
        if file.is_file():
            return json.loads(file.read_text(encoding="utf-8"))
    if path.suffix.lower() == ".safetensors" and path.is_file():
        metadata = open_weights(path).metadata
        if CONFIG_KEY in metadata:
            return json.loads(metadata[CONFIG_KEY]).get("vae", own)
    return own


class FolderWeights:
    """The weight files of one part of a diffusers folder, seen as one file."""

    def __init__(self, path: Path, files: list[WeightFile]) -> None:
        self.path, self.metadata = path, {}
        self._where = {name: file for file in files for name in file.names()}

    def names(self) -> Iterable[str]:
        return self._where.keys()

    def shape(self, name: str) -> tuple[int, ...]:
        return self._where[name].shape(name)

    def get(self, name: str) -> torch.Tensor:
        return self._where[name].get(name)


def folder_weights(folder: Path, part: str) -> FolderWeights:
    """Open the weights of a part; see `diffuserslayout.part_files`."""
    return FolderWeights(folder / part, [open_weights(file) for file in part_files(folder, part)])
