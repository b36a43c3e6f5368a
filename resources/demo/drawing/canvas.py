"""A pen that draws in figure units through an affine map."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import ImageDraw

from .palette import RGB

Point = tuple[float, float]
Affine = tuple[float, float, float, float, float, float]
Box = tuple[float, float, float, float]

CIRCLE = tuple((math.cos(2 * math.pi * i / 30), math.sin(2 * math.pi * i / 30)) for i in range(30))
SHARP = 16  # polygons with at most this many corners get rounded joints
THIN = 5  # pixels up to which a line's bends need no care


def compose(outer: Affine, inner: Affine) -> Affine:
    """The map that does ``inner`` first, then ``outer``."""
    a, b, c, d, e, f = outer
    p, q, r, s, t, u = inner
    return (
        a * p + b * s,
        a * q + b * t,
        a * r + b * u + c,
        d * p + e * s,
        d * q + e * t,
        d * r + e * u + f,
    )


def turn(degrees: float, pivot: Point) -> Affine:
    """Rotation by ``degrees`` (clockwise on screen) about ``pivot``."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = pivot
    return (cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y)


def apply(affine: Affine, point: Point) -> Point:
    """Where ``affine`` takes ``point``."""
    a, b, c, d, e, f = affine
    x, y = point
    return (a * x + b * y + c, d * x + e * y + f)


def smooth(points: Sequence[Point], closed: bool, steps: int = 5) -> list[Point]:
    """A Catmull-Rom curve through ``points``, ``steps`` pieces for each span."""
    n = len(points)
    out: list[Point] = []
    for i in range(n if closed else n - 1):
        if closed:
            p0, p1, p2, p3 = (points[(i + k) % n] for k in (-1, 0, 1, 2))
        else:
            p0, p1, p2, p3 = (points[min(n - 1, max(0, i + k))] for k in (-1, 0, 1, 2))
        for k in range(steps):
            t = k / steps
            t2, t3 = t * t, t * t * t
            w0, w1 = -t3 + 2 * t2 - t, 3 * t3 - 5 * t2 + 2
            w2, w3 = -3 * t3 + 4 * t2 + t, t3 - t2
            out.append(
                (
                    (w0 * p0[0] + w1 * p1[0] + w2 * p2[0] + w3 * p3[0]) / 2,
                    (w0 * p0[1] + w1 * p1[1] + w2 * p2[1] + w3 * p3[1]) / 2,
                )
            )
    if not closed:
        out.append(points[-1])
    return out


def ribbon(spine: Sequence[Point], widths: Sequence[float]) -> list[Point]:
    """The outline of a band along ``spine``; ``widths`` are full widths in units."""
    left: list[Point] = []
    right: list[Point] = []
    last = len(spine) - 1
    for i, ((x, y), width) in enumerate(zip(spine, widths, strict=True)):
        x0, y0 = spine[max(0, i - 1)]
        x1, y1 = spine[min(last, i + 1)]
        length = math.hypot(x1 - x0, y1 - y0) or 1.0
        nx, ny = -(y1 - y0) / length * width / 2, (x1 - x0) / length * width / 2
        left.append((x + nx, y + ny))
        right.append((x - nx, y - ny))
    return left + right[::-1]


class Canvas:
    """Draws shapes given in figure units; ``line`` is the outline width in units."""

    def __init__(self, pen: ImageDraw.ImageDraw, affine: Affine, line: float, ink: RGB) -> None:
        self.pen = pen
        self.affine = affine
        self.line = line
        self.ink = ink
        a, b, _, d, e, _ = affine
        self.unit = math.sqrt(abs(a * e - b * d))

    def turned(self, affine: Affine) -> Canvas:
        """The same pen with ``affine`` (in units) applied first."""
        return Canvas(self.pen, compose(self.affine, affine), self.line, self.ink)

    def width(self, units: float) -> int:
        """A line width in whole pixels."""
        return max(1, round(units * self.unit))

    def map(self, points: Sequence[Point]) -> list[Point]:
        """``points`` in pixels."""
        a, b, c, d, e, f = self.affine
        return [(a * x + b * y + c, d * x + e * y + f) for x, y in points]

    def polygon(
        self,
        points: Sequence[Point],
        fill: RGB,
        line: float | None = None,
        ink: RGB | None = None,
    ) -> None:
        """A filled shape with an outline of ``line`` units (0 for none)."""
        mapped = self.map(points)
        self.pen.polygon(mapped, fill=fill)
        line = self.line if line is None else line
        if line:
            pixels = self.width(line)
            # Rounded joints are slow; gentle bends of thin lines do without.
            rounded = len(mapped) <= SHARP or pixels > THIN
            self.pen.line(
                [*mapped, mapped[0], mapped[1]], fill=ink or self.ink, width=pixels, joint="curve" if rounded else None
            )

    def blob(
        self,
        points: Sequence[Point],
        fill: RGB,
        line: float | None = None,
        ink: RGB | None = None,
    ) -> None:
        """A filled smooth shape through ``points``."""
        self.polygon(smooth(points, True), fill, line, ink)

    def ellipse(
        self,
        x: float,
        y: float,
        rx: float,
        ry: float,
        fill: RGB,
        line: float | None = None,
        ink: RGB | None = None,
    ) -> None:
        """An ellipse about (x, y)."""
        self.polygon([(x + rx * c, y + ry * s) for c, s in CIRCLE], fill, line, ink)

    def curve(self, points: Sequence[Point], width: float, ink: RGB | None = None) -> None:
        """An open smooth line of ``width`` units with round ends."""
        mapped = self.map(smooth(points, False))
        pixels = self.width(width)
        self.pen.line(mapped, fill=ink or self.ink, width=pixels)
        r = pixels / 2 - 0.5
        # Wide lines gape at their bends unless every bend gets a disc.
        for x, y in mapped if pixels > THIN else (mapped[0], mapped[-1]):
            self.pen.ellipse((x - r, y - r, x + r, y + r), fill=ink or self.ink)

    def limb(self, points: Sequence[Point], width: float, fill: RGB) -> None:
        """An outlined tube of ``width`` units with round ends."""
        self.curve(points, width + 2 * self.line * 0.9, self.ink)
        self.curve(points, width, fill)
