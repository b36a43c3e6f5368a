"""Grids with axes of one's own: what the config says of them, read and refused before anything is loaded. No torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loramake import schema, variants
from loramake.axes import KINDS, Axis, read_axis, split_texts
from loramake.errors import UserError
from loramake.prompts import fill_trigger, read_prompts

MOST_CELLS = 10_000
SIDES = ("x", "y", "z")
SAID = ("v_parameterization", "zero_terminal_snr")  # of models on an axis
KEYS = (*SIDES, "epoch", "weight", "lora", "prompts", "seeds", *SAID)


@dataclass(frozen=True)
class Sheet:
    """One grid as the config describes it.

    Args:
        axes: "x", "y", "z" → axis; y and z may be missing. The values of a variant axis are names of variants.
        epoch: where no axis names it: a number, "last", or "auto": the recommended one, else the last.
        weight: where no axis names it: a number, or "auto": the recommended one, else 1.
        lora: name of the LoRA whose weight an axis varies; "" for none.
        prompts, seeds: of every place, unless an axis names them.
        v_parameterization, zero_terminal_snr: models of an axis that are such without their files saying so.
    """

    name: str
    axes: Mapping[str, Axis]
    epoch: int | str
    weight: float | str
    lora: str
    prompts: tuple[str, ...]
    seeds: tuple[int, ...]
    v_parameterization: tuple[str, ...] = ()
    zero_terminal_snr: tuple[str, ...] = ()

    def values(self, kind: str) -> tuple[object, ...]:
        """The values of the axis of this kind; () where there is none."""
        return next((axis.values for axis in self.axes.values() if axis.kind == kind), ())

    def texts(self, trigger: str) -> list[str]:
        """Every prompt that a cell of this sheet is drawn with, the trigger filled in."""
        bases = [str(text) for text in self.values("prompt")] or list(self.prompts)
        found = [replace_text(text, self.values("prompt_sr"), new) for text in bases for new in self._replacements()]
        found = [with_lora(text, self.lora, weight) for text in found for weight in self.values("lora_weight") or (0,)]
        return list(dict.fromkeys(fill_trigger(text, trigger) for text in found))

    def _replacements(self) -> tuple[object, ...]:
        return self.values("prompt_sr") or ("",)


def replace_text(text: str, search: Sequence[object], new: object) -> str:
    """A prompt with the first text of a search-and-replace axis replaced by another of its texts."""
    return text.replace(str(search[0]), str(new)) if search else text


def with_lora(text: str, lora: str, weight: object) -> str:
    """A prompt that calls one more LoRA; at weight 0 none."""
    return f"{text} <lora:{lora}:{weight:g}>" if lora and weight else text


def read_sheet(
    name: str, entry: object, grid: Mapping[str, object], rules: schema.Schema, sweeps: Mapping[str, Mapping]
) -> Sheet:
    """Read a sheet of the config.

    Args:
        name: its key in `grid.sheets`.
        entry: its value there.
        grid: the config's grid, whose prompts and seeds a sheet takes unless it has its own.
        rules: the config schema, for the variants' names.
        sweeps: the config's sweeps, by name.

    Raises:
        UserError: an unknown key or axis, with the nearest; values an axis cannot have; axes that contradict.
    """
    setting = f"grid.sheets.{name}"
    if not isinstance(entry, Mapping) or "x" not in entry:
        raise UserError(
            "A sheet needs an x axis.", found=repr(entry), expected='{x: {weight: "0-1(+0.2)"}}', setting=setting
        )
    for key in entry:
        if key not in KEYS:
            close = schema.nearest(str(key), list(KEYS))
            hint = f" The nearest is {close}." if close else ""
            raise UserError(f"A sheet has no such key.{hint}", found=key, expected=", ".join(KEYS), setting=setting)
    axes = {side: read_axis(entry[side], f"{setting}.{side}") for side in SIDES if entry.get(side)}
    for side, axis in axes.items():
        if axis.kind == "variant":
            axes[side] = Axis("variant", tuple(_expand(axis.values, rules, sweeps)))
    prompts = KINDS["prompt"].read(entry.get("prompts", grid["prompts"]), f"{setting}.prompts", "prompt")
    seeds = KINDS["seed"].read(entry.get("seeds", grid["seeds"]), f"{setting}.seeds", "seed")
    epoch, weight = entry.get("epoch", "auto"), entry.get("weight", "auto")
    if epoch not in ("auto", "last"):
        (epoch,) = KINDS["epoch"].read([epoch], f"{setting}.epoch", "epoch")
    if weight != "auto":
        (weight,) = KINDS["weight"].read([weight], f"{setting}.weight", "weight")
    said = {key: split_texts(entry[key], f"{setting}.{key}", "model") for key in SAID if entry.get(key)}
    sheet = Sheet(name, axes, epoch, weight, str(entry.get("lora", "")), prompts, seeds, **said)
    _check_together(sheet, setting)
    return sheet


def check_sheet(sheet: Sheet, negative_prompt: str, trigger: str, epochs: int) -> None:
    """Refuse a sheet that could not be drawn, hours before its LoRAs are trained.

    Args:
        epochs: that a training has, for an axis of all of them.

    Raises:
        UserError: a prompt that cannot be read, a text to replace that no prompt has, or too many cells.
    """
    setting = f"grid.sheets.{sheet.name}"
    search = sheet.values("prompt_sr")
    bases = [str(text) for text in sheet.values("prompt")] or list(sheet.prompts)
    if search and not any(str(search[0]) in text for text in (*bases, negative_prompt)):
        raise UserError(
            "No prompt has the text that is to be replaced.",
            found=search[0],
            expected="a part of: " + " | ".join((*bases, negative_prompt)),
            setting=setting,
        )
    negatives = [replace_text(negative_prompt, search, new) for new in search or ("",)]
    for negative in negatives:
        read_prompts(sheet.texts(trigger), negative, trigger)
    check_size(sheet, epochs, f"{setting}: fewer values on its axes, fewer prompts or seeds")


def check_size(sheet: Sheet, epochs: int, setting: str) -> None:
    """Refuse a sheet of more than MOST_CELLS.

    Args:
        epochs: that a training has, for an axis of all of them.
        setting: what makes it smaller.

    Raises:
        UserError: says how many cells it has.
    """
    lengths = _lengths(sheet, epochs)
    if math.prod(lengths) > MOST_CELLS:
        raise UserError(
            f"The grid {sheet.name} is too big: its picture would not fit into the memory.",
            found=f"{math.prod(lengths):,} cells ({' x '.join(map(str, lengths))})",
            expected=f"at most {MOST_CELLS:,}",
            setting=setting,
        )


def count_cells(sheet: Sheet, epochs: int) -> int:
    """How many pictures a sheet has; `epochs` that a training has, for an axis of all of them."""
    return math.prod(_lengths(sheet, epochs))


def _lengths(sheet: Sheet, epochs: int) -> list[int]:
    lengths = [epochs if axis.values == ("all",) else len(axis.values) for axis in sheet.axes.values()]
    plain = [values for kind, values in (("prompt", sheet.prompts), ("seed", sheet.seeds)) if not sheet.values(kind)]
    return [*lengths, *map(len, plain)]


def _check_together(sheet: Sheet, setting: str) -> None:
    kinds = [axis.kind for axis in sheet.axes.values()]
    twice = [kind for kind in kinds if kinds.count(kind) > 1]
    if twice:
        raise UserError("Two axes of a sheet are the same.", found=twice[0], expected="different ones", setting=setting)
    for key in SAID:
        strange = [path for path in getattr(sheet, key) if path not in sheet.values("model")]
        if strange:
            known = ", ".join(map(str, sheet.values("model")))
            raise UserError(
                f"{key} of a sheet names models of its model axis.",
                found=strange[0],
                expected=f"one of {known}" if known else "an axis model",
                setting=f"{setting}.{key}",
            )
    if bool(sheet.lora) != ("lora_weight" in kinds):
        raise UserError(
            "A second LoRA and the axis of its weight belong together.",
            found=f"lora: {sheet.lora or 'none'}, axes: {', '.join(kinds)}",
            expected="lora: NAME (a file in grid.lora_dir) and an axis lora_weight;"
            " at one weight it can simply stand in the prompt, <lora:NAME:0.8>",
            setting=setting,
        )


def _expand(entries: Sequence[object], rules: schema.Schema, sweeps: Mapping[str, Mapping]) -> list[str]:
    """The variants of an axis: names, sweeps in a path's spelling, and sweeps of the config."""
    names: dict[str, None] = {}
    for entry in map(str, entries):
        found = [entry] if entry == variants.BASE else variants.parse_sweep(entry, rules, sweeps)
        names |= dict.fromkeys(found)
    return list(names)
