"""The webui's value syntax for an axis of numbers: lists, "0-1(+0.1)", "0-1[6]". No torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from loramake.errors import UserError

MOST_VALUES = 100

_N = r"[+-]?(?:\d+\.?\d*|\.\d+)"
_RANGE = re.compile(rf"({_N})\s*-\s*({_N})\s*(?:\(\s*({_N})\s*\)|\[\s*(\d+)\s*\])?")
_FORMS = 'a list such as "{a}, {b}, {c}", a range "{range}", or "{parts}" for {count} values'
_EXAMPLES = {
    False: {"a": "0", "b": "0.4", "c": "0.8", "range": "0-1(+0.2)", "parts": "0-1[6]", "count": "six"},
    True: {"a": "1", "b": "2", "c": "5", "range": "2-10(+2)", "parts": "1-10[5]", "count": "five"},
}


def parse_numbers(
    value: str | Sequence[object],
    *,
    setting: str,
    name: str,
    low: float,
    high: float,
    whole: bool = False,
    most: int = MOST_VALUES,
) -> tuple[float, ...] | tuple[int, ...]:
    """Read an axis of numbers.

    Args:
        value: a list, or text: values and ranges parted by commas. A range is "0-1(+0.2)" (step), "0-1[6]" (number
            of values, both ends among them) or "0-2" (step 1); downwards too, "10-4(-2)".
        setting: config key that an error names.
        name: of one value, for errors: "weight".
        low, high: allowed range, both ends included.
        whole: take whole numbers only; those of "1-10[5]" are cut to whole ones: 1, 3, 5, 7, 10, as in the webui.
        most: values allowed.

    Returns:
        the values in the given order, each once; int where `whole`.

    Raises:
        UserError: text that is neither, a fraction where whole numbers are asked for, a step that leads away, a value
            out of range, or none, or too many.
    """
    entries = value.split(",") if isinstance(value, str) else [str(entry) for entry in value]
    forms = _FORMS.format(**_EXAMPLES[whole])
    numbers: list[Decimal] = []
    for entry in entries:
        numbers += _expand(entry.strip(), setting, name, forms, whole, most)
    values = list(dict.fromkeys(int(number) if whole else float(number) + 0.0 for number in numbers))
    if not 1 <= len(values) <= most:
        raise UserError(
            "This axis has no sensible length.",
            found=f"{len(values)} values ({name})",
            expected=f"1…{most} values",
            setting=setting,
        )
    beyond = [number for number in values if not low <= number <= high]
    if beyond:
        expected = f"between {low:g} and {high:g}"
        raise UserError(f"A {name} is out of range.", found=f"{beyond[0]:g}", expected=expected, setting=setting)
    return tuple(values)


def _expand(entry: str, setting: str, name: str, forms: str, whole: bool, most: int) -> list[Decimal]:
    """The values of one entry; decimal arithmetic, so that 0-1(+0.2) gives 0.6 and not 0.6000000000000001."""
    match = _RANGE.fullmatch(entry)
    single = re.fullmatch(_N, entry)
    given = [entry] if single else list(match.groups()[:3]) if match else []
    if not given or whole and any(Decimal(number) % 1 for number in given if number):
        kind = f"A {name} cannot be read." if not given else f"A {name} must be a whole number."
        raise UserError(kind, found=repr(entry), expected=forms, setting=setting)
    if single:
        return [Decimal(entry)]
    start, end = Decimal(match[1]), Decimal(match[2])
    if match[4]:
        count = int(match[4])
        width = (end - start) / max(count - 1, 1)
        return [round(start + width * place, 6) for place in range(min(count, most + 1))]
    step = Decimal(match[3]) if match[3] else Decimal(1 if end >= start else -1)
    if step == 0 or (end - start) * step < 0:
        raise UserError(f"This range of {name}s never ends.", found=entry, expected=forms, setting=setting)
    count = int((end - start) / step) + 1
    return [start + step * place for place in range(min(count, most + 1))]
