"""A made-up trained variant on disk, with cells of one colour each: what a character's report is made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

from loramake import cells, pngtext
from loramake.files import hash_file, to_json, write_text
from loramake.overview import VariantFiles
from loramake.runs import LOSS_COLUMNS, VALIDATION_COLUMNS

PROMPTS = ["shim, 1girl", "shim, <b>red</b> dress, \"hat\" & 'gloves', {{ 7 * 7 }}"]
SEEDS = [1, 13371488]
STEPS = 6  # of an epoch


def write_variant(
    folder: Path,
    name: str = "base",
    *,
    epochs: int = 3,
    weights: tuple[float, ...] = (0.0, 0.5, 1.0),
    picked: tuple[int, float] | None = (2, 0.5),
    reason: str = "Validation loss is lowest at 2.",
    validation: bool = True,
    size: tuple[int, int] = (32, 48),
    settings: dict | None = None,
    score: float = 0.3,
) -> VariantFiles:
    """Write the LoRAs, logs, cells, pick and settings of one variant."""
    lora, drawn = folder / "loras" / name, folder / "cells" / name
    _write_run(lora, name, epochs, validation)
    write_text(folder / f"runs/run-{name}/made_of.json", to_json({"base_model": "ab" * 32, "vae": "", "pictures": []}))
    checkpoints = cells.find_checkpoints(lora, "all")
    planned = cells.plan_cells(checkpoints, weights, PROMPTS, SEEDS, shared={"name": name})
    for cell in planned:
        epoch = cell.checkpoint.epoch if cell.checkpoint else 0
        place = dict(cell.place)
        colour = (40 * epoch % 256, round(120 * cell.weight), 60 * place["prompt"] + 20 * place["seed"])
        fields = {"Steps": 12, "Sampler": "Euler", "CFG scale": 5, "Seed": cell.seed}
        path = drawn / cell.file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            pngtext.encode_png(Image.new("RGB", size, colour), pngtext.write_parameters(cell.prompt, "bad", fields))
        )
    shown = {
        "Sampler": "Euler",
        "Steps": 12,
        "CFG scale": 5,
        "Size": "32x48",
        "Model": "base",
        "Model hash": "abababab",
    }
    axes = {"epoch": list(range(1, epochs + 1)), "weight": weights, "prompt": PROMPTS, "seed": SEEDS}
    cells.write_index(drawn, planned, axes, shown)
    return VariantFiles(
        name,
        lora,
        drawn,
        _write_pick(folder, name, epochs, weights, picked, reason, score),
        _write_settings(folder, name, settings),
    )


def _write_run(lora: Path, name: str, epochs: int, validation: bool) -> None:
    lora.mkdir(parents=True)
    saved = []
    for epoch in range(1, epochs + 1):
        path = lora / f"shim-{epoch:06d}.safetensors"
        save_file({"lora_down": np.full((2, 2), epoch, np.float32)}, path)
        saved.append({"epoch": epoch, "file": path.name, "sha256": hash_file(path)})
    index = {"epochs": saved, "fingerprint": f"run-{name}", "image_passes": 72, "optimizer_steps": STEPS * epochs}
    write_text(lora / "index.json", to_json(index))
    steps = range(1, STEPS * epochs + 1)
    rows = [f"{step}\t{(step - 1) // STEPS + 1}\t{0.2 / step:.6f}\t0.001\t0.002\t0.01" for step in steps]
    write_text(lora / "loss.tsv", "\n".join([LOSS_COLUMNS, *rows]) + "\n")
    if validation:
        rows = [f"{STEPS * epoch}\t{epoch}\t{0.1 + 0.01 * (epoch - 2) ** 2:.6f}" for epoch in range(epochs + 1)]
        write_text(lora / "validation.tsv", "\n".join([VALIDATION_COLUMNS, *rows]) + "\n")


def _write_pick(
    folder: Path,
    name: str,
    epochs: int,
    weights: tuple[float, ...],
    picked: tuple[int, float] | None,
    reason: str,
    score: float,
) -> Path | None:
    if not picked:
        return None
    rows = [
        {
            "epoch": epoch,
            "weight": weight,
            "validation_loss": 0.1 + 0.01 * (epoch - 2) ** 2,
            "drift": epoch * weight / 8,
            "score": score if (epoch, weight) == picked else score / 2,
        }
        for epoch in range(1, epochs + 1)
        for weight in weights
        if weight
    ]
    found = {"character": "shim", "variant": name, "verdict": "good", "reason": reason, "rows": rows}
    path = folder / f"pick/{name}.json"
    write_text(path, to_json({**found, "epoch": picked[0], "weight": picked[1]}))
    return path


def _write_settings(folder: Path, name: str, settings: dict | None) -> dict[str, Path]:
    path = folder / f"settings/{name}/train.json"
    write_text(path, to_json({"revision": 1, "settings": {"unet_lr": 0.002, "network_dim": 8, **(settings or {})}}))
    return {"train": path}
