"""Curves as inline SVG whose text keeps its size at any width: places across are per cents, places down are pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

KINDS = 8  # colours with a pattern of dashes each, in the styles; after that they come again

_HEIGHT, _TOP, _BOTTOM = 250, 10, 40  # px; room for the numbers at the left is the style's margin
_ACROSS = 1000  # units of the inner drawing, which is stretched to the width


@dataclass(frozen=True)
class Curve:
    """One line of a plot.

    Attributes:
        name: for legend and tooltip.
        points: (x, y), by x.
        kind: 0…KINDS-1, its colour and dashes; -1 is the faint one behind the others.
        dots: mark each point, with its value as a tooltip.
    """

    name: str
    points: Sequence[tuple[float, float]]
    kind: int = 0
    dots: bool = False


def draw_curves(
    curves: Sequence[Curve], *, title: str, x_label: str, from_zero: bool = False, seen: float = 1.0
) -> Markup:
    """Curves over common axes.

    Args:
        curves: at least one with a point.
        title: what a screen reader says.
        x_label: of the axis, with unit.
        from_zero: start the y axis at 0, else near the lowest value.
        seen: share of the values of faint curves that must be in sight (0…1); what is higher is cut off.
    """
    clear = [y for curve in curves if curve.kind >= 0 for _, y in curve.points]
    faint = sorted(y for curve in curves if curve.kind < 0 for _, y in curve.points)
    values = clear + faint[: math.ceil(len(faint) * seen)]
    ticks = nice_ticks(0.0 if from_zero else min(values), max(values), 5)
    low, high = ticks[0], ticks[-1]
    xs = [x for curve in curves for x, _ in curve.points]
    left, right = min(xs), max(max(xs), min(xs) + 1e-9)

    def across(x: float) -> float:
        return (x - left) / (right - left)

    def down(y: float) -> float:
        share = (min(max(y, low), high) - low) / (high - low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP)

    parts = [f'<svg class="plot curves" width="100%" height="{_HEIGHT}" role="img" aria-label="{escape(title)}">']
    parts += _axes(ticks, [tick for tick in nice_ticks(left, right, 8) if left <= tick <= right], across, down)
    parts.append(f'<text class="tick" x="100%" y="{_HEIGHT - 4}" text-anchor="end">{escape(x_label)}</text>')
    parts.append(f'<svg viewBox="0 0 {_ACROSS} {_HEIGHT}" preserveAspectRatio="none" overflow="visible">')
    for curve in curves:
        path = "L".join(f"{across(x) * _ACROSS:.1f} {down(y):.1f}" for x, y in curve.points)
        parts.append(f'<path class="{_style(curve)}" d="M{path}"><title>{escape(curve.name)}</title></path>')
    parts.append("</svg>")
    for curve in curves:
        for x, y in curve.points if curve.dots else ():
            place = f'cx="{100 * across(x):.2f}%" cy="{down(y):.1f}"'
            words = escape(f"{curve.name}: {short(y)} at {x_label} {short(x)}")
            parts.append(f'<circle class="{_style(curve)}" {place} r="3.5"><title>{words}</title></circle>')
    return Markup("".join([*parts, "</svg>"]))


def nice_ticks(low: float, high: float, about: int) -> list[float]:
    """Round values at even steps from at or below `low` to at or above `high`, about so many."""
    span = high - low or abs(high) or 1.0
    rough = span / about
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(place * step, 12) for place in range(first, max(last, first + 1) + 1)]


def short(value: float) -> str:
    """A number as it is read in a plot or a table: four digits at most, no exponent where it can be helped."""
    if value and not 1e-4 <= abs(value) < 1e6:
        return f"{value:.3g}"
    text = f"{value:.{max(0, 3 - math.floor(math.log10(abs(value)))) if value else 0}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def thin(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """Means of equal runs of points where there are more than `most`; the last one stays."""
    if len(points) <= most:
        return list(points)
    size = math.ceil(len(points) / most)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(group[-1][0], sum(y for _, y in group) / len(group)) for group in groups]


def _style(curve: Curve) -> str:
    return "curve faint" if curve.kind < 0 else f"curve k{curve.kind % KINDS}"


def _axes(ys: Sequence[float], xs: Sequence[float], across, down) -> list[str]:
    """Grid lines with their numbers."""
    parts = []
    for tick in ys:
        y = f"{down(tick):.1f}"
        parts.append(f'<line class="axis" x1="0" x2="100%" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="tick" x="-8" y="{y}" dy="4" text-anchor="end">{tick:g}</text>')
    for tick in xs:
        x = f"{100 * across(tick):.2f}%"
        parts.append(f'<text class="tick" x="{x}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{tick:g}</text>')
    return parts
