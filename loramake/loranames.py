"""The LoRAs that prompts call as `<lora:name:0.8>`: from names to files. No torch."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loramake import variants
from loramake.epochs import saved_epochs
from loramake.errors import UserError
from loramake.files import hash_value
from loramake.lorahash import lora_digest
from loramake.prompts import parse
from loramake.prompttree import LoraTag

SETTING = "grid.prompts, or grid.lora_dir (the folder that such LoRAs lie in)"


@dataclass(frozen=True)
class CalledLora:
    """A LoRA file that a prompt calls, with the weights it is called with.

    `digest` depends on its tensors alone, `short_hash` is the one that the webui shows (12 hex digits).
    """

    name: str
    file: Path
    digest: str
    short_hash: str
    text_weight: float
    unet_weight: float


def lora_title(character: str, overrides: Mapping[str, object], train: Mapping[str, object]) -> str:
    """What the names of a variant's LoRA files begin with: shim, or shim-unet_lr-5e-4.

    A webui calls LoRAs by these names, from one folder, and takes `=` in a prompt for its own.

    Args:
        character: its key.
        overrides: settings of the variant, from `variants.parse`.
        train: the config's settings; a variant that differs in none has the name of base.
    """
    differing = {key: value for key, value in overrides.items() if train[key] != value}
    if not differing:
        return character
    title = f"{character}-{variants.spell(differing).replace('=', '-')}"
    # a file's name holds 255 bytes, with epoch and suffix
    return title if len(title) <= 200 else f"{title[:190]}-{hash_value(title)[:8]}"


def epoch_names(name: str, max_train_epochs: int, save_every_n_epochs: int) -> list[str]:
    """The names of the epochs that a run will save, as the webui calls them.

    Args:
        name: what the run's files begin with, from `lora_title`.
    """
    return [f"{name}-{epoch:06d}" for epoch in saved_epochs(max_train_epochs, save_every_n_epochs)]


def folder_loras(lora_dir: Path | str) -> dict[str, list[Path]]:
    """The `.safetensors` files in a folder and below it, by name (without suffix), as the webui lists its own.

    Args:
        lora_dir: "" for none.

    Raises:
        UserError: there is no such folder.
    """
    if not lora_dir:
        return {}
    if not Path(lora_dir).is_dir():
        raise UserError(
            "The folder of LoRAs for prompts is not there.",
            file=lora_dir,
            found="nothing",
            expected="a folder of .safetensors files",
            setting="grid.lora_dir",
        )
    found: dict[str, list[Path]] = {}
    for path in sorted(Path(lora_dir).rglob("*.safetensors")):
        found.setdefault(path.stem, []).append(path)
    return found


def needed_files(prompts: Iterable[str], own: Sequence[str], lora_dir: Path | str) -> dict[str, Path]:
    """The files of a folder that prompts call, by name; a run's own epochs are not among them.

    Args:
        prompts: with the trigger filled in.
        own: names that the run's own epochs have, or will have.
        lora_dir: searched for the other names.

    Raises:
        UserError: a name that is neither, with the nearest; a name that two files have.
    """
    names = dict.fromkeys(tag.name for prompt in prompts for tag in parse(prompt).loras)
    wanted = [name for name in names if name not in own]
    there = folder_loras(lora_dir) if wanted else {}
    return {name: _only(name, there, own) for name in wanted}


def call_loras(
    prompts: Iterable[str], own: Mapping[str, Path], lora_dir: Path | str
) -> dict[str, tuple[CalledLora, ...]]:
    """What each prompt calls, in its order; a LoRA called with both weights 0 is left out.

    Args:
        prompts: with the trigger filled in.
        own: files of the run's own epochs, by name.
        lora_dir: searched for the other names.

    Raises:
        UserError: as `needed_files`; also a file that cannot be read.
    """
    prompts = list(prompts)
    known = {**needed_files(prompts, list(own), lora_dir), **own}
    return {
        prompt: tuple(
            _called(tag, known[tag.name]) for tag in parse(prompt).loras if tag.text_weight or tag.unet_weight
        )
        for prompt in prompts
    }


def _called(tag: LoraTag, file: Path) -> CalledLora:
    return CalledLora(tag.name, file, *lora_digest(file), tag.text_weight, tag.unet_weight)


def _only(name: str, there: Mapping[str, Sequence[Path]], own: Sequence[str]) -> Path:
    """The one file of a name."""
    files = there.get(name, [])
    if len(files) == 1:
        return files[0]
    if files:
        raise UserError(
            f"Two LoRAs are called {name}.",
            found=", ".join(map(str, files)),
            expected="one file of each name",
            setting="rename one of them",
        )
    known = [*there, *own]
    close = difflib.get_close_matches(name, known, 1, 0.5)
    raise UserError(
        f"A prompt calls a LoRA that is not there.{f' The nearest is {close[0]}.' if close else ''}",
        found=f"<lora:{name}:…>",
        expected="one of " + _listed(known) if known else "a LoRA of grid.lora_dir",
        setting=SETTING,
    )


def _listed(names: Sequence[str], most: int = 12) -> str:
    more = f", … ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(names[:most]) + more
