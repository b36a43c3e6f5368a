"""Loads models and LoRAs and draws the missing cells of a grid."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path

import torch
from PIL import Image
from tqdm import tqdm

from loramake.bank import BASE, load_bank
from loramake.cellmemory import check_batch, shares_that_fit
from loramake.cells import Cell
from loramake.cellturns import Turns
from loramake.devices import COMPUTE_DTYPES, resolve_device, resolve_precision
from loramake.heap import keep_freed_memory
from loramake.models import StableDiffusion1, as_set, load_sd1
from loramake.outofmemory import explain_shortage
from loramake.painting import paint
from loramake.remedies import list_rendering_remedies
from loramake.textstates import Request, TextStates


def paint_cells(
    cells: Sequence[Cell],
    keep: Callable[[Cell, Image.Image], None],
    *,
    base_model_config: str,
    vae: str,
    device: str,
    batch_size: int,
    threads: int,
    turns: Turns,
    quiet: bool = False,
) -> None:
    """Draw cells and hand each to `keep` as soon as it is done, so that an interrupted run loses one batch.

    Each base model is loaded once, with the adapters of all cells beside it as far as memory allows.

    Args:
        cells: each with its look.
        base_model_config, vae: see `models.load_sd1`.
        batch_size: pictures drawn at once.
        threads: CPU threads.
        turns: which batches are this process's to draw.
        quiet: without a progress bar.

    Raises:
        UserError: a model or LoRA that cannot be used, or too little memory.
    """
    torch.set_num_threads(threads)
    place = resolve_device(device)
    if place.type == "cpu":
        keep_freed_memory()
    with tqdm(total=len(cells), desc="render", unit="cell", disable=quiet) as bar:
        for base_model, of_model in _grouped(cells, lambda cell: cell.look.base_model).items():
            check_batch(of_model, batch_size, place)
            look = max((cell.look for cell in of_model), key=lambda look: look.width * look.height)
            remedies = list_rendering_remedies(look.width, look.height, batch_size)
            with explain_shortage("drawing. What was drawn stays", place, remedies):
                model = _load(base_model, base_model_config, vae, place)
                said = {"v_parameterization": look.v_parameterization, "zero_terminal_snr": look.zero_terminal_snr}
                model = as_set(model, **said)
                # processes that take turns must see the same batches, and free memory changes; their models are small
                shares = shares_that_fit(of_model, model, place) if turns.alone else [of_model]
                for share in shares:
                    _paint_share(model, share, keep, batch_size, turns, bar)


def _paint_share(
    model: StableDiffusion1,
    cells: Sequence[Cell],
    keep: Callable[[Cell, Image.Image], None],
    batch_size: int,
    turns: Turns,
    bar: tqdm,
) -> None:
    """Draw cells whose adapters all fit beside the model."""
    files = list(dict.fromkeys(file for cell in cells for file in cell.files))
    bank = load_bank(model.unet, model.text_encoder, files)
    places = {file: place for place, file in enumerate(files)}
    texts: dict[int, TextStates] = {}
    try:
        for look, alike in _grouped(cells, lambda cell: cell.look).items():
            if look.clip_skip not in texts:
                texts[look.clip_skip] = TextStates(model.text_encoder, bank, look.clip_skip)
            drawn = paint(
                model,
                bank,
                [_request(cell, places) for cell in alike],
                sampler=look.sampler,
                steps=look.steps,
                cfg_scale=look.cfg_scale,
                eta=look.eta,
                width=look.width,
                height=look.height,
                clip_skip=look.clip_skip,
                batch_size=batch_size,
                texts=texts[look.clip_skip],
                claim=turns.claim,
            )
            for number, picture in drawn:
                keep(alike[number], Image.fromarray(picture))
                bar.update(turns.count() - bar.n)
    finally:
        bank.remove()


def _grouped(cells: Sequence[Cell], key: Callable[[Cell], Hashable]) -> dict[Hashable, list[Cell]]:
    groups: dict[Hashable, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(key(cell), []).append(cell)
    return groups


def _load(base_model: str, config: str, vae: str, place: torch.device) -> StableDiffusion1:
    dtype = COMPUTE_DTYPES[resolve_precision("auto", place)]
    model = load_sd1(base_model, config=config, vae=vae, device=place, dtype=dtype)
    model.vae.float()  # the decoders of several anime models overflow in half precision
    return model


def _request(cell: Cell, places: Mapping[Path, int]) -> Request:
    own = places[cell.checkpoint.file] if cell.checkpoint else BASE
    extra = tuple((places[lora.file], lora.text_weight, lora.unet_weight) for lora in cell.called)
    return Request(cell.prompt, cell.look.negative_prompt, cell.seed, own, cell.weight, extra)
