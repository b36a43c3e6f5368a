"""Pictures that a training set should not contain: bubbles, signatures, pages, pairs."""

from __future__ import annotations

import math
import random

from PIL import Image, ImageDraw

from . import scenes
from .attributes import Attributes
from .figure import fineness, paint_figure
from .layout import layout

PixelBox = tuple[int, int, int, int]
INK = (24, 22, 28)


def scribble(
    pen: ImageDraw.ImageDraw,
    box: tuple[float, float, float, float],
    lines: int,
    rng: random.Random,
    ink: tuple[int, int, int],
    width: int,
) -> None:
    """``lines`` rows of wavy handwriting inside ``box``."""
    x0, y0, x1, y1 = box
    step = (y1 - y0) / lines
    for row in range(lines):
        middle = y0 + step * (row + 0.5)
        x, end = x0, x1 - rng.uniform(0.0, 0.2) * (x1 - x0)
        while x < end:
            word = min(end, x + rng.uniform(0.2, 0.45) * (x1 - x0))
            count = max(3, round((word - x) / (step * 0.3)))
            pen.line(
                [
                    (x + (word - x) * k / count, middle + step * 0.3 * (1 if k % 2 else -1) * rng.uniform(0.4, 1.0))
                    for k in range(count + 1)
                ],
                fill=ink,
                width=width,
                joint="curve",
            )
            x = word + step * 0.45


def finer(image: Image.Image) -> tuple[Image.Image, int]:
    """``image`` enlarged for drawing on, and by how much."""
    fine = fineness(image.size)
    big = (image.width * fine, image.height * fine)
    return image.convert("RGB").resize(big, Image.Resampling.NEAREST), fine


def paint_speech_bubble(image: Image.Image, seed: int) -> tuple[Image.Image, PixelBox]:
    """A copy with a white bubble near an upper corner, and the bubble's box in pixels."""
    rng = random.Random(f"{seed} bubble")
    width, height = image.size
    unit = min(width, height)
    w, h = unit * rng.uniform(0.36, 0.46), unit * rng.uniform(0.22, 0.3)
    left = rng.random() < 0.5
    gap = unit * 0.03
    x0 = gap if left else width - gap - w
    y0 = gap + rng.uniform(0.0, 0.1) * height
    tip_x = x0 + w * (0.9 if left else 0.1)
    tip_y = y0 + h * 1.3
    big, fine = finer(image)
    pen = ImageDraw.Draw(big)
    line = max(2, round(unit * 0.012 * fine))
    oval = [fine * v for v in (x0, y0, x0 + w, y0 + h)]
    tail = [(fine * (x0 + w * k), fine * (y0 + h * 0.8)) for k in (0.4, 0.6)]
    tail.append((fine * tip_x, fine * tip_y))
    pen.ellipse(oval, fill=(255, 255, 255), outline=INK, width=line)
    pen.polygon(tail, fill=(255, 255, 255))
    pen.line([tail[0], tail[2], tail[1]], fill=INK, width=line, joint="curve")
    inner = (oval[0] + fine * w * 0.18, oval[1] + fine * h * 0.22, oval[2] - fine * w * 0.16, oval[3] - fine * h * 0.22)
    scribble(pen, inner, 3, rng, INK, max(1, line // 2 + 1))
    box = (math.floor(x0), math.floor(y0), math.ceil(x0 + w), math.ceil(tip_y + 1))
    return big.resize(image.size, Image.Resampling.BOX), box


def paint_signature(image: Image.Image, seed: int) -> tuple[Image.Image, PixelBox]:
    """A copy with a scribbled name in a lower corner, and the name's box in pixels."""
    rng = random.Random(f"{seed} signature")
    width, height = image.size
    unit = min(width, height)
    w, h = unit * rng.uniform(0.2, 0.28), unit * rng.uniform(0.07, 0.1)
    x0 = unit * 0.02 if rng.random() < 0.5 else width - unit * 0.02 - w
    y0 = height - unit * 0.02 - h
    big, fine = finer(image)
    pen = ImageDraw.Draw(big)
    line = max(2, round(unit * 0.011 * fine))
    under = image.convert("RGB").crop((round(x0), round(y0), round(x0 + w), round(y0 + h)))
    bright = sum(under.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))) > 330
    ink = (40, 36, 60) if bright else (244, 244, 250)
    scribble(pen, (fine * x0, fine * y0, fine * (x0 + w), fine * (y0 + h * 0.8)), 1, rng, ink, line)
    pen.line((fine * x0, fine * (y0 + h * 0.92), fine * (x0 + w), fine * (y0 + h * 0.85)), fill=ink, width=line)
    box = (math.floor(x0), math.floor(y0), math.ceil(x0 + w), math.ceil(y0 + h))
    return big.resize(image.size, Image.Resampling.BOX), box


def comic_page(images: list[Image.Image]) -> Image.Image:
    """One to six pictures as framed panels, two to a row, the size of the first each."""
    if not images:
        raise ValueError("a comic page needs at least one picture")
    width, height = images[0].size
    gap = max(4, min(width, height) // 16)
    columns = min(2, len(images))
    rows = -(-len(images) // columns)
    page = Image.new("RGB", (columns * (width + gap) + gap, rows * (height + gap) + gap), (255, 255, 255))
    pen = ImageDraw.Draw(page)
    for i, image in enumerate(images):
        x, y = gap + (i % columns) * (width + gap), gap + (i // columns) * (height + gap)
        page.paste(image.convert("RGB").resize((width, height)), (x, y))
        pen.rectangle((x - 1, y - 1, x + width, y + height), outline=INK, width=max(2, gap // 4))
    return page


def two_girls(a: Attributes, b: Attributes, size: tuple[int, int] = (128, 128), seed: int = 0) -> Image.Image:
    """``a`` on the left and ``b`` on the right, before the background of ``a``."""
    fine = fineness(size)
    big = (size[0] * fine, size[1] * fine)
    image = Image.new("RGB", big)
    pen = ImageDraw.Draw(image)
    ground = scenes.paint(pen, big, a.background, random.Random(f"{seed} scene"))
    half = (round(size[0] * 0.54), size[1])
    for attributes, offset, own in ((a, -0.02 * size[0], seed), (b, 0.48 * size[0], seed + 1)):
        plan = layout(attributes, half, own)
        paint_figure(pen, attributes, plan, fine, own, ground, offset)
    return image.resize(size, Image.Resampling.LANCZOS)
