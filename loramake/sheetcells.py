"""Draws the cells of a grid with axes of one's own, out of the same store as all other grids. No torch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from loramake import files
from loramake.axes import KINDS, Axis
from loramake.cells import Cell, Checkpoint, Look, cell_recipe, find_checkpoints, write_index
from loramake.cellstore import CellStore, check_effect
from loramake.epochs import epoch_files
from loramake.errors import UserError
from loramake.loranames import CalledLora, call_loras
from loramake.prompts import fill_trigger
from loramake.sheetplans import SAID, SIDES, Sheet, replace_text, with_lora

# what each of these axes changes of a look
_LOOKS = {"sampler": "sampler", "steps": "steps", "cfg_scale": "cfg_scale", "model": "base_model"}
_FIELDS = {
    "sampler": "Sampler",
    "steps": "Steps",
    "cfg_scale": "CFG scale",
    "model": "Model",
    "clip_skip": "Clip skip",
}


@dataclass(frozen=True)
class Run:
    """A variant's training as a grid needs it: its checkpoints by epoch, what prompts call, and where it stands."""

    folder: Path
    checkpoints: Mapping[int, Checkpoint]
    called: Mapping[str, tuple[CalledLora, ...]]
    epoch: int
    weight: float
    clip_skip: int


def render_sheet(
    runs: Mapping[str, Path],
    picks: Mapping[str, Path],
    out_dir: Path,
    cells_cache: Path,
    *,
    name: str,
    axes: Mapping[str, Sequence],
    epoch: int | str,
    weight: float | str,
    lora: str,
    prompts: Sequence[str],
    seeds: Sequence[int],
    trigger: str,
    clip_skips: Mapping[str, int],
    negative_prompt: str,
    base_model: str,
    base_model_config: str,
    vae: str,
    device: str,
    sampler: str,
    steps: int,
    cfg_scale: float,
    eta: str | float,
    width: int,
    height: int,
    batch_size: int,
    lora_dir: str,
    threads: int,
    v_parameterization: bool | str = "auto",
    zero_terminal_snr: bool | str = "auto",
    models_said: Mapping[str, Mapping[str, bool | str]] | None = None,
) -> None:
    """Make the cells of one sheet: draw those that no grid of this character has drawn, link all, write `cells.json`.

    Args:
        runs: folder with `index.json` of each variant; the first is the one of cells that no axis gives a variant.
        picks: of variants that have one, the file with its recommended epoch and weight.
        out_dir, cells_cache: see `rendering.render_cells`.
        name, axes, epoch, weight, lora, prompts, seeds: see `sheetplans.Sheet`; an axis is [kind, values].
        clip_skips: of each variant.
        negative_prompt: with `{trigger}`, as `prompts`.
        base_model … zero_terminal_snr: see `rendering.render_cells`.
        models_said: model of an axis → the last two of it; without an entry its file alone tells.

    Raises:
        UserError: an epoch that no variant saved, a LoRA that is not there or does not fit, or without effect.
    """
    chosen = {side: Axis(kind, tuple(values)) for side, (kind, values) in axes.items()}
    sheet = Sheet(name, chosen, epoch, weight, lora, tuple(prompts), tuple(seeds))
    found = {
        variant: _read_run(
            folder, picks.get(variant), sheet, trigger, lora_dir, clip_skips[variant], alone=len(runs) == 1
        )
        for variant, folder in runs.items()
    }
    sheet = replace(sheet, axes=_with_epochs(sheet.axes, found))
    look = Look(base_model, sampler, steps, float(cfg_scale), width, height, 1, negative_prompt, eta)
    look = replace(look, v_parameterization=v_parameterization, zero_terminal_snr=zero_terminal_snr)
    store = CellStore(cells_cache, base_model_config, vae)
    cells = list(_plan(sheet, found, look, models_said or {}, trigger, store))
    if not cells:
        raise UserError("No variant has saved an epoch of this grid.", found=name, setting=f"grid.sheets.{name}")
    described = store.describe(cells)
    drawn, reused = store.draw_missing(cells, described, device=device, batch_size=batch_size, threads=threads)
    check_effect(cells, store, next(iter(runs.values())))
    store.link(cells, described, Path(out_dir))
    fields = {**store.fields(cells[0].look), "negative_prompt": cells[0].look.negative_prompt}
    fields |= {_FIELDS[axis.kind]: None for axis in sheet.axes.values() if axis.kind in _FIELDS}
    write_index(
        out_dir, cells, _describe_axes(sheet, trigger), {**fields, "lora": sheet.lora, "fixed": _fixed(sheet, found)}
    )
    print(f"rendered {drawn} cells, reused {reused}: {len(cells)} pictures in {out_dir}")


def _read_run(
    folder: Path, pick: Path | None, sheet: Sheet, trigger: str, lora_dir: str, clip_skip: int, *, alone: bool
) -> Run:
    """What a sheet needs of a variant; only the checkpoints that it shows are read."""
    saved = [entry["epoch"] for entry in files.read_json(Path(folder) / "index.json")["epochs"]]
    advice = files.read_json(pick) if pick else {}
    epoch = advice.get("epoch", saved[-1]) if sheet.epoch == "auto" else sheet.epoch
    epoch = saved[-1] if epoch == "last" else epoch
    weight = advice.get("weight", 1.0) if sheet.weight == "auto" else sheet.weight
    wanted = sheet.values("epoch") or (epoch,)
    shown = saved if wanted == ("all",) else [number for number in wanted if number in saved]
    # of several variants some may lack an epoch; what none has is refused below, with those that were saved
    if alone or not shown:
        shown = saved if wanted == ("all",) else wanted
    checkpoints = {checkpoint.epoch: checkpoint for checkpoint in find_checkpoints(folder, shown)}
    called = call_loras(sheet.texts(trigger), epoch_files(folder), lora_dir)
    return Run(folder, checkpoints, called, epoch, float(weight), clip_skip)


def _with_epochs(axes: Mapping[str, Axis], runs: Mapping[str, Run]) -> dict[str, Axis]:
    """The axes, with every epoch that a variant saved in the place of "all"."""
    saved = tuple(sorted({epoch for run in runs.values() for epoch in run.checkpoints}))
    return {side: Axis(axis.kind, saved) if axis.values == ("all",) else axis for side, axis in axes.items()}


def _plan(
    sheet: Sheet,
    runs: Mapping[str, Run],
    look: Look,
    models_said: Mapping[str, Mapping[str, bool | str]],
    trigger: str,
    store: CellStore,
) -> Iterator[Cell]:
    """Every cell; a place whose epoch its variant has not saved stays empty."""
    shared: dict[Look, dict[str, object]] = {}
    places = {side: range(len(sheet.axes[side].values)) if side in sheet.axes else range(1) for side in SIDES}
    prompts = sheet.prompts if not sheet.values("prompt") else ("",)
    seeds = sheet.seeds if not sheet.values("seed") else (0,)
    for z, y, x in itertools.product(places["z"], places["y"], places["x"]):
        at = {
            axis.kind: axis.values[place]
            for side, place in zip(SIDES, (x, y, z), strict=True)
            if (axis := sheet.axes.get(side))
        }
        variant = at.get("variant", next(iter(runs)))
        run = runs[variant]
        epoch, weight = at.get("epoch", run.epoch), float(at.get("weight", run.weight))
        if epoch not in run.checkpoints:
            continue
        checkpoint = run.checkpoints[epoch] if weight else None
        own = _look_at(look, at, run, sheet, trigger)
        if "model" in at:
            # what is said of the model that draws elsewhere does not hold for another
            said = models_said.get(own.base_model, dict.fromkeys(SAID, "auto"))
            own = replace(own, **{key: said[key] for key in SAID})
        if own not in shared:
            shared[own] = store.shared(own)
        for (number, prompt), (seed_number, seed) in itertools.product(enumerate(prompts, 1), enumerate(seeds, 1)):
            text = _prompt_at(at.get("prompt", prompt), at, sheet, trigger)
            seed = at.get("seed", seed)
            called = run.called[text]
            recipe = cell_recipe(shared[own], checkpoint, weight, text, seed, called)
            place = {"x": x, "y": y, "z": z, "prompt": number, "seed": seed_number}
            place |= {"variant": variant, "epoch": epoch, "weight": weight}
            file_name = f"x{x + 1}_y{y + 1}_z{z + 1}_p{number}_s{seed_number}.png"
            yield Cell(checkpoint, weight, text, seed, recipe, tuple(place.items()), file_name, called, own)


def _look_at(look: Look, at: Mapping[str, object], run: Run, sheet: Sheet, trigger: str) -> Look:
    negative = look.negative_prompt
    if "prompt_sr" in at:
        negative = replace_text(negative, sheet.values("prompt_sr"), at["prompt_sr"])
    changes = {_LOOKS[kind]: value for kind, value in at.items() if kind in _LOOKS}
    if "cfg_scale" in changes:
        changes["cfg_scale"] = float(changes["cfg_scale"])  # 7 and 7.0 are one recipe
    clip_skip = at.get("clip_skip", run.clip_skip)
    return replace(look, **changes, clip_skip=clip_skip, negative_prompt=fill_trigger(negative, trigger))


def _prompt_at(prompt: str, at: Mapping[str, object], sheet: Sheet, trigger: str) -> str:
    if "prompt_sr" in at:
        prompt = replace_text(prompt, sheet.values("prompt_sr"), at["prompt_sr"])
    return fill_trigger(with_lora(prompt, sheet.lora, at.get("lora_weight", 0)), trigger)


def _describe_axes(sheet: Sheet, trigger: str) -> dict[str, object]:
    axes: dict[str, object] = {}
    for side, axis in sheet.axes.items():
        kind, labels = KINDS[axis.kind], axis.labels()
        labels = [fill_trigger(label, trigger) for label in labels] if axis.kind.startswith("prompt") else labels
        axes[side] = {"kind": axis.kind, "word": kind.word, "title": kind.title, "labels": labels}
    axes["prompt"] = [] if sheet.values("prompt") else [fill_trigger(text, trigger) for text in sheet.prompts]
    axes["seed"] = [] if sheet.values("seed") else list(sheet.seeds)
    return axes


def _fixed(sheet: Sheet, runs: Mapping[str, Run]) -> dict[str, object]:
    """Epoch and weight of each variant, where no axis names them."""
    axes = {axis.kind for axis in sheet.axes.values()}
    shown = {name: run for name, run in runs.items() if "variant" in axes or name == next(iter(runs))}
    return {
        kind: {name: getattr(run, kind) for name, run in shown.items()}
        for kind in ("epoch", "weight")
        if kind not in axes
    }
