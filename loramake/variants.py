"""Names of variants: "base", or the training settings that differ from the config's, `network_dim=64__unet_lr=5e-4`.

A name has one spelling (keys sorted, numbers canonical), so that nothing is trained twice under two names.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from loramake import schema
from loramake.errors import UserError

BASE = "base"


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
