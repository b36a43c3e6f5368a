"""Loads model and LoRAs and draws the missing cells of a grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image
from tqdm import tqdm

from loramake.bank import BASE, load_bank
from loramake.cells import Cell
from loramake.devices import resolve_device, resolve_precision
from loramake.heap import keep_freed_memory
from loramake.models import StableDiffusion1, as_set, load_sd1
from loramake.outofmemory import explain_shortage
from loramake.painting import paint
from loramake.remedies import list_rendering_remedies
from loramake.textstates import Request

_DTYPES = {"no": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def paint_cells(
    cells: Sequence[Cell],
    keep: Callable[[Cell, Image.Image], None],
    *,
    base_model: str,
    base_model_config: str,
    vae: str,
    device: str,
    clip_skip: int,
    negative_prompt: str,
    sampler: str,
    steps: int,
    cfg_scale: float,
    eta: str | float,
    width: int,
    height: int,
    batch_size: int,
    threads: int,
    v_parameterization: bool | str = "auto",
    zero_terminal_snr: bool | str = "auto",
    title: str = "render",
) -> None:
    """Draw cells and hand each to `keep` as soon as it is done, so that an interrupted run loses one batch.

    Args: as `rendering.render_cells`; `negative_prompt` with the trigger filled in; `title` of the progress bar.

    Raises:
        UserError: a model or LoRA that cannot be used, or too little memory.
    """
    torch.set_num_threads(threads)
    remedies = list_rendering_remedies(width, height, batch_size)
    with explain_shortage("drawing. What was drawn stays", where := resolve_device(device), remedies):
        model = _load(base_model, base_model_config, vae, where)
        model = as_set(model, v_parameterization=v_parameterization, zero_terminal_snr=zero_terminal_snr)
        files, requests = _request(cells, negative_prompt)
        drawn = paint(
            model,
            load_bank(model.unet, model.text_encoder, files),
            requests,
            sampler=sampler,
            steps=steps,
            cfg_scale=cfg_scale,
            eta=eta,
            width=width,
            height=height,
            clip_skip=clip_skip,
            batch_size=batch_size,
        )
        for number, picture in tqdm(drawn, total=len(cells), desc=title, unit="cell"):
            keep(cells[number], Image.fromarray(picture))


def _load(base_model: str, config: str, vae: str, place: torch.device) -> StableDiffusion1:
    if place.type == "cpu":
        keep_freed_memory()
    dtype = _DTYPES[resolve_precision("auto", place)]
    model = load_sd1(base_model, config=config, vae=vae, device=place, dtype=dtype)
    model.vae.float()  # the decoders of several anime models overflow in half precision
    return model


def _request(cells: Sequence[Cell], negative_prompt: str) -> tuple[list[Path], list[Request]]:
    """The LoRA files of the cells, each once, and what to draw with them."""
    places: dict[Path, int] = {}

    def adapter(file: Path) -> int:
        return places.setdefault(file, len(places))

    requests = []
    for cell in cells:
        own = adapter(cell.checkpoint.file) if cell.checkpoint else BASE
        extra = tuple((adapter(lora.file), lora.text_weight, lora.unet_weight) for lora in cell.called)
        requests.append(Request(cell.prompt, negative_prompt, cell.seed, own, cell.weight, extra))
    return list(places), requests
