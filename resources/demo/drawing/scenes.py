"""Backgrounds: plain colours and six simple places."""

from __future__ import annotations

import math
import random

from PIL import ImageDraw

from .palette import PALETTE, RGB, darker, jitter, lighter

Pen = ImageDraw.ImageDraw


def paint(pen: Pen, size: tuple[int, int], background: str, rng: random.Random) -> RGB:
    """Fills the picture (``size`` in pixels); returns the colour of the ground."""
    width, height = size
    plain = PALETTE["background"].get(background)
    if plain is not None:
        fill = plain if background == "white background" else jitter(plain, rng, 5)
        pen.rectangle((0, 0, width, height), fill=fill)
        return fill
    scene = {
        "beach": beach,
        "night sky": night_sky,
        "forest": forest,
        "city": city,
        "classroom": classroom,
        "snow": snow,
    }[background]
    return scene(pen, float(width), float(height), rng)


def rows(pen: Pen, width: float, height: float, *bands: tuple[float, RGB]) -> None:
    """Level bands from the top; each is (share of the height where it ends, colour)."""
    start = 0.0
    for end, fill in bands:
        pen.rectangle((0, start * height, width, end * height), fill=fill)
        start = end


def disc(pen: Pen, x: float, y: float, r: float, fill: RGB, flat: float = 1.0) -> None:
    """A filled circle, or an ellipse ``flat`` times as high."""
    pen.ellipse((x - r, y - r * flat, x + r, y + r * flat), fill=fill)


def cloud(pen: Pen, x: float, y: float, r: float, fill: RGB) -> None:
    """Three puffs on a flat base, about ``4 * r`` wide."""
    disc(pen, x - r, y, r * 0.8, fill)
    disc(pen, x, y - r * 0.4, r, fill)
    disc(pen, x + r, y, r * 0.8, fill)


def beach(pen: Pen, width: float, height: float, rng: random.Random) -> RGB:
    """Sky, sea and sand."""
    sea = rng.uniform(0.42, 0.5)
    sand = rng.uniform(0.66, 0.74)
    ground = jitter((246, 220, 160), rng)
    rows(pen, width, height, (sea, (158, 214, 252)), (sand, (46, 136, 220)), (1.0, ground))
    side = rng.choice((0.16, 0.84))
    unit = min(width, height)
    disc(pen, side * width, 0.14 * height, unit * 0.09, (255, 244, 176))
    for x in (0.3, 0.75):
        cloud(
            pen, (x + rng.uniform(-0.15, 0.15)) * width, rng.uniform(0.2, 0.32) * height, unit * 0.055, (255, 255, 255)
        )
    foam = [(width * k / 12, height * (sand + 0.012 * math.sin(k * 1.7))) for k in range(13)]
    pen.line(foam, fill=(250, 252, 255), width=round(unit * 0.03))
    return ground


def night_sky(pen: Pen, width: float, height: float, rng: random.Random) -> RGB:
    """Dark blue with a moon and large stars over a dark hill."""
    low = rng.uniform(0.8, 0.88)
    ground = (38, 46, 82)
    rows(pen, width, height, (0.45, (24, 28, 74)), (1.0, (42, 48, 112)))
    unit = min(width, height)
    for i in range(16):
        x, y = (i % 4 + rng.random()) / 4 * width, (i // 4 + rng.random()) / 4 * low * height
        r = unit * rng.uniform(0.011, 0.018)
        pen.polygon([(x, y - 2 * r), (x + r * 0.7, y), (x, y + 2 * r), (x - r * 0.7, y)], fill=(255, 246, 190))
        pen.polygon([(x - 2 * r, y), (x, y + r * 0.7), (x + 2 * r, y), (x, y - r * 0.7)], fill=(255, 246, 190))
    x, y, r = rng.choice((0.14, 0.86)) * width, 0.16 * height, unit * 0.1
    disc(pen, x, y, r, (255, 242, 178))
    disc(pen, x + r * 0.5, y - r * 0.25, r * 0.82, (24, 28, 74))
    disc(
        pen,
        width / 2,
        height * (low + 1.2),
        max(width * 0.9, height * 1.2),
        ground,
        height * 1.2 / max(width * 0.9, height * 1.2),
    )
    return ground


def forest(pen: Pen, width: float, height: float, rng: random.Random) -> RGB:
    """Trunks and round crowns over a meadow."""
    low = rng.uniform(0.68, 0.76)
    ground = jitter((124, 182, 86), rng)
    rows(pen, width, height, (low, (206, 236, 214)), (1.0, ground))
    unit = min(width, height)
    count = max(4, round(4 * width / height))
    for i in range(count):
        x = (i + 0.5 + rng.uniform(-0.25, 0.25)) / count * width
        trunk = unit * rng.uniform(0.03, 0.045)
        pen.rectangle((x - trunk, 0.3 * height, x + trunk, (low + 0.02) * height), fill=(126, 88, 60))
    for i in range(count + 1):
        x = i / count * width + rng.uniform(-0.05, 0.05) * unit
        disc(
            pen,
            x,
            rng.uniform(0.06, 0.2) * height,
            unit * rng.uniform(0.2, 0.27),
            jitter((62, 132, 70) if i % 2 else (84, 156, 80), rng),
        )
    return ground


def city(pen: Pen, width: float, height: float, rng: random.Random) -> RGB:
    """Blocks with lit windows along a street."""
    low = rng.uniform(0.74, 0.82)
    ground = jitter((150, 150, 158), rng, 5)
    rows(pen, width, height, (low, (190, 224, 248)), (1.0, ground))
    unit = min(width, height)
    x = -rng.uniform(0.0, 0.15) * unit
    walls = [(132, 144, 172), (166, 150, 158), (112, 126, 152), (176, 170, 160)]
    i = rng.randrange(4)
    while x < width:
        wide, top = unit * rng.uniform(0.2, 0.3), height * rng.uniform(0.12, 0.45)
        wall = walls[i % 4]
        pen.rectangle((x, top, x + wide, low * height), fill=wall)
        pane, y = wide * 0.22, top + unit * 0.06
        while y < low * height - unit * 0.08:
            for k in (0.18, 0.6):
                pen.rectangle(
                    (x + wide * k, y, x + wide * k + pane, y + unit * 0.055),
                    fill=(255, 240, 176) if rng.random() < 0.6 else darker(wall, 0.3),
                )
            y += unit * 0.12
        x, i = x + wide, i + 1
    pen.rectangle((0, low * height, width, (low + 0.025) * height), fill=lighter(ground, 0.5))
    return ground


def classroom(pen: Pen, width: float, height: float, rng: random.Random) -> RGB:
    """A blackboard, a window and a wooden floor."""
    low = rng.uniform(0.72, 0.8)
    ground = jitter((204, 156, 106), rng)
    rows(pen, width, height, (low - 0.04, (250, 240, 218)), (low, (150, 108, 74)), (1.0, ground))
    for k in range(1, 4):
        pen.line(
            (0, (low + (1 - low) * k / 4) * height, width, (low + (1 - low) * k / 4) * height),
            fill=darker(ground, 0.18),
            width=max(1, round(height * 0.01)),
        )
    flip = rng.random() < 0.5

    def box(x0: float, y0: float, x1: float, y1: float, fill: RGB) -> None:
        if flip:
            x0, x1 = 1 - x1, 1 - x0
        pen.rectangle((x0 * width, y0 * height, x1 * width, y1 * height), fill=fill)

    box(0.04, 0.12, 0.66, 0.56, (150, 104, 66))
    box(0.065, 0.15, 0.635, 0.53, (44, 98, 78))
    for y in (0.24, 0.34):
        box(0.1, y, 0.28, y + 0.018, (226, 236, 228))
    box(0.74, 0.1, 0.97, 0.5, (255, 255, 255))
    box(0.76, 0.125, 0.95, 0.475, (160, 214, 250))
    box(0.845, 0.125, 0.865, 0.475, (255, 255, 255))
    return ground


def snow(pen: Pen, width: float, height: float, rng: random.Random) -> RGB:
    """A pale sky with large flakes, fir trees and white hills."""
    low = rng.uniform(0.66, 0.74)
    ground = (240, 246, 254)
    rows(pen, width, height, (low + 0.1, (168, 196, 226)), (1.0, ground))
    unit = min(width, height)
    for i in range(max(3, round(4 * width / height))):
        x, y = (i + rng.random()) * 0.28 * unit, low * height
        tall, half = unit * rng.uniform(0.28, 0.4), unit * 0.1
        for k in range(2):
            top = y - tall + k * tall * 0.35
            pen.polygon([(x, top), (x + half, top + tall * 0.6), (x - half, top + tall * 0.6)], fill=(88, 130, 128))
            pen.polygon([(x, top), (x + half * 0.5, top + tall * 0.3), (x - half * 0.5, top + tall * 0.3)], fill=ground)
    for x in (0.2, 0.8):
        disc(pen, x * width, (low + 0.14) * height, width * 0.45, ground, 0.16 * height / (0.45 * width))
    for i in range(18):
        disc(
            pen,
            (i % 6 + rng.random()) / 6 * width,
            (i // 6 + rng.random()) / 3 * height,
            unit * rng.uniform(0.011, 0.018),
            (255, 255, 255),
        )
    return ground
