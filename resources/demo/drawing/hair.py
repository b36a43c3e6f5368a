"""Hair: what hangs behind the figure, and the cap and fringe in front of the face."""

from __future__ import annotations

import math
import random

from .attributes import Attributes
from .canvas import Canvas, Point, ribbon, smooth
from .palette import Look

CAP = (0.0, 21.5)  # middle of the hair on the skull
CAP_RADII = (25.6, 25.2)


def arc(start: float, end: float, count: int) -> list[Point]:
    """Points of the skull's hair outline; degrees, 0 right and 90 up."""
    x, y = CAP
    rx, ry = CAP_RADII
    out = []
    for i in range(count):
        angle = math.radians(start + (end - start) * i / (count - 1))
        out.append((x + rx * math.cos(angle), y - ry * math.sin(angle)))
    return out


def paint_back(canvas: Canvas, attributes: Attributes, look: Look, rng: random.Random) -> None:
    """The hair behind head and body."""
    sway = rng.uniform(-2.0, 2.0)
    style = attributes.hair_style
    if style == "long hair":
        long_back(canvas, look, sway, rng)
    elif style == "bob cut":
        right = [(26.0, 12.0), (30.0, 30.0), (29.5, 42.0), (22.0, 48.5), (8.0, 47.5)]
        mirrored = [(-x, y) for x, y in right[::-1]]
        canvas.blob([*right, *mirrored, (0.0, -2.0)], look.hair_back, ink=look.hair_line)
    elif style == "short hair":
        tips = [(25.0, 14.0), (30.0, 30.0), (24.0, 31.5), (26.0, 39.5), (16.0, 39.0)]
        mirrored = [(-x, y) for x, y in tips[::-1]]
        canvas.polygon([*tips, *mirrored, *arc(180, 0, 9)], look.hair_back, ink=look.hair_line)
    else:
        canvas.polygon([*arc(-30, 210, 15)], look.hair_back, ink=look.hair_line)
        if style == "ponytail":
            tail(
                canvas,
                look,
                [(-10.0, 2.0), (-22.0, -5.0), (-33.0, 4.0), (-36.0, 24.0), (-33.0 + sway, 46.0), (-37.0 + sway, 62.0)],
                [8.0, 12.0, 15.0, 16.0, 13.0, 1.0],
            )
        else:
            for side in (-1, 1):
                tail(
                    canvas,
                    look,
                    [
                        (side * 21.0, 6.0),
                        (side * 30.0, 8.0),
                        (side * 34.5, 26.0),
                        (side * (33.0 + sway / 2), 50.0),
                        (side * (35.0 + sway), 74.0),
                    ],
                    [7.0, 11.0, 15.0, 14.0, 1.0],
                )


def long_back(canvas: Canvas, look: Look, sway: float, rng: random.Random) -> None:
    """A curtain down to the knees with a wavy lower edge."""
    low = rng.uniform(79.0, 86.0)
    hem = [
        (29.0 + sway, low - 4.0),
        (22.0 + sway, low + 2.0),
        (16.0 + sway, low - 3.0),
        (8.0 + sway, low + 1.0),
        (0.0 + sway, low - 4.0),
        (-8.0 + sway, low + 1.0),
        (-16.0 + sway, low - 3.0),
        (-22.0 + sway, low + 2.0),
        (-29.0 + sway, low - 4.0),
    ]
    right = smooth([(25.0, 12.0), (28.5, 32.0), (28.0, 55.0), hem[0]], False)
    left = smooth([hem[-1], (-28.0, 55.0), (-28.5, 32.0), (-25.0, 12.0)], False)
    canvas.polygon([*right, *hem[1:-1], *left, *arc(160, 20, 7)], look.hair_back, ink=look.hair_line)


def tail(canvas: Canvas, look: Look, spine: list[Point], widths: list[float]) -> None:
    """One hanging tail."""
    path = smooth(spine, False)
    steps = (len(path) - 1) / (len(widths) - 1)
    wide = []
    for i in range(len(path)):
        at = min(i / steps, len(widths) - 1.001)
        k = int(at)
        wide.append(widths[k] + (widths[k + 1] - widths[k]) * (at - k))
    canvas.polygon(ribbon(path, wide), look.hair, ink=look.hair_line)
    shine = path[len(path) // 4 : len(path) // 2 + 1]
    canvas.curve(shine[::2], 2.2, look.hair_light)


def fringe(rng: random.Random) -> list[Point]:
    """The hair's edge over the forehead, from right to left; y stays above the eyes."""
    kind = rng.randrange(4)
    if kind == 0:  # jagged strands
        count = rng.choice((3, 4, 5))
        points: list[Point] = []
        for i in range(count):
            x = 20.0 - 40.0 * (i + 0.5) / count
            points.append((x + rng.uniform(-2.0, 2.0), 20.0 + rng.uniform(0.0, 1.5)))
            if i + 1 < count:
                points.append((20.0 - 40.0 * (i + 1) / count, rng.uniform(11.5, 14.0)))
        return points
    if kind == 1:  # parted in the middle
        return [
            (17.0, 21.0),
            (12.0, 19.0),
            (6.0, 14.0),
            (rng.uniform(-1.5, 1.5), 6.0),
            (-6.0, 14.0),
            (-12.0, 19.0),
            (-17.0, 21.0),
        ]
    if kind == 2:  # swept to one side
        points = [
            (17.0, 21.0),
            (14.0, 15.0),
            (10.0, 7.0),
            (7.0, 13.0),
            (1.0, 18.0),
            (-5.0, 20.5),
            (-7.0, 17.0),
            (-14.0, 21.5),
        ]
        return points if rng.random() < 0.5 else [(-x, y) for x, y in points[::-1]]
    level = rng.uniform(17.5, 19.0)  # cut straight, with two small gaps
    return [
        (19.0, level + 1.5),
        (7.6, level),
        (6.4, level - 5.0),
        (5.2, level),
        (-5.2, level),
        (-6.4, level - 5.0),
        (-7.6, level),
        (-19.0, level + 1.5),
    ]


def paint_front(canvas: Canvas, attributes: Attributes, look: Look, rng: random.Random) -> None:
    """Cap, fringe, the locks beside the face, and a band of light."""
    style = attributes.hair_style
    reach = {"long hair": 56.0, "short hair": 32.0, "twintails": 42.0, "ponytail": 40.0, "bob cut": 45.5}[style]
    wide = {"bob cut": 9.5, "long hair": 8.0, "short hair": 5.0}.get(style, 6.0)
    inner = 26.6 - wide
    point = 24.4 if style == "bob cut" else 22.6
    outer = smooth([(25.4, 24.0), (26.8, (24.0 + reach) / 2), (point, reach)], False, 4)
    back = smooth(
        [(point - (4.0 if style == "bob cut" else 0.4), reach), (inner, (26.0 + reach) / 2), (inner + 0.6, 24.0)],
        False,
        4,
    )
    left = [(-x, y) for x, y in (*back[::-1], *outer[::-1])]
    canvas.polygon([*arc(180, 0, 17), *outer, *back, *fringe(rng), *left], look.hair, ink=look.hair_line)
    dip = rng.uniform(5.0, 7.0)
    canvas.curve(
        [(-15.0, dip + 4.5), (-8.0, dip + 0.6), (0.0, dip - 0.4), (8.0, dip + 0.6), (15.0, dip + 4.5)],
        2.6,
        look.hair_light,
    )
    if style == "twintails":
        for side in (-1, 1):
            canvas.ellipse(side * 25.0, 6.5, 3.4, 4.2, look.cloth_dark)
    elif style == "ponytail":
        canvas.ellipse(-15.0, -0.5, 4.2, 3.6, look.cloth_dark)
    if rng.random() < 0.35:
        canvas.curve([(0.0, -3.2), (2.0, -7.0), (6.5, -6.5)], 1.8, look.hair_line)
