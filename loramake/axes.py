"""The axes that a grid can have: their names, how their values are read, and how they are written beside the cells.

No torch: an axis is read, and refused, when a run is planned.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loramake.axisvalues import MOST_VALUES, parse_numbers
from loramake.cells import WEIGHT_LIMIT
from loramake.errors import UserError
from loramake.samplernames import check_sampler

Values = tuple[object, ...]
Read = Callable[[object, str, str], Values]


@dataclass(frozen=True)
class Kind:
    """A kind of axis.

    Args:
        word: as it stands on the sheet.
        title: as the webui's X/Y/Z plot calls it, for the PNG text.
        read: (config value, setting, name of one value) → values.
        unit: written behind each value.
    """

    word: str
    title: str
    read: Read
    unit: str = ""

    def label(self, value: object) -> str:
        """A value as it stands beside the cells."""
        text = f"{value:g}" if isinstance(value, float) else str(value)
        return text + self.unit


def split_texts(value: object, setting: str, name: str) -> Values:
    """Read a list of texts: a list, or text with commas between; a text that has commas stands in double quotes.

    Raises:
        UserError: no values, an empty one, or one twice.
    """
    if isinstance(value, str):
        entries = next(csv.reader([value.replace("\n", " ")], skipinitialspace=True), [])
    else:
        entries = list(value) if isinstance(value, Sequence) else [value]
    texts = tuple(str(entry).strip() for entry in entries)
    if not 1 <= len(texts) <= MOST_VALUES or not all(texts) or len(set(texts)) < len(texts):
        raise UserError(
            f"A list of {name}s cannot be read.",
            found=repr(value),
            expected=f'1…{MOST_VALUES} different values, such as [one, two] or "one, two"',
            setting=setting,
        )
    return texts


def _numbers(low: float, high: float, *, whole: bool = False) -> Read:
    def read(value: object, setting: str, name: str) -> Values:
        values = [value] if isinstance(value, int | float) else value
        return parse_numbers(values, setting=setting, name=name, low=low, high=high, whole=whole)

    return read


def _epochs(value: object, setting: str, name: str) -> Values:
    return ("all",) if value == "all" else _numbers(1, 1000, whole=True)(value, setting, name)


def _samplers(value: object, setting: str, name: str) -> Values:
    names = split_texts(value, setting, name)
    for sampler in names:
        check_sampler(sampler, setting=setting)
    return names


def _replacements(value: object, setting: str, name: str) -> Values:
    texts = split_texts(value, setting, name)
    if len(texts) < 2:
        raise UserError(
            "Search and replace needs two texts or more.",
            found=repr(value),
            expected="the text that the prompts have, then what stands in its place",
            setting=setting,
        )
    return texts


def _models(value: object, setting: str, name: str) -> Values:
    paths = split_texts(value, setting, name)
    missing = [path for path in paths if not Path(path).exists()]
    if missing:
        raise UserError(
            "A base model of an axis is not there.", file=missing[0], expected="a model file", setting=setting
        )
    return paths


KINDS: Mapping[str, Kind] = {
    "weight": Kind("weight", "LoRA weight", _numbers(-WEIGHT_LIMIT, WEIGHT_LIMIT)),
    "epoch": Kind("epoch", "Epoch", _epochs),
    "variant": Kind("variant", "Variant", split_texts),
    "seed": Kind("seed", "Seed", _numbers(0, 2**32 - 1, whole=True)),
    "prompt": Kind("prompt", "Prompt", split_texts),
    "prompt_sr": Kind("prompt S/R", "Prompt S/R", _replacements),
    "sampler": Kind("sampler", "Sampler", _samplers),
    "steps": Kind("steps", "Steps", _numbers(1, 1000, whole=True), " steps"),
    "cfg_scale": Kind("CFG", "CFG Scale", _numbers(1, 100)),
    "clip_skip": Kind("clip skip", "Clip skip", _numbers(1, 12, whole=True)),
    "lora_weight": Kind("2nd LoRA", "Second LoRA weight", _numbers(-WEIGHT_LIMIT, WEIGHT_LIMIT)),
    "model": Kind("model", "Checkpoint name", _models),
}
# the webui's other words for them
_ALIASES = {
    "lora": "weight",
    "lora_strength": "weight",
    "epochs": "epoch",
    "prompt_s_r": "prompt_sr",
    "checkpoint": "model",
    "checkpoint_name": "model",
    "base_model": "model",
    "cfg": "cfg_scale",
    "seeds": "seed",
    "weights": "weight",
    "variants": "variant",
}


@dataclass(frozen=True)
class Axis:
    """An axis with its values; those of epochs may be ("all",)."""

    kind: str
    values: Values

    def labels(self) -> list[str]:
        """What stands beside the cells."""
        if self.kind == "model":
            stems = [Path(str(value)).stem for value in self.values]
            # models of one name in several folders are told by the folder
            return stems if len(set(stems)) == len(stems) else [str(value) for value in self.values]
        return [KINDS[self.kind].label(value) for value in self.values]


def read_axis(value: object, setting: str) -> Axis:
    """Read an axis of a sheet.

    Args:
        value: a mapping of one kind to its values, `{weight: "0-1(+0.2)"}`.
        setting: config key that an error names, such as "grid.sheets.samplers.x".

    Raises:
        UserError: an unknown kind, with the nearest, or values that it cannot have.
    """
    if not isinstance(value, Mapping) or len(value) != 1:
        raise UserError(
            "An axis is one name and its values.",
            found=repr(value),
            expected='such as {weight: "0-1(+0.2)"}; names: ' + ", ".join(KINDS),
            setting=setting,
        )
    ((name, values),) = value.items()
    plain = re.sub(r"[^a-z0-9]+", "_", str(name).lower()).strip("_")
    kind = _ALIASES.get(plain, plain)
    if kind not in KINDS:
        close = difflib.get_close_matches(kind, [*KINDS, *_ALIASES], 1, 0.5)
        hint = f" The nearest is {_ALIASES.get(close[0], close[0])}." if close else ""
        raise UserError(f"There is no such axis.{hint}", found=name, expected=", ".join(KINDS), setting=setting)
    return Axis(kind, KINDS[kind].read(values, f"{setting}.{kind}", KINDS[kind].word))
