"""The settings of several variants side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loramake.variants import spell_value


@dataclass(frozen=True)
class Row:
    """One setting and its value in each variant."""

    name: str
    values: tuple[object, ...]

    @property
    def differs(self) -> bool:
        return any(value != self.values[0] for value in self.values)

    @property
    def texts(self) -> list[str]:
        """Each value as one writes it in the config."""
        return [as_text(value) for value in self.values]


def compare_settings(found: Sequence[Mapping[str, object]]) -> list[Row]:
    """A row for each setting, those that differ first."""
    names = sorted({name for each in found for name in each})
    rows = [Row(name, tuple(each.get(name) for each in found)) for name in names]
    return sorted(rows, key=lambda row: not row.differs)


def as_text(value: object) -> str:
    """A value as one writes it in the config; lists and mappings in one line."""
    if value is None or value == "":
        return "–"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {as_text(item)}" for key, item in value.items()) or "–"
    if isinstance(value, list | tuple):
        return ", ".join(map(as_text, value)) or "–"
    return spell_value(value)
