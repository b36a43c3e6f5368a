"""What a grid consists of: weights, checkpoints, one cell for each combination, and what its pixels depend on.

Knows no torch: planning a grid and finding it already drawn must be quick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loramake import files
from loramake.axisvalues import parse_numbers
from loramake.errors import UserError
from loramake.lorahash import lora_digest
from loramake.loranames import CalledLora
from loramake.prompts import read_prompts
from loramake.samplernames import check_sampler

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
class Cell:
    """One picture of a grid.

    Args:
        checkpoint: None at weight 0, where every epoch gives the same picture.
        prompt_number, seed_number: places in the config's lists, from 1.
        prompt: `{trigger}` filled in.
        recipe: hash of everything that its pixels depend on.
        called: LoRAs that the prompt calls, beside the checkpoint.
    """

    checkpoint: Checkpoint | None
    weight: float
    prompt_number: int
    prompt: str
    seed_number: int
    seed: int
    recipe: str
    called: tuple[CalledLora, ...] = ()

    @property
    def file_name(self) -> str:
        """e.g. e000004_w0.8_p1_s2.png, or w0_p1_s2.png."""
        epoch = f"e{self.checkpoint.epoch:06d}_" if self.checkpoint else ""
        return f"{epoch}w{weight_text(self.weight)}_p{self.prompt_number}_s{self.seed_number}.png"


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
) -> list[Cell]:
    """Every picture of a grid: weight 0 once for all epochs, the others for each epoch.

    Args:
        prompts: `{trigger}` filled in.
        shared: what all cells have in common and their pixels depend on; JSON-able.
        called: the LoRAs that each prompt calls, from `loranames.call_loras`.
    """
    sources = [(None, weight) for weight in weights if weight == 0]
    sources += [(checkpoint, weight) for checkpoint in checkpoints for weight in weights if weight != 0]
    cells = []
    for checkpoint, weight in sources:
        for prompt_number, prompt in enumerate(prompts, start=1):
            loras = (called or {}).get(prompt, ())
            weights_called = [[lora.digest, lora.text_weight, lora.unet_weight] for lora in loras]
            for seed_number, seed in enumerate(seeds, start=1):
                lora = checkpoint.digest if checkpoint else ""
                own = {"lora": lora, "weight": weight, "prompt": prompt, "seed": seed}
                own |= {"called": weights_called} if loras else {}
                recipe = files.hash_value({**shared, **own})
                cells.append(Cell(checkpoint, weight, prompt_number, prompt, seed_number, seed, recipe, loras))
    return cells


def write_index(
    out_dir: Path,
    cells: Sequence[Cell],
    *,
    epochs: Sequence[int],
    weights: Sequence[float],
    prompts: Sequence[str],
    seeds: Sequence[int],
    settings: Mapping[str, object],
) -> None:
    """Write `cells.json`: the axes, the file of each cell (epoch null at weight 0), and what the title names."""
    rows = [
        {
            "epoch": cell.checkpoint.epoch if cell.checkpoint else None,
            "weight": cell.weight,
            "prompt": cell.prompt_number,
            "seed": cell.seed_number,
            "file": cell.file_name,
        }
        for cell in cells
    ]
    axes = {"epoch": list(epochs), "weight": list(weights), "prompt": list(prompts), "seed": list(seeds)}
    files.write_text(
        Path(out_dir) / "cells.json", files.to_json({"axes": axes, "cells": rows, "settings": dict(settings)})
    )
