"""Renders the cells of a grid, each once: a cell is kept by everything that its pixels depend on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from PIL import Image, ImageChops

from loramake import files, pngtext
from loramake.cells import Cell, find_checkpoints, parse_weights, plan_cells, weight_text, write_index
from loramake.cellshares import paint_in_shares
from loramake.epochs import epoch_files
from loramake.errors import UserError
from loramake.loranames import call_loras
from loramake.modelhash import content_hash
from loramake.prompts import read_prompts
from loramake.revisions import REVISIONS
from loramake.samplernames import DEFAULT_ETA, check_sampler, resolve_eta

ROUNDING = 2  # of 255


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
    look = {
        "sampler": sampler,
        "steps": steps,
        "cfg_scale": float(cfg_scale),
        "width": width,
        "height": height,
        "clip_skip": clip_skip,
        "negative_prompt": negative,
    }
    noise = _noise_settings(sampler, eta)
    models = _hash_models(cells_cache, base_model, base_model_config, vae)
    said = {"v_parameterization": v_parameterization, "zero_terminal_snr": zero_terminal_snr}
    # at "auto" no part of the recipe: cells from before these settings stay
    forced = {key: value for key, value in said.items() if value != "auto"}
    shared = {**look, **noise, **models, **forced, "revision": REVISIONS["cells"]}
    cells = plan_cells(checkpoints, axis, texts, seeds, shared=shared, called=called)
    fields = _common_fields(look, noise, models["model"], base_model, vae)
    described = {cell: _describe(cell, negative, fields) for cell in cells}
    missing = {cell.recipe: cell for cell in cells if not pngtext.is_whole(_cached(cells_cache, cell))}
    if missing:
        paint_in_shares(
            list(missing.values()),
            partial(_keep, Path(cells_cache), {cell: described[cell] for cell in missing.values()}),
            base_model=base_model,
            base_model_config=base_model_config,
            vae=vae,
            device=device,
            batch_size=batch_size,
            threads=threads,
            eta=eta,
            **said,
            **look,
        )
    reused = len({cell.recipe for cell in cells}) - len(missing)
    _record_work(cells_cache, len(missing), reused)
    _check_effect(cells, cells_cache, run_dir)
    _link(cells, described, cells_cache, Path(out_dir))
    write_index(
        out_dir,
        cells,
        epochs=[checkpoint.epoch for checkpoint in checkpoints],
        weights=axis,
        prompts=texts,
        seeds=seeds,
        settings={**fields, "negative_prompt": negative},
    )
    print(f"rendered {len(missing)} cells, reused {reused}: {len(cells)} pictures in {out_dir}")


def _hash_models(cells_cache: Path, base_model: str, base_model_config: str, vae: str) -> dict[str, str]:
    index = Path(cells_cache) / "models.json"
    return {
        "model": content_hash(base_model, index),
        "config": content_hash(base_model_config, index, setting="base_model_config"),
        "vae": content_hash(vae, index, setting="vae"),
    }


def _noise_settings(sampler: str, eta: str | float) -> dict[str, float]:
    """The eta as part of a recipe: only where it is not the sampler's own, which changes nothing."""
    resolved = resolve_eta(sampler, eta)
    return {"eta": resolved} if resolved != (DEFAULT_ETA[sampler] or 0.0) else {}


def _common_fields(
    look: Mapping[str, object], noise: Mapping[str, float], model_hash: str, base_model: str, vae: str
) -> dict[str, object]:
    """The fields of the webui's text that all cells share, in its order."""
    return {
        "Steps": look["steps"],
        "Sampler": look["sampler"],
        "CFG scale": f"{look['cfg_scale']:g}",
        "Seed": None,  # each cell's own, at this place
        "Size": f"{look['width']}x{look['height']}",
        "Model hash": model_hash[:10],
        "Model": Path(base_model).stem,
        "VAE": Path(vae).name or None,
        "Clip skip": look["clip_skip"] if look["clip_skip"] > 1 else None,
        "Eta DDIM" if look["sampler"] == "DDIM" else "Eta": f"{noise['eta']:g}" if noise else None,
    }


def _cached(cells_cache: Path, cell: Cell) -> Path:
    return Path(cells_cache) / cell.recipe[:2] / f"{cell.recipe}.png"


def _describe(cell: Cell, negative: str, fields: Mapping[str, object]) -> str:
    """The webui's text of one cell, with the LoRA as it is called there."""
    prompt, own = cell.prompt, {**fields, "Seed": cell.seed}
    hashes = {lora.name: lora.short_hash for lora in cell.called}
    if cell.checkpoint:
        name = cell.checkpoint.file.stem
        prompt += f" <lora:{name}:{weight_text(cell.weight)}>"
        hashes[name] = cell.checkpoint.short_hash
    if hashes:
        own["Lora hashes"] = ", ".join(f"{name}: {short}" for name, short in hashes.items())
    return pngtext.write_parameters(prompt, negative, own)


def _keep(cells_cache: Path, described: Mapping[Cell, str], cell: Cell, image: Image.Image) -> None:
    with files.atomic_path(_cached(cells_cache, cell)) as temporary:
        temporary.write_bytes(pngtext.encode_png(image, described[cell]))


def _record_work(cells_cache: Path, rendered: int, reused: int) -> None:
    path = Path(cells_cache) / "work.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    header = "" if path.is_file() else "rendered\treused\n"
    with open(path, "a", encoding="utf-8") as handle:
        handle.write(f"{header}{rendered}\t{reused}\n")


def _check_effect(cells: Sequence[Cell], cells_cache: Path, run_dir: Path) -> None:
    """Refuse a grid in which a LoRA changes nothing, even at its largest weight."""
    base = {(cell.prompt_number, cell.seed_number): cell for cell in cells if cell.weight == 0}
    weight = max((cell.weight for cell in cells), key=abs)
    if not base or weight == 0:
        return
    pairs = [(cell, base[cell.prompt_number, cell.seed_number]) for cell in cells if cell.weight == weight]
    # `all` stops at the first difference, so this mostly reads two files
    if all(_look_the_same(_cached(cells_cache, cell), _cached(cells_cache, other)) for cell, other in pairs):
        raise UserError(
            f"The LoRA did not apply: at weight {weight_text(weight)} every picture equals that of weight 0.",
            file=run_dir,
            found="the same pixels in all epochs, prompts and seeds",
            expected="pictures that change with the weight",
            setting="train.unet_lr or train.text_encoder_lr (too low to learn), train.max_train_epochs (too few), "
            "grid.weights (too small)",
        )


def _look_the_same(first: Path, second: Path) -> bool:
    """Whether no pixel differs by more than what another composition of the batch can do by rounding."""
    with Image.open(first) as one, Image.open(second) as other:
        extrema = ImageChops.difference(one, other).getextrema()
    return max(high for _, high in extrema) <= ROUNDING


def _link(cells: Sequence[Cell], described: Mapping[Cell, str], cells_cache: Path, out_dir: Path) -> None:
    """Link each cell under its place in the grid; where its text changed (another name), write it with that."""
    out_dir.mkdir(parents=True, exist_ok=True)
    names = {cell.file_name for cell in cells}
    for stale in out_dir.glob("*.png"):
        if stale.name not in names:
            stale.unlink()
    for cell in cells:
        cached, target = _cached(cells_cache, cell), out_dir / cell.file_name
        png = cached.read_bytes()
        if pngtext.read_text(png) == described[cell]:
            files.link_or_copy(cached, target)
        else:
            with files.atomic_path(target) as temporary:
                temporary.write_bytes(pngtext.replace_text(png, described[cell]))
