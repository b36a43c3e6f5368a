"""Animal ears."""

from __future__ import annotations

from .attributes import Attributes
from .canvas import Canvas, Point, apply, ribbon, smooth, turn
from .layout import EARS
from .palette import PALETTE, Look, lighter

# The hair hides the root, so an even split would leave too little black in sight.
TWO_TONE_SPLIT = 0.58
# Share of the full width at each share of the length.
LEAF = (
    (0.0, 0.62),
    (0.15, 0.78),
    (0.35, 0.96),
    (TWO_TONE_SPLIT, 1.0),
    (0.72, 0.92),
    (0.84, 0.72),
    (0.94, 0.42),
    (1.0, 0.08),
)


def placed(points: list[Point], base: Point, tilt: float, side: int) -> list[Point]:
    """Ear points (upright, base at the origin) on the head."""
    spin = turn(tilt, (0.0, 0.0))
    turned = [apply(spin, p) for p in points]
    return [(side * (base[0] + x), base[1] + y) for x, y in turned]


def leaf(length: float, width: float, start: float = 0.0, end: float = 1.0) -> list[Point]:
    """A rabbit ear's outline, or the piece of it between two shares of its length."""
    rows = [(t, w) for t, w in LEAF if start <= t <= end]
    return ribbon([(0.0, -length * t) for t, _ in rows], [width * w for _, w in rows])


def triangle(length: float, width: float) -> list[Point]:
    """A cat's or fox's ear: bulging sides, pointed tip."""
    w = width / 2
    right = smooth([(w, 0.0), (w * 0.86, -length * 0.42), (w * 0.1, -length)], False, 4)
    return [*right, *[(-x, y) for x, y in right[::-1]]]


def paint(canvas: Canvas, attributes: Attributes, look: Look) -> None:
    """Both ears; the hair drawn later covers their roots."""
    ears = attributes.ears
    if ears == "none":
        return
    base, tilt, length, width = EARS[ears]
    colours = PALETTE["ears"]
    for side in (-1, 1):

        def put(points: list[Point], fill, line=None, side=side) -> None:
            canvas.polygon(placed(points, base, tilt, side), fill, line)

        if ears == "two-tone rabbit ears":
            put(leaf(length, width), colours["two-tone upper"])
            put(leaf(length, width, 0.0, TWO_TONE_SPLIT), colours["two-tone lower"])
        elif ears == "rabbit ears":
            put(leaf(length, width), colours["rabbit ears"])
        else:
            inner = colours["inner cat" if ears == "cat ears" else "inner fox"]
            put(triangle(length, width), look.hair)
            put(
                [(x * 0.58, y * 0.74) for x, y in triangle(length, width)],
                inner,
                0.0 if ears == "cat ears" else canvas.line * 0.5,
            )
            if ears == "fox ears":
                tuft = [(-4.5, -5.0), (-2.0, -12.5), (0.0, -8.0), (2.0, -12.5), (4.5, -5.0)]
                put(tuft, lighter(inner, 1.0), 0.0)
