"""Plots as inline SVG that keep their text size at any width: places across are per cents, places down are pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from markupsafe import Markup, escape

_HEIGHT, _TOP, _BOTTOM = 190, 26, 30  # px: the plot, room for the marks' labels, room for the axis


def histogram(values: Sequence[int], marks: Sequence[int], *, unit: str, noun: str) -> Markup:
    """How often each range of values occurs, with vertical marks.

    Args:
        values: whole numbers from 0 up.
        marks: values of vertical lines, as far as they are in sight: those up to the first beyond the largest value.
        unit: what the values count, for the axis.
        noun: what is counted, for the text of a bar.
    """
    largest = max(values, default=0)
    shown = [mark for mark in marks if mark <= largest] + [mark for mark in marks if mark > largest][:1]
    end = max(1, *shown, largest) * 1.06
    step = _step(end)
    counts = Counter(value // step for value in values)
    highest = max(counts.values(), default=1)
    floor = _HEIGHT - _BOTTOM
    parts = [
        f'<svg class="plot" width="100%" height="{_HEIGHT}" role="img" aria-label="{escape(_words(values, unit))}">'
    ]
    for place, count in sorted(counts.items()):
        height = max(2.0, count / highest * (floor - _TOP))
        label = f"{place * step}" if step == 1 else f"{place * step} to {place * step + step - 1}"
        parts.append(
            f'<rect class="bar" x="{100 * place * step / end:.2f}%" width="{max(0.4, 94 * step / end):.2f}%" '
            f'y="{floor - height:.1f}" height="{height:.1f}" rx="2">'
            f"<title>{escape(f'{label} {unit}: {count} {noun}')}</title></rect>"
        )
    parts.append(f'<line class="axis" x1="0" x2="100%" y1="{floor + 0.5}" y2="{floor + 0.5}"/>')
    ticks = _ticks(end)
    for tick in ticks:
        anchor = "start" if tick == 0 else "middle"
        parts.append(
            f'<text class="tick" x="{100 * tick / end:.2f}%" y="{floor + 17}" text-anchor="{anchor}">{tick}</text>'
        )
    for mark in shown:
        x = f"{100 * mark / end:.2f}%"
        parts.append(f'<line class="mark" x1="{x}" x2="{x}" y1="{_TOP - 8}" y2="{floor}"/>')
        parts.append(f'<text class="mark" x="{x}" y="12" text-anchor="end">{mark} {escape(unit)}</text>')
    return Markup("".join([*parts, "</svg>"]))


def _words(values: Sequence[int], unit: str) -> str:
    if not values:
        return "nothing to show"
    return f"{len(values)} values from {min(values)} to {max(values)} {unit}"


def _step(end: float) -> int:
    """Width of a bar that gives 15 to 40 of them."""
    return next(step for step in (1, 2, 5, 10, 20, 50, 100, 10**9) if end / step <= 40)


def _ticks(end: float) -> list[int]:
    step = next(step for step in (1, 2, 5, 10, 25, 50, 100, 250, 10**9) if end / step <= 7)
    return list(range(0, int(end) + 1, step))
