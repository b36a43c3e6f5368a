"""Reads values through config/schema.yaml: fills defaults, coerces spellings, and names what is wrong.

A walker for the part of JSON Schema that the file uses. A general validator can neither turn `2e-3`, which YAML 1.1
reads as text, into a number, nor name the nearest known key.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

Schema = Mapping[str, object]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_REFUSED = object()


def load_schema(path: Path) -> dict:
    """The schema file as a mapping."""
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def leaves(schema: Schema, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Schema]]:
    """Every single setting as (path, its schema); "*" stands for the key of a character."""
    for key, child in schema.get("properties", {}).items():
        if child.get("properties"):
            yield from leaves(child, (*path, key))
        elif isinstance(child.get("additionalProperties"), Mapping) and "properties" in child["additionalProperties"]:
            yield from leaves(child["additionalProperties"], (*path, key, "*"))
        else:
            yield (*path, key), child


def fill(schema: Schema, value: object) -> object:
    """`value` with the defaults of missing keys, in all levels. A section left empty (`train:`) counts as missing."""
    if not _is_object(schema):
        return value
    value = {} if value is None else value
    if not isinstance(value, Mapping):
        return value
    filled = dict(value)
    for key, child in schema.get("properties", {}).items():
        if _is_object(child):
            filled[key] = fill(child, filled.get(key, child.get("default")))
        elif key not in filled and "default" in child:
            filled[key] = child["default"]
    extra = schema.get("additionalProperties")
    if isinstance(extra, Mapping):
        known = schema.get("properties", {})
        filled.update({key: fill(extra, item) for key, item in filled.items() if key not in known})
    return filled


def check(schema: Schema, value: object, name: str = "", known: list[str] | None = None) -> tuple[object, list[str]]:
    """Hold a value against its schema.

    Args:
        schema: the schema of this value.
        value: as read from YAML.
        name: its dotted key, for messages.
        known: all dotted keys, to name the nearest one to an unknown key.

    Returns:
        The value in the schema's type ("2e-3" as 0.002, 8 as 8.0 where numbers are asked for) and all problems, each a
        sentence that names the key, the value and what is allowed.
    """
    if _is_object(schema):
        return _check_object(schema, value, name, known or [])
    if schema.get("type") == "array" and isinstance(value, list | tuple):
        return _check_array(schema, value, name, known or [])
    coerced = _coerce(schema, value)
    if coerced is _REFUSED:
        return value, [_problem(schema, value, name)]
    return coerced, []


def nearest(name: str, known: list[str]) -> str | None:
    """The known dotted key that `name` was meant to be, or None: compared whole and by its last part."""
    by_last = {key.rsplit(".", 1)[-1]: key for key in known}
    close = difflib.get_close_matches(name, known, 1, 0.75)
    close_last = difflib.get_close_matches(name.rsplit(".", 1)[-1], list(by_last), 1, 0.6)
    if close_last and (not close or close_last[0] == name.rsplit(".", 1)[-1]):
        return by_last[close_last[0]]
    return close[0] if close else None


def describe(schema: Schema) -> str:
    """What the schema allows, in words: "a whole number from 1 to 256 (images)"."""
    if "anyOf" in schema:
        text = " or ".join(describe(option) for option in schema["anyOf"])
    elif "enum" in schema:
        values = ['""' if value == "" else str(value) for value in schema["enum"]]
        text = values[0] if len(values) == 1 else "one of " + ", ".join(values)
    elif schema.get("type") == "array":
        text = f"a list, each item {describe(schema.get('items', {}))}"
        text += f", at least {schema['minItems']}" if "minItems" in schema else ""
    elif schema.get("type") in ("integer", "number"):
        text = "a whole number" if schema["type"] == "integer" else "a number"
        if "minimum" in schema and "maximum" in schema:
            text += f" from {schema['minimum']} to {schema['maximum']}"
        elif "minimum" in schema:
            text += f" of at least {schema['minimum']}"
        text += f" divisible by {schema['multipleOf']}" if "multipleOf" in schema else ""
    else:
        words = {"boolean": "true or false", "string": "text", "object": "a section of keys"}
        text = words.get(schema.get("type"), "any")
    return f"{text} ({schema['unit']})" if "unit" in schema else text


def _is_object(schema: Schema) -> bool:
    return schema.get("type") == "object"


def _join(name: str, key: object) -> str:
    return f"{name}.{key}" if name else str(key)


def _check_object(schema: Schema, value: object, name: str, known: list[str]) -> tuple[object, list[str]]:
    if not isinstance(value, Mapping):
        return value, [_problem(schema, value, name)]
    properties, extra = schema.get("properties", {}), schema.get("additionalProperties")
    pattern = schema.get("propertyNames", {}).get("pattern")
    result, problems = {}, []
    for key, item in value.items():
        child = properties.get(key, extra if isinstance(extra, Mapping) else None)
        full = _join(name, key)
        if child is None:
            beside = difflib.get_close_matches(str(key), list(properties), 1, 0.75)
            close = _join(name, beside[0]) if beside else nearest(full, known)
            hint = f"; the nearest known key is {close}" if close else f"; known here: {', '.join(properties)}"
            problems.append(f"{full} = {_show(item)}: there is no such key{hint}")
        elif pattern and not (isinstance(key, str) and re.search(pattern, key)):
            problems.append(f"{full}: not a name for files and folders; allowed are a-z, 0-9 and _")
        else:
            result[key], found = check(child, item, full, known)
            problems += found
    problems += [
        f"{_join(name, key)} is missing: {properties[key].get('advice', describe(properties[key]))}"
        for key in schema.get("required", [])
        if key not in value
    ]
    if len(value) < schema.get("minProperties", 0):
        problems.append(f"{name} is empty: {schema.get('advice', 'at least one entry')}")
    return result, problems


def _check_array(schema: Schema, value: list | tuple, name: str, known: list[str]) -> tuple[object, list[str]]:
    if len(value) < schema.get("minItems", 0):
        return value, [_problem(schema, value, name)]
    pairs = [check(schema.get("items", {}), item, f"{name}[{place}]", known) for place, item in enumerate(value)]
    return [item for item, _ in pairs], [problem for _, found in pairs for problem in found]


def _coerce(schema: Schema, value: object) -> object:
    """`value` in the schema's type, or _REFUSED."""
    if "anyOf" in schema:
        results = (check(option, value) for option in schema["anyOf"])
        return next((item for item, problems in results if not problems), _REFUSED)
    if "enum" in schema:
        return _coerce_choice(schema["enum"], value)
    kind = schema.get("type")
    if kind == "boolean":
        words = {"true": True, "false": False}
        return value if isinstance(value, bool) else words.get(value, _REFUSED) if isinstance(value, str) else _REFUSED
    if kind == "string":
        fits = isinstance(value, str) and len(value) >= schema.get("minLength", 0)
        return value if fits and re.search(schema.get("pattern", ""), value) else _REFUSED
    if kind in ("integer", "number"):
        return _coerce_number(schema, value)
    return _REFUSED if kind else value


def _coerce_choice(choices: list, value: object) -> object:
    # YAML 1.1 reads an unquoted no as false
    if value is False and "no" in choices:
        return "no"
    for choice in choices:
        if type(choice) is type(value) and choice == value:
            return choice
        if isinstance(choice, int) and isinstance(value, str) and value == str(choice):
            return choice
    return _REFUSED


def _coerce_number(schema: Schema, value: object) -> object:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return _REFUSED
    if schema["type"] == "integer" and value != int(value):
        return _REFUSED
    if not schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf):
        return _REFUSED
    if value % schema.get("multipleOf", 1) and "multipleOf" in schema:
        return _REFUSED
    return int(value) if schema["type"] == "integer" else float(value)


def _show(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _problem(schema: Schema, value: object, name: str) -> str:
    text = f"{name} = {_show(value)}: expected {describe(schema)}"
    if schema.get("type") == "string" and not isinstance(value, str | Mapping | list):
        text += ', in quotes ("" for none)'
    return f"{text}. {schema['advice']}" if "advice" in schema else text
