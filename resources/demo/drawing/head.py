"""The face."""

from __future__ import annotations

import math
import random

from .attributes import Attributes
from .canvas import Canvas
from .layout import EYE, EYE_RADII
from .palette import PALETTE, Look, darker, lighter, mix

FACE = ((0.0, 45.2), (8.5, 43.6), (16.5, 38.5), (21.8, 30.0), (22.6, 20.0), (16.0, 6.0), (0.0, 1.0))
WHITE = (255, 255, 255)


def paint(canvas: Canvas, attributes: Attributes, look: Look, rng: random.Random) -> None:
    """Skin, cheeks, mouth and eyes."""
    if attributes.hair_style in ("short hair", "ponytail", "twintails") and attributes.ears == "none":
        for side in (-1, 1):
            canvas.ellipse(side * 22.6, 29.5, 3.2, 4.6, look.skin)
    outline = [*FACE, *[(-x, y) for x, y in FACE[-2:0:-1]]]
    canvas.blob(outline, look.skin)
    expression = attributes.expression
    cheek = PALETTE["body"]["blush"]
    for side in (-1, 1):
        if expression == "blush":
            canvas.ellipse(side * 12.0, 38.4, 4.9, 3.0, cheek, 0.0)
        else:
            canvas.ellipse(side * 14.2, 38.0, 2.7, 1.6, mix(look.skin, cheek, 0.38), 0.0)
    mouth(canvas, expression)
    shine = (rng.uniform(-2.4, -1.2), rng.uniform(-4.2, -3.0), rng.uniform(1.7, 2.3))
    for side in (-1, 1):
        if expression == "closed eyes":
            shut_eye(canvas, side)
        else:
            open_eye(canvas, side, look, shine)


def mouth(canvas: Canvas, expression: str) -> None:
    """One mouth for each expression, about 8 units wide."""
    stroke = 1.7
    if expression == "open mouth":
        half = [(4.9 * math.cos(t / 8 * math.pi), 37.2 + 6.0 * math.sin(t / 8 * math.pi)) for t in range(9)]
        canvas.polygon(half, PALETTE["body"]["mouth"])
        canvas.ellipse(0.0, 41.3, 2.4, 1.3, (255, 140, 140), 0.0)
    elif expression == "frown":
        canvas.curve([(-4.6, 41.2), (-2.4, 38.9), (2.4, 38.9), (4.6, 41.2)], stroke)
    elif expression == "blush":
        canvas.curve([(-4.2, 38.0), (-2.2, 39.9), (0.0, 38.2), (2.2, 39.9), (4.2, 38.0)], stroke * 0.9)
    else:
        canvas.curve([(-4.8, 37.6), (-2.5, 39.9), (2.5, 39.9), (4.8, 37.6)], stroke)


def shut_eye(canvas: Canvas, side: int) -> None:
    """A happy arc."""
    x, y = side * EYE[0], EYE[1]
    canvas.curve([(x - 6.2, y + 3.2), (x - 3.4, y - 1.2), (x, y - 2.6), (x + 3.4, y - 1.2), (x + 6.2, y + 3.2)], 2.3)


def open_eye(canvas: Canvas, side: int, look: Look, shine: tuple[float, float, float]) -> None:
    """White, a two-tone iris, pupil, two highlights, and a heavy upper lash."""
    x, y = side * EYE[0], EYE[1]
    rx, ry = EYE_RADII
    iris_x = x - side * 0.4
    canvas.ellipse(x, y, rx - 0.5, ry - 0.5, WHITE, canvas.line * 0.8)
    canvas.ellipse(iris_x, y + 0.4, rx - 1.3, ry - 1.1, darker(look.eye, 0.34), 0.0)
    canvas.ellipse(iris_x, y + 2.0, rx - 1.8, ry - 3.0, look.eye, 0.0)
    canvas.ellipse(iris_x, y + 4.2, rx - 3.2, 1.9, lighter(look.eye, 0.35), 0.0)
    canvas.ellipse(iris_x, y + 0.2, 1.9, 2.9, darker(look.eye, 0.78), 0.0)
    dx, dy, r = shine
    canvas.ellipse(iris_x + dx, y + dy, r, r * 1.1, WHITE, 0.0)
    canvas.ellipse(iris_x - dx, y + 3.4, 1.0, 1.0, WHITE, 0.0)
    canvas.curve(
        [
            (x - side * 5.4, y - 4.4),
            (x - side * 2.0, y - ry + 0.2),
            (x + side * 2.6, y - ry + 0.5),
            (x + side * 5.9, y - 4.0),
            (x + side * 7.4, y - 2.6),
        ],
        2.4,
    )


def brows(canvas: Canvas, attributes: Attributes, look: Look) -> None:
    """Eyebrows, drawn over the fringe so that they always show."""
    ink = mix(look.line, look.hair, 0.25)
    inner, outer = {"frown": (19.6, 15.4), "blush": (16.4, 18.0)}.get(attributes.expression, (17.4, 17.4))
    arch = 0.2 if attributes.expression in ("frown", "blush") else 1.4
    width = 2.1 if attributes.expression == "frown" else 1.4
    for side in (-1, 1):
        canvas.curve([(side * 5.6, inner), (side * 10.0, (inner + outer) / 2 - arch), (side * 14.4, outer)], width, ink)
