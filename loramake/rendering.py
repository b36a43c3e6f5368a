"""Renders the cells of a grid, each once: a cell is kept by everything that its pixels depend on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from loramake.cells import Look, find_checkpoints, parse_weights, plan_cells, write_index
from loramake.cellstore import CellStore, check_effect
from loramake.epochs import epoch_files
from loramake.loranames import call_loras
from loramake.prompts import read_prompts
from loramake.samplernames import check_sampler


def render_cells(
    run_dir: Path,
    out_dir: Path,
    cells_cache: Path,
    *,
    base_model: str,
    base_model_config: str,
    vae: str,
    device: str,
    clip_skip: int,
    trigger: str,
    prompts: Sequence[str],
    negative_prompt: str,
    seeds: Sequence[int],
    weights: str | Sequence[float],
    sampler: str,
    steps: int,
    cfg_scale: float,
    eta: str | float,
    width: int,
    height: int,
    batch_size: int,
    epochs: str | Sequence[int],
    lora_dir: str,
    threads: int,
    v_parameterization: bool | str = "auto",
    zero_terminal_snr: bool | str = "auto",
) -> None:
    """Make the cells of one grid: draw those that were never drawn, link all, write `cells.json`.

    Without a cell to draw neither torch nor the model is loaded.

    Args:
        run_dir: checkpoints and `index.json` of a run.
        out_dir: gets one PNG a cell, with the webui's text, and `cells.json`; other pictures in it are removed.
        cells_cache: keeps cells by recipe, and `work.tsv`, a line a call: cells rendered, cells reused.
        base_model, base_model_config, vae: see `models.load_sd1`.
        prompts: in the webui's language, with `{trigger}`.
        weights: see `cells.parse_weights`; weight 0 is drawn once for all epochs.
        sampler, steps, cfg_scale, width, height: as in the webui; sides in px, multiples of 8.
        eta: share of fresh noise, 0 … 1, or "auto": the sampler's own.
        batch_size: pictures drawn at once.
        epochs: "all" or a list.
        lora_dir: folder of the LoRAs that prompts call beside the run's own epochs; "" for none.
        threads: CPU threads.
        v_parameterization, zero_terminal_snr: of the model, where its file does not say so; "auto" for what it says.

    Raises:
        UserError: before anything is loaded: a prompt, weight, sampler or epoch that is not possible, a missing
            model; later: a LoRA that does not fit, or without effect.
    """
    axis = parse_weights(weights)
    check_sampler(sampler)
    texts, negative = read_prompts(prompts, negative_prompt, trigger)
    checkpoints = find_checkpoints(run_dir, epochs)
    called = call_loras(texts, epoch_files(run_dir), lora_dir)
    look = Look(base_model, sampler, steps, float(cfg_scale), width, height, clip_skip, negative, eta)
    look = replace(look, v_parameterization=v_parameterization, zero_terminal_snr=zero_terminal_snr)
    store = CellStore(cells_cache, base_model_config, vae)
    cells = plan_cells(checkpoints, axis, texts, seeds, shared=store.shared(look), called=called, look=look)
    described = store.describe(cells)
    drawn, reused = store.draw_missing(cells, described, device=device, batch_size=batch_size, threads=threads)
    check_effect(cells, store, run_dir)
    store.link(cells, described, Path(out_dir))
    axes = {"epoch": [checkpoint.epoch for checkpoint in checkpoints], "weight": axis, "prompt": texts, "seed": seeds}
    write_index(out_dir, cells, axes, {**store.fields(look), "negative_prompt": negative})
    print(f"rendered {drawn} cells, reused {reused}: {len(cells)} pictures in {out_dir}")
