"""What is worn in the hair."""

from __future__ import annotations

import math

from .canvas import Canvas, Point
from .hair import arc
from .palette import PALETTE, darker, lighter


def star(x: float, y: float, r: float, inner: float = 0.5) -> list[Point]:
    """A five-pointed star of radius ``r`` about (x, y)."""
    return [
        (
            x + (r if i % 2 == 0 else r * inner) * math.sin(i * math.pi / 5),
            y - (r if i % 2 == 0 else r * inner) * math.cos(i * math.pi / 5),
        )
        for i in range(10)
    ]


def bloom(canvas: Canvas, x: float, y: float, r: float, fill, heart=(255, 226, 80)) -> None:
    """A flower with five round petals, ``r`` units from middle to edge."""
    for i in range(5):
        angle = i * 2 * math.pi / 5 - math.pi / 2
        canvas.ellipse(
            x + r * 0.58 * math.cos(angle), y + r * 0.58 * math.sin(angle), r * 0.46, r * 0.46, fill, canvas.line * 0.8
        )
    canvas.ellipse(x, y, r * 0.46, r * 0.46, fill, 0.0)
    canvas.ellipse(x, y, r * 0.3, r * 0.3, heart, canvas.line * 0.5)


def bow(canvas: Canvas, x: float, y: float, w: float, fill) -> None:
    """A ribbon bow ``2 * w`` units wide."""
    for side in (-1, 1):
        canvas.polygon(
            [(x, y), (x + side * w, y - w * 0.6), (x + side * w * 0.9, y), (x + side * w, y + w * 0.55)], fill
        )
        canvas.polygon(
            [(x + side * w * 0.25, y), (x + side * w * 0.7, y - w * 0.2), (x + side * w * 0.7, y + w * 0.2)],
            darker(fill, 0.25),
            0.0,
        )
    canvas.ellipse(x, y, w * 0.24, w * 0.28, fill)


def anchor(canvas: Canvas, x: float, y: float, fill) -> None:
    """An anchor 21 units tall about (x, y)."""
    ring = [(x + 3.0 * math.cos(t * math.pi / 6), y - 7.2 + 3.0 * math.sin(t * math.pi / 6)) for t in range(13)]
    hook = [(x - 8.6, y + 1.6), (x - 6.6, y + 6.4), (x, y + 9.0), (x + 6.6, y + 6.4), (x + 8.6, y + 1.6)]
    strokes = [ring, [(x, y - 4.4), (x, y + 8.6)], [(x - 5.4, y - 2.0), (x + 5.4, y - 2.0)], hook]
    barbs = [[(x + s * 10.8, y + 4.8), (x + s * 9.2, y - 1.4), (x + s * 5.0, y + 3.6)] for s in (-1, 1)]
    for extra, ink in ((2.0 * canvas.line, (14, 34, 70)), (0.0, fill)):
        for stroke in strokes:
            canvas.curve(stroke, 3.1 + extra, ink)
        for barb in barbs:
            canvas.polygon(barb, ink, max(0.4, extra), ink)


def paint(canvas: Canvas, headwear: str, hair_color: str) -> None:
    """The ornament on the finished hair."""
    if headwear == "none":
        return
    colours = PALETTE["headwear"]
    # Red on red would not show.
    fill = colours.get(f"{headwear} on {hair_color} hair", colours[headwear])
    if headwear == "hairband":
        outer = arc(168, 12, 15)
        inner = [(x * 0.86, 14.0 + (y - 14.0) * 0.72) for x, y in outer]
        canvas.polygon([*outer, *inner[::-1]], fill)
        canvas.curve(inner[3:12:2], 0.9, lighter(fill, 0.35))
    elif headwear == "hair bow":
        bow(canvas, 0.0, -3.0, 13.5, fill)
    elif headwear == "hair flower":
        bloom(canvas, -20.0, 9.0, 8.4, fill)
    elif headwear == "star hair ornament":
        canvas.polygon(star(-20.0, 8.5, 9.6), fill)
    else:
        anchor(canvas, -20.5, 8.0, fill)
