"""What she holds in her right-hand side hand."""

from __future__ import annotations

import math
import random

from .attributes import Attributes
from .body import HOLDING_HAND, RAISED_HAND, paint_hand
from .canvas import Canvas, Point, smooth
from .headwear import bloom
from .palette import RGB, Look, darker, jitter, lighter

UMBRELLA = ((226, 66, 84), (72, 124, 220), (250, 206, 72), (246, 150, 190))
BALLOON = ((232, 52, 62), (60, 120, 232), (250, 206, 60), (255, 130, 176))
BOOK = ((178, 56, 58), (58, 92, 170), (66, 132, 84))
FLOWER = ((238, 64, 86), (255, 136, 182), (250, 250, 250))


def hand_of(attributes: Attributes) -> Point:
    """Where the holding hand is."""
    return RAISED_HAND if attributes.pose == "arms up" else HOLDING_HAND


def colour(prop: str, rng: random.Random) -> RGB:
    """A jittered colour for the prop."""
    choices = {"holding umbrella": UMBRELLA, "holding book": BOOK, "balloon": BALLOON}.get(prop, FLOWER)
    return jitter(rng.choice(choices), rng, 5)


def paint_back(canvas: Canvas, attributes: Attributes, fill: RGB) -> None:
    """The part behind the figure: an umbrella's canopy."""
    if attributes.prop != "holding umbrella":
        return
    x, top, low, half = 8.0, -17.0, 9.0, 40.0
    dome = [(x + half * math.cos(math.pi * t / 14), low - (low - top) * math.sin(math.pi * t / 14)) for t in range(15)]
    scallops: list[Point] = []
    for i in range(4):
        left = x - half + i * half / 2
        scallops += [(left + half / 2 * k / 4, low - 4.0 * math.sin(math.pi * k / 4)) for k in range(1, 5)]
    canvas.polygon([*dome, *scallops[:-1]], fill)
    for reach in (-0.5, 0.0, 0.5):
        canvas.curve([(x, top), (x + half * reach * 0.75, top + 9.0), (x + half * reach, low)], 1.4, darker(fill, 0.35))
    canvas.limb([(x, top - 2.4), (x, top)], 1.6, (250, 240, 220))


def paint_front(canvas: Canvas, attributes: Attributes, look: Look, fill: RGB) -> None:
    """The part in front of the figure, and the hand around it."""
    if attributes.prop == "none":
        return
    x, y = hand_of(attributes)
    raised = attributes.pose == "arms up"
    if attributes.prop == "holding umbrella":
        canvas.limb([(x, y + 7.0), (x, 7.0)], 2.0, (150, 108, 74))
        canvas.curve([(x, y + 7.0), (x - 1.6, y + 10.0), (x - 4.4, y + 8.4)], 2.0, (110, 74, 50))
    elif attributes.prop == "balloon":
        bx, by = (x + 4.6, y - 21.0) if raised else (x + 9.5, y - 39.0)
        canvas.curve([(x, y), (x + 1.0, (y + by) / 2 + 8.0), (bx, by + 12.0)], 1.3)
        canvas.polygon([(bx - 2.6, by + 14.4), (bx, by + 10.5), (bx + 2.6, by + 14.4)], fill)
        canvas.ellipse(bx, by, 10.6, 12.2, fill)
        canvas.ellipse(bx - 3.8, by - 4.6, 2.4, 3.4, lighter(fill, 0.65), 0.0)
    elif attributes.prop == "holding book":
        book(canvas, x, y - 5.0, fill)
    else:
        canvas.curve([(x, y + 6.0), (x + 1.0, y - 6.0), (x + 2.0, y - 14.0)], 2.2, (52, 130, 62))
        leaf = smooth([(x + 1.0, y - 5.0), (x + 6.0, y - 9.4), (x + 8.2, y - 5.4)], True, 4)
        canvas.polygon(leaf, (84, 170, 84), canvas.line * 0.7)
        bloom(canvas, x + 2.2, y - 15.5, 9.0, fill)
    paint_hand(canvas, (x, y), look)


def book(canvas: Canvas, x: float, y: float, fill: RGB) -> None:
    """An open book 24 units wide about (x, y)."""
    canvas.polygon(
        [
            (x - 12.4, y - 6.6),
            (x, y - 4.4),
            (x + 12.4, y - 6.6),
            (x + 12.4, y + 8.0),
            (x, y + 10.0),
            (x - 12.4, y + 8.0),
        ],
        fill,
    )
    for side in (-1, 1):
        canvas.polygon(
            [(x, y - 5.2), (x + side * 10.2, y - 8.0), (x + side * 10.2, y + 5.0), (x, y + 7.6)],
            (255, 252, 240),
            canvas.line * 0.8,
        )
        for row in (-2.6, 1.2):
            canvas.curve([(x + side * 3.0, y + row), (x + side * 8.0, y + row - 1.2)], 1.2, (176, 170, 176))
