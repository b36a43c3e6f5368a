"""Legs, arms and hands."""

from __future__ import annotations

from .attributes import Attributes
from .canvas import Canvas, Point
from .palette import PALETTE, RGB, Look, darker, mix

LEG_WIDTH = 12.4
ARM_WIDTH = 7.2
STRIPES = 3
SHOULDER = (9.5, 49.5)
HOLDING_HAND = (28.5, 58.0)
RAISED_HAND = (33.5, 27.0)


def leg_ends(pose: str, side: int) -> tuple[Point, Point]:
    """Hip and ankle of one leg; ``side`` is -1 or 1."""
    if pose == "sitting":
        return (side * 8.0, 68.0), (side * 19.5, 91.0)
    return (side * 7.2, 66.0), (side * 7.6, 95.5)


def band(canvas: Canvas, hip: Point, ankle: Point, start: float, end: float, fill: RGB) -> None:
    """Cloth around a leg between two shares (0..1) of its length."""
    at = [(hip[0] + (ankle[0] - hip[0]) * t, hip[1] + (ankle[1] - hip[1]) * t) for t in (start, end)]
    canvas.pen.line(canvas.map(at), fill=fill, width=canvas.width(LEG_WIDTH))


def paint_legs(canvas: Canvas, attributes: Attributes, look: Look) -> None:
    """Both legs with their legwear and shoes."""
    kind = attributes.legwear
    sitting = attributes.pose == "sitting"
    first = 0.24 if sitting else 0.26  # just under the hem
    colours = PALETTE["legwear"]
    for side in (-1, 1):
        hip, ankle = leg_ends(attributes.pose, side)
        canvas.limb([hip, ankle], LEG_WIDTH, look.skin)
        if kind == "socks":
            start, fills = 0.66, [colours["socks"]]
        elif kind == "striped legwear":
            dark, light = (colours[f"striped legwear {k}"] for k in ("dark", "light"))
            start, fills = first - 0.08, [dark if i % 2 == 0 else light for i in range(STRIPES)]
        else:
            start, fills = first + 0.06, [colours.get(kind, look.skin)]
        if kind != "bare legs":
            # Cloth runs on under the shoe, but every stripe should show whole.
            end = 0.97 if len(fills) > 1 and not sitting else 1.08
            step = (end - start) / len(fills)
            for i, fill in enumerate(fills):
                band(canvas, hip, ankle, start + i * step, start + (i + 1) * step, fill)
            rim = mix(fills[0], look.line, 0.75)
            edge = canvas.line * 0.9 / 30
            band(canvas, hip, ankle, start - edge, start + edge, rim)
        shoe(canvas, ankle, side, sitting, look)


def shoe(canvas: Canvas, ankle: Point, side: int, sitting: bool, look: Look) -> None:
    """A rounded shoe, seen from the front or, sitting, from its sole."""
    x, y = ankle
    if sitting:
        canvas.ellipse(x + side * 2.4, y + 2.4, 7.4, 7.8, look.shoe)
        canvas.ellipse(x + side * 2.8, y + 3.2, 4.4, 4.8, darker(look.shoe, 0.3), 0.0)
    else:
        canvas.blob(
            [
                (x - 6.6, y + 5.2),
                (x - 6.2, y - 0.4),
                (x, y - 1.6),
                (x + 6.2, y - 0.4),
                (x + 6.6 + (side > 0), y + 5.2),
                (x, y + 5.8),
            ],
            look.shoe,
        )


def arm_path(pose: str, side: int, holding: bool) -> list[Point]:
    """Shoulder, elbow, hand of one arm; the right-hand arm (1) does the holding."""
    shoulder = (side * SHOULDER[0], SHOULDER[1])
    if pose == "arms up" or (pose == "waving" and side < 0):
        elbow, hand = (23.0, 45.0), RAISED_HAND
    elif holding and side > 0:
        elbow, hand = (20.0, 60.0), HOLDING_HAND
    elif pose == "hands on hips":
        elbow, hand = (25.0, 56.5), (12.5, 62.5)
    else:
        elbow, hand = (16.5, 57.0), (20.0, 65.5)
    return [shoulder, (side * elbow[0], elbow[1]), (side * hand[0], hand[1])]


def paint_hand(canvas: Canvas, hand: Point, look: Look) -> None:
    """A round mitten."""
    canvas.ellipse(hand[0], hand[1], 4.2, 4.2, look.skin)
