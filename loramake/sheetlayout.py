"""Sizes and places on a sheet, chosen so that labels never overlap and the whole fits a screen's shape. No torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loramake import lettering
from loramake.sheetindex import Grid, Side

WANTED_ASPECT = 1.6  # of the sheet: that of a screen
MOST_LINES = 3  # of a label


@dataclass(frozen=True)
class Layout:
    """Sizes in px of a shown cell, text, gaps and a panel; wrapped text; how many panels stand side by side.

    Args:
        share: size of a shown cell to that of its picture.
        label: width of the rows' labels.
        label_size: of their text.
        group: width of a place, its seeds side by side.
        header: height of the columns' labels and the seeds.
    """

    cell: tuple[int, int]
    share: float
    text: float
    gap: int
    margin: int
    label: int
    label_size: float
    group: int
    seed_gap: int
    columns: Sequence[Sequence[str]]
    rows: Sequence[Sequence[str]]
    panels: Sequence[Sequence[str]]
    subtitle: Sequence[str]
    header: int
    panel: tuple[int, int]
    across: int

    @property
    def head(self) -> int:
        """Height of the heading."""
        return round(self.text * (3.6 + 1.35 * len(self.subtitle)))

    @property
    def band(self) -> float:
        """Height of the columns' labels alone."""
        return self.text * 1.3 * max(map(len, self.columns))


def lay_out(
    grid: Grid, cell: tuple[int, int], subtitle: Callable[[float], str], most_pixels: int, longest_side: int
) -> Layout:
    """Choose sizes: cells as they are unless the sheet grew too large, text in proportion to the whole.

    Args:
        cell: px of a picture.
        subtitle: how the cells were drawn, by the share of their size at which they are shown; wrapped here.
        most_pixels: of all cells together.
        longest_side: px of cells along one side.
    """
    rows, columns, panels = len(grid.rows.labels), len(grid.columns.labels) * len(grid.seeds), len(grid.panels)
    across = _panels_across(panels, columns * cell[0], rows * cell[1])
    wide, high = across * columns * cell[0], math.ceil(panels / across) * rows * cell[1]
    share = min(1.0, math.sqrt(most_pixels / (wide * high)), longest_side / max(wide, high))
    shown = (max(1, round(cell[0] * share)), max(1, round(cell[1] * share)))
    # one size of text for the whole sheet: readable with the sheet scaled to a screen, never taller than half a cell
    text = max(12.0, min(max(wide, high * WANTED_ASPECT) * share / 95, shown[1] * 0.5))
    gap = max(4, round(text * 0.35))
    seed_gap = max(1, gap // 4)
    group = len(grid.seeds) * shown[0] + (len(grid.seeds) - 1) * seed_gap
    label_size, row_lines, label = _row_labels(grid.rows, text, shown[1])
    column_lines = [
        lettering.wrap(lettering.readable(text_), text, group - gap, most=MOST_LINES) for text_ in grid.columns.labels
    ]
    pad = round(text * 0.9)
    inner = label + len(grid.columns.labels) * (group + gap) - gap
    width = max(inner + 2 * pad, round(text * 14))
    heads = [lettering.wrap(lettering.readable(head), text, width - 2 * pad, most=3) for head in grid.panels]
    lines = max(len(head) if any(head) else 0 for head in heads)
    header = round(text * 1.3 * max(map(len, column_lines)) + text * 1.3)
    height = 2 * pad + round(lines * text * 1.3 + text * 0.7) + header + rows * (shown[1] + gap) - gap
    whole = across * (width + pad) - pad
    return Layout(
        shown, share, text, gap, pad, label, label_size, group, seed_gap, column_lines, row_lines, heads,
        lettering.wrap(lettering.readable(subtitle(share)), text, whole, most=6), header, (width, height), across,
    )  # fmt: skip


def _panels_across(panels: int, wide: int, high: int) -> int:
    """How many panels stand side by side, so that the sheet comes near to the wanted shape; empty places count."""

    def off(across: int) -> float:
        down = math.ceil(panels / across)
        aspect = across * wide * 1.06 / (down * high * 1.12)
        return abs(math.log(aspect / WANTED_ASPECT)) + 0.3 * (across * down - panels)

    return min(range(1, panels + 1), key=off)


def _row_labels(side: Side, text: float, height: int) -> tuple[float, list[list[str]], int]:
    """Size, wrapped lines and width of the rows' labels: short ones large, long ones in lines no wider than needed."""
    if not side.word:
        return text, [[]], 0
    size = text * (1.25 if max(map(len, side.labels)) <= 4 else 1.0)
    most = max(1, min(MOST_LINES, int(height / (size * 1.25))))
    longest = max(lettering.width(label, size) for label in side.labels)
    room = max(min(longest, text * 12), longest / most * 1.15 if longest > text * 12 else 0)
    room = min(room, text * 24) + 1
    lines = [lettering.wrap(breakable(lettering.readable(label)), size, room, most=most) for label in side.labels]
    widest = max([lettering.width(line, size) for line_ in lines for line in line_] + [lettering.width("88", size)])
    return size, lines, round(max(widest + text * 1.4, lettering.width(side.word, text) + text))


def breakable(label: str) -> str:
    """A variant's name with spaces where its settings part, so that it wraps there."""
    return label.replace("__", ", ") if "=" in label else label
