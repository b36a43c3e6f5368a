"""What a grid consists of: weights, checkpoints, one cell for each combination, and what its pixels depend on.

Knows no torch: planning a grid and finding it already drawn must be quick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from loramake import files
from loramake.axisvalues import parse_numbers
from loramake.errors import UserError
from loramake.lorahash import lora_digest
from loramake.loranames import CalledLora
from loramake.prompts import read_prompts
from loramake.samplernames import DEFAULT_ETA, check_sampler, resolve_eta

WEIGHT_LIMIT = 10


@dataclass(frozen=True)
class Checkpoint:
    """One epoch's LoRA file.

    `digest` depends on its tensors alone, `short_hash` is the one that the webui shows (12 hex digits).
    """

    epoch: int
    file: Path
    digest: str
    short_hash: str


@dataclass(frozen=True)
class Look:
    """What a picture is drawn with beside its LoRA, prompt and seed; sides in px, `eta` as in the config."""

    base_model: str
    sampler: str
    steps: int
    cfg_scale: float
    width: int
    height: int
    clip_skip: int
    negative_prompt: str
    eta: str | float = "auto"
    v_parameterization: bool | str = "auto"
    zero_terminal_snr: bool | str = "auto"

    def recipe(self) -> dict[str, object]:
        """The part of a recipe that this is: the model goes by its content, eta only where it is not the sampler's."""
        values = asdict(self)
        values.pop("base_model"), values.pop("eta")
        for key in ("v_parameterization", "zero_terminal_snr"):
            # at "auto" no part of the recipe: cells from before these settings stay
            if values[key] == "auto":
                values.pop(key)
        return {**values, **self.noise()}

    def noise(self) -> dict[str, float]:
        """The eta that is not the sampler's own; else nothing."""
        resolved = resolve_eta(self.sampler, self.eta)
        return {"eta": resolved} if resolved != (DEFAULT_ETA[self.sampler] or 0.0) else {}


@dataclass(frozen=True)
class Cell:
    """One picture of a grid.

    Args:
        checkpoint: None at weight 0, where every epoch and variant gives the same picture.
        prompt: `{trigger}` filled in.
        recipe: hash of everything that its pixels depend on.
        place: where it stands in its grid, as the index says it: (name, value) pairs.
        file_name: in the grid's folder of cells.
        called: LoRAs that the prompt calls, beside the checkpoint.
        look: None only in plans that nothing is drawn from.
    """

    checkpoint: Checkpoint | None
    weight: float
    prompt: str
    seed: int
    recipe: str
    place: tuple[tuple[str, object], ...]
    file_name: str
    called: tuple[CalledLora, ...] = ()
    look: Look | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The LoRA files that it takes."""
        return (*((self.checkpoint.file,) if self.checkpoint else ()), *(lora.file for lora in self.called))


def cell_recipe(
    shared: Mapping[str, object],
    checkpoint: Checkpoint | None,
    weight: float,
    prompt: str,
    seed: int,
    called: Sequence[CalledLora],
) -> str:
    """Hash of everything that a cell's pixels depend on, in whatever grid it stands.

    Args:
        shared: look, models and revision; JSON-able.
    """
    own: dict[str, object] = {"lora": checkpoint.digest if checkpoint else "", "weight": weight}
    own |= {"prompt": prompt, "seed": seed}
    if called:
        own["called"] = [[lora.digest, lora.text_weight, lora.unet_weight] for lora in called]
    return files.hash_value({**shared, **own})


def weight_text(weight: float) -> str:
    """A weight as people write it: 0, 0.8, 1."""
    return f"{weight:g}"


def parse_weights(value: str | Sequence[object], *, setting: str = "grid.weights") -> tuple[float, ...]:
    """Read the weight axis in the webui's value syntax, see `axisvalues.parse_numbers`.

    Raises:
        UserError: as there; weights go from -10 to 10.
    """
    return parse_numbers(value, setting=setting, name="weight", low=-WEIGHT_LIMIT, high=WEIGHT_LIMIT)


def check_grid(
    weights: str | Sequence[object], sampler: str, prompts: Sequence[str], negative_prompt: str, trigger: str
) -> None:
    """Refuse a grid that could not be drawn, hours before its LoRA is trained.

    Raises:
        UserError: an unreadable weight axis or prompt, an unknown sampler, no weight at which the LoRA would apply.
    """
    if not any(parse_weights(weights)) and not any("<lora:" in prompt for prompt in prompts):
        raise UserError(
            "No picture of the grid would have the LoRA: every weight is 0.",
            found="grid.weights: 0",
            expected="0 and some others, such as 0, 0.8, 1",
            setting="grid.weights",
        )
    check_sampler(sampler)
    read_prompts(prompts, negative_prompt, trigger)


def find_checkpoints(lora_dir: Path, epochs: str | Sequence[int]) -> list[Checkpoint]:
    """The checkpoints of a run, by epoch.

    Args:
        lora_dir: `loras/{character}/{variant}` with its `index.json`.
        epochs: "all", or those wanted.

    Raises:
        UserError: no index, an epoch that was not saved, a damaged file.
    """
    index = Path(lora_dir) / "index.json"
    if not index.is_file():
        raise UserError("There is no trained LoRA here.", file=lora_dir, expected="index.json", setting="run training")
    saved = {entry["epoch"]: Path(lora_dir) / entry["file"] for entry in files.read_json(index)["epochs"]}
    wanted = sorted(saved) if epochs == "all" else sorted(set(epochs))
    missing = [epoch for epoch in wanted if epoch not in saved]
    if missing or not wanted:
        raise UserError(
            "An epoch of the grid was not saved." if missing else "The run has saved no epoch.",
            file=lora_dir,
            found=f"epochs {', '.join(map(str, sorted(saved)))}",
            expected=f"epoch {missing[0]}" if missing else "at least one",
            setting="grid.epochs, train.max_train_epochs or train.save_every_n_epochs",
        )
    return [Checkpoint(epoch, saved[epoch], *lora_digest(saved[epoch])) for epoch in wanted]


def plan_cells(
    checkpoints: Sequence[Checkpoint],
    weights: Sequence[float],
    prompts: Sequence[str],
    seeds: Sequence[int],
    *,
    shared: Mapping[str, object],
    called: Mapping[str, tuple[CalledLora, ...]] | None = None,
    look: Look | None = None,
) -> list[Cell]:
    """Every picture of an epoch x weight grid: weight 0 once for all epochs, the others for each epoch.

    Args:
        prompts: `{trigger}` filled in.
        shared: what all cells have in common and their pixels depend on; JSON-able.
        called: the LoRAs that each prompt calls, from `loranames.call_loras`.
        look: the same as a value, to draw with.
    """
    sources = [(None, weight) for weight in weights if weight == 0]
    sources += [(checkpoint, weight) for checkpoint in checkpoints for weight in weights if weight != 0]
    cells = []
    for checkpoint, weight in sources:
        epoch = checkpoint.epoch if checkpoint else None
        for number, prompt in enumerate(prompts, start=1):
            loras = (called or {}).get(prompt, ())
            for seed_number, seed in enumerate(seeds, start=1):
                recipe = cell_recipe(shared, checkpoint, weight, prompt, seed, loras)
                place = (("epoch", epoch), ("weight", weight), ("prompt", number), ("seed", seed_number))
                name = (f"e{epoch:06d}_" if checkpoint else "") + f"w{weight_text(weight)}_p{number}_s{seed_number}.png"
                cells.append(Cell(checkpoint, weight, prompt, seed, recipe, place, name, loras, look))
    return cells


def write_index(
    out_dir: Path, cells: Sequence[Cell], axes: Mapping[str, object], settings: Mapping[str, object]
) -> None:
    """Write `cells.json`: the axes, place and file of each cell, and what the title names.

    In an epoch x weight grid a place is epoch (null at weight 0), weight, and the numbers of prompt and seed.
    """
    rows = [{**dict(cell.place), "file": cell.file_name} for cell in cells]
    files.write_text(
        Path(out_dir) / "cells.json", files.to_json({"axes": dict(axes), "cells": rows, "settings": dict(settings)})
    )
