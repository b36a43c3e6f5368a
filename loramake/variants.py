"""Names of variants: "base", or the training settings that differ from the config's, `network_dim=64__unet_lr=5e-4`.

A name has one spelling (keys sorted, numbers canonical), so that nothing is trained twice under two names.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from decimal import Decimal

from loramake import schema
from loramake.errors import UserError

BASE = "base"
MOST_VARIANTS = 64


def parse(name: str, rules: schema.Schema) -> dict[str, object]:
    """The settings in a variant's name, in the schema's types; "base" has none.

    Args:
        name: the `{variant}` of a path.
        rules: the config schema; only training settings it marks `sweep: true` are allowed.

    Raises:
        UserError: an unknown key, a key that cannot vary, a value out of range, or another spelling of a name.
    """
    if name == BASE:
        return {}
    settings = {path[-1]: leaf for path, leaf in schema.leaves(rules) if path[0] == "train"}
    values: dict[str, object] = {}
    for part in name.split("__"):
        key, equals, text = part.partition("=")
        _check_key(name, key, equals, settings, rules)
        if key in values:
            raise UserError(f"{key} stands twice in the variant's name.", found=name, expected="each setting once")
        value, problems = schema.check(settings[key], text, f"train.{key}")
        if problems:
            raise UserError("A value in the variant's name is not allowed.\n  - " + problems[0], found=name)
        values[key] = value
    right = spell(values)
    if right != name:
        raise UserError(
            "A variant has one spelling, so that nothing is trained twice.",
            found=name,
            expected=right,
            setting="the name in the command line",
        )
    return values


def parse_sweep(text: str, rules: schema.Schema, named: Mapping[str, Mapping[str, object]]) -> list[str]:
    """The variants of a sweep: every combination of its values, in the order in which they are written.

    Args:
        text: `unet_lr=5e-4+1e-3__network_dim=32+64` in a path's spelling, or the name of a sweep of the config.
        rules: the config schema.
        named: the config's `sweeps`: values of each setting, in any spelling.

    Raises:
        UserError: as `parse`; a value twice, another spelling of the whole, an unknown name, too many variants.
    """
    if "=" not in text:
        if text not in named:
            close = schema.nearest(text, list(named))
            raise UserError(
                "There is no such sweep." + (f" The nearest is {close}." if close else ""),
                found=text,
                expected="a name of the config's sweeps, or settings such as unet_lr=5e-4+1e-3; known: "
                + (", ".join(named) or "none"),
                setting="sweeps in config/config.yaml",
            )
        return expand_sweep(named[text], rules, f"sweeps.{text}")
    columns = {}
    for part in text.split("__"):
        key, _, values = part.partition("=")
        if key in columns:
            raise UserError(f"{key} stands twice in the sweep's name.", found=text, expected="each setting once")
        # one setting after the other through the reader of a variant's name, which knows every way to be wrong
        columns[key] = [parse(f"{key}={value}", rules)[key] for value in values.split("+")]
    right = "__".join(f"{key}={'+'.join(map(spell_value, columns[key]))}" for key in sorted(columns))
    if right != text:
        raise UserError("A sweep has one spelling.", found=text, expected=right, setting="the name in the command line")
    return expand_sweep(columns, rules, "the sweep's name")


def expand_sweep(columns: Mapping[str, object], rules: schema.Schema, setting: str) -> list[str]:
    """The names of all combinations of a sweep's values.

    Args:
        columns: values of each setting, in any spelling; a single one may stand without a list.
        setting: named in errors.

    Raises:
        UserError: a setting that cannot vary, a value out of range or twice, no values, or too many variants.
    """
    leaves = {path[-1]: leaf for path, leaf in schema.leaves(rules) if path[0] == "train"}
    checked: dict[str, list[object]] = {}
    for key, values in columns.items():
        _check_key(f"{key}=…", key, "=", leaves, rules)
        entries = list(values) if isinstance(values, list | tuple) else [values]
        pairs = [schema.check(leaves[key], value, f"train.{key}") for value in entries]
        problems = [text for _, found in pairs for text in found]
        if problems:
            raise UserError("A value of a sweep is not allowed.\n  - " + problems[0], found=key, setting=setting)
        checked[key] = [value for value, _ in pairs]
        if len(set(map(spell_value, checked[key]))) < len(entries) or not entries:
            raise UserError(
                f"A sweep needs values of {key}, each once.", found=entries, expected="1 or more", setting=setting
            )
    count = math.prod(map(len, checked.values()))
    if not checked or count > MOST_VARIANTS:
        raise UserError(
            "A sweep of this size is not sensible.",
            found=f"{count if checked else 0} variants, a training each",
            expected=f"1…{MOST_VARIANTS}",
            setting=setting,
        )
    combinations = itertools.product(*(checked[key] for key in sorted(checked)))
    return [spell(dict(zip(sorted(checked), values, strict=True))) for values in combinations]


def reduce(name: str, rules: schema.Schema, train: Mapping[str, object]) -> str:
    """The variant that a name comes to with this config: without the settings whose value is the config's own.

    Args:
        train: the config's training settings.
    """
    return spell({key: value for key, value in parse(name, rules).items() if train[key] != value})


def spell(values: Mapping[str, object]) -> str:
    """The name of a variant with these settings; "base" for none."""
    return "__".join(f"{key}={spell_value(values[key])}" for key in sorted(values)) or BASE


def spell_value(value: object) -> str:
    """The one spelling of a value in a path: numbers as short as can be, plain rather than `e` where both are as short.

    0.002 is "2e-3", 0.01 is "0.01", 8.0 is "8", False is "false".
    """
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, float):
        return str(value)
    number = Decimal(repr(value)).normalize()
    sign, digits, exponent = number.as_tuple()
    first, rest = str(digits[0]), "".join(map(str, digits[1:]))
    scientific = f"{'-' * sign}{first}{'.' + rest if rest else ''}e{exponent + len(rest)}"
    plain = format(number, "f")
    return scientific if len(scientific) < len(plain) else plain


def _check_key(name: str, key: str, equals: str, settings: Mapping[str, schema.Schema], rules: schema.Schema) -> None:
    """Raise UserError unless `key` is a training setting that may vary."""
    sweeps = [known for known, leaf in settings.items() if leaf.get("sweep")]
    if key in sweeps and equals:
        return
    if key in sweeps:
        raise UserError("A variant's name needs a value for each setting.", found=name, expected=f"{key}=VALUE")
    others = {path[-1] for path, _ in schema.leaves(rules)}
    if key in others:
        raise UserError(
            f"{key} cannot vary by name: the dataset, the latents or the speed depend on it, not the training alone.",
            found=name,
            expected="one or more of " + ", ".join(sweeps),
            setting=f"{key} in config/config.yaml",
        )
    close = schema.nearest(key, sweeps)
    raise UserError(
        "There is no such variant." + (f" The nearest setting is {close}." if close else ""),
        found=name,
        expected=f"{BASE}, or settings such as unet_lr=1e-3; known: " + ", ".join(sweeps),
    )
