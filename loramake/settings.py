"""The validated config, and the narrow slice of it that each stage sees.

A setting's value is the schema's default, unless the preset names another, unless the user's own key does.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import yaml

from loramake import files, schema
from loramake.contradictions import config_problems
from loramake.errors import StaleSettingsError, UserError
from loramake.revisions import REVISIONS

# the stages that a variant's overrides reach: the dataset stays the config's
_VARIANT_STAGES = ("steps", "train", "cells", "pick")


def load(raw: Mapping, rules: schema.Schema, presets: Path, file: Path | str = "config/config.yaml") -> dict:
    """The whole config: defaults, then the preset, then the user's keys; checked and in the schema's types.

    Args:
        raw: the config as read from YAML and the command line.
        rules: the schema, from `schema.load_schema`.
        presets: folder of the preset files.
        file: named in messages.

    Raises:
        UserError: one message with every problem of the config.
    """
    preset, known = raw.get("preset") or "none", [".".join(path) for path, _ in schema.leaves(rules)]
    merged = _merge(_read_preset(preset, presets, file), raw)
    config, problems = schema.check(rules, schema.fill(rules, merged), "", known)
    problems = problems or config_problems(config)
    if problems:
        count = "One problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise UserError("\n".join([f"{count} in the config:", *(f"  - {text}" for text in problems)]), file=file)
    return config


def stage_slice(
    config: Mapping,
    rules: schema.Schema,
    character: str,
    stage: str,
    overrides: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """The keyword arguments of a stage: every setting whose `stages` in the schema name it, by its last name.

    Args:
        config: from `load`.
        rules: the schema.
        character: key of the character.
        stage: a key of `revisions.REVISIONS`.
        overrides: settings of the variant, from `variants.parse`; they reach training, and rendering where it
            has the key.
    """
    values: dict[str, object] = {}
    used = [path for path, leaf in schema.leaves(rules) if stage in leaf.get("stages", ())]
    # a character's own setting comes last and wins over the general one of the same name, unless it is empty
    for path in sorted(used, key=lambda path: "*" in path):
        section = config
        for part in path[:-1]:
            section = section[character if part == "*" else part]
        if not (section[path[-1]] == "" and path[-1] in values):
            values[path[-1]] = section[path[-1]]
    if stage in _VARIANT_STAGES:
        values.update({key: value for key, value in (overrides or {}).items() if key in values})
    if stage == "cells":
        values["base_model"] = values.pop("model") or values["base_model"]
        values.update(said_of_model(config, values["base_model"]))
    return values


def said_of_model(config: Mapping, path: str) -> dict[str, object]:
    """What the config says of a model that draws, beside what its file says: true, false or "auto".

    `grid` speaks of the model that draws where nothing else is named, `train` of the base model wherever it draws.
    """
    drawing = config["grid"]["model"] or config["base_model"]
    same = [os.path.normpath(path) == os.path.normpath(known) for known in (drawing, config["base_model"])]
    said: dict[str, object] = {}
    for key in ("v_parameterization", "zero_terminal_snr"):
        chosen = [config[section][key] for section, holds in zip(("grid", "train"), same, strict=True) if holds]
        said[key] = next((value for value in chosen if value != "auto"), "auto")
    return said


def slice_text(values: Mapping[str, object], stage: str) -> str:
    """The content of a settings file: the slice and the stage's revision."""
    return files.to_json({"revision": REVISIONS[stage], "settings": dict(values)})


def digest(text: str) -> str:
    """SHA-256 of a settings file's content, 64 hex digits."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def read_slice(path: Path | str, expected: str) -> dict[str, object]:
    """The keyword arguments in a settings file.

    Args:
        path: the settings file.
        expected: its digest when the job was planned.

    Raises:
        StaleSettingsError: the file is not the one the job was planned with.
    """
    text = Path(path).read_text(encoding="utf-8")
    if digest(text) != expected:
        raise StaleSettingsError(
            f"{path} changed since this job was planned: another snakemake was started here with other settings.\n"
            "  to change: let one finish before the other, or run them from two folders"
        )
    return files.read_json(Path(path))["settings"]


def _read_preset(name: object, presets: Path, file: Path | str) -> dict:
    if name == "none":
        return {}
    path = Path(presets) / f"{name}.yaml"
    if not path.is_file():
        known = ["none", *sorted(found.stem for found in Path(presets).glob("*.yaml"))]
        close = schema.nearest(str(name), known)
        raise UserError(
            "There is no such preset." + (f" Did you mean {close}?" if close else ""),
            file=file,
            found=f"preset = {name!r}",
            expected="one of " + ", ".join(known),
            setting="preset",
        )
    values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    if not isinstance(values, dict):
        raise UserError("A preset must be a mapping of settings.", file=path, found=type(values).__name__)
    return values


def _merge(lower: Mapping, upper: Mapping) -> dict:
    """`upper` over `lower`, section by section; an empty section (None) changes nothing."""
    merged = dict(lower)
    for key, value in upper.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = _merge(merged[key], value)
        elif not (value is None and isinstance(merged.get(key), Mapping)):
            merged[key] = value
    return merged
