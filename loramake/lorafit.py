"""Whether a LoRA was made for a kind of model, from the headers of both files: known before either is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from loramake.errors import UserError
from loramake.weightheader import read_header

# width of the text that a kind of model attends to
_KINDS = {768: "SD1.x", 1024: "SD2.x", 2048: "SDXL"}


def check_fits(files: Iterable[Path], base_model: Path | str) -> None:
    """Refuse LoRAs that were made for another kind of model.

    Only what the headers tell for sure: a model that is no single .safetensors file, or a LoRA without cross-attention,
    passes here and is looked at again when it is loaded.

    Args:
        files: LoRAs in kohya's format.
        base_model: the model they shall act on.

    Raises:
        UserError: names the LoRA, what it is for and what the model is.
    """
    base = Path(base_model)
    there = _text_width(read_header(base)[0], "attn2.to_k.weight") if base.suffix == ".safetensors" else None
    for file in dict.fromkeys(files):
        header = read_header(file)[0]
        wanted = _text_width(header, "attn2_to_k.lora_down.weight")
        two_encoders = any(name.startswith("lora_te2_") for name in header)
        if two_encoders or (there and wanted and there != wanted):
            raise UserError(
                "This LoRA was made for another kind of model.",
                file=file,
                found=_KINDS[2048] if two_encoders else _describe(wanted),
                expected=_describe(there) if there else "SD1.x",
                setting="grid.model or base_model, grid.lora_dir: models and LoRAs of one kind",
            )


def _text_width(header: Mapping[str, Mapping], ending: str) -> int | None:
    """Width of the text's states, from the first weight that takes them."""
    shapes = (entry["shape"] for name, entry in header.items() if name.endswith(ending))
    return next((shape[1] for shape in shapes if len(shape) > 1), None)


def _describe(width: int | None) -> str:
    return _KINDS.get(width, f"a model whose text is {width} wide")
