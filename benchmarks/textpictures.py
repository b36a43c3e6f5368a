"""Drawn pictures with planted bubbles, signatures and captions in many fonts and places, and where each lies.

The drawings come from the demo's program; equal seeds and fonts give equal pictures.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "resources" / "demo"))

from drawing import draw, random_attributes  # noqa: E402

SIZES = ((512, 768), (640, 640), (768, 512), (600, 900), (832, 1216), (1000, 1000), (700, 560))
SAID = (
    "Hello there!", "Where are you going, so early in the morning?", "I can't believe it...", "Wait for me!",
    "NO WAY!!", "Good night, commander.", "Is this the right island?", "Tea time", "What?", "See you tomorrow, then!",
    "It's raining again...", "Look at this one!", "Shh, be quiet", "Let's go to the sea", "Hmm",
    "Thank you for waiting",
)  # fmt: skip
SAID_JAPANESE = ("おはよう", "ありがとう", "またあした", "どこへいくの", "うみへいこう", "まってください", "おやすみ")
SIGNED = (
    "Mirabel", "@kuro_draws", "ArtByLena", "tomo 2021", "www.example.com", "pixelfox", "S. Hayashi", "inkandtea",
    "@hoshi_2020", "Marlow '19", "nekosketch", "Copyright Aoi", "patreon.example/ume", "Wren", "Yuki-pen",
)  # fmt: skip
CAPTIONS = ("HAPPY NEW YEAR", "Summer 2022", "Chapter 3", "GAME OVER", "LOADING 48%", "To be continued", "SCORE 12500")
# families that a mixed set of bubbles and signatures is written in, by the beginnings of their file names
LETTERING = (
    "AmaticSC", "Caladea", "FredokaOne", "Intuitive", "Roboto-", "SourceSerifPro-", "HankenGrotesk-", "Humor-Sans",
    "dkg", "Isabella", "breip", "femkeklaver", "TomsonTalks", "ComicNeue", "DancingScript", "DejaVuSans.",
    "DejaVuSans-Bold.", "DejaVuSerif", "DejaVuSansCondensed", "kiloji", "VL-PGothic",
)  # fmt: skip
JAPANESE = ("kiloji", "VL-PGothic")

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Planted:
    """One thing that does not belong: `kind` bubble, signature or caption; its letters' and its whole box in pixels."""

    kind: str
    letters: Box
    whole: Box


@dataclass(frozen=True)
class Sample:
    """A picture, what was planted in it, and the same picture without it."""

    image: Image.Image
    planted: tuple[Planted, ...]
    clean: Image.Image


def find_fonts(folders: Sequence[Path]) -> list[Path]:
    """Font files of LETTERING below `folders`, by name; each name once."""
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in (".ttf", ".otf") and path.name.startswith(LETTERING):
                found.setdefault(path.stem, path)
    return [found[name] for name in sorted(found)]


def clean_picture(seed: int) -> Image.Image:
    """A drawing with nothing planted."""
    rng = random.Random(f"{seed} size")
    return draw(random_attributes(random.Random(f"{seed} girl")), rng.choice(SIZES), seed)


def make_sample(seed: int, fonts: Sequence[Path]) -> Sample:
    """A drawing with one or two planted things."""
    rng = random.Random(f"{seed} planted")
    clean = clean_picture(seed)
    image, planted = clean.copy(), []
    kinds = rng.choice((["bubble"], ["signature"], ["bubble", "signature"], ["caption"], ["bubble", "bubble"]))
    for kind in kinds:
        plant = {"bubble": _bubble, "signature": _signature, "caption": _caption}[kind]
        for _ in range(40):
            made = plant(image.copy(), rng, fonts)
            if made and not any(_meet(made[1].whole, other.whole) for other in planted):
                image, thing = made
                planted.append(thing)
                break
    return Sample(image, tuple(planted), clean)


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _font(rng: random.Random, fonts: Sequence[Path], size: float, japanese: bool) -> ImageFont.FreeTypeFont:
    usable = [path for path in fonts if path.name.startswith(JAPANESE) or not japanese]
    return ImageFont.truetype(str(rng.choice(usable)), max(9, round(size)))


def _text_block(rng: random.Random, fonts: Sequence[Path], unit: float) -> Image.Image:
    """Letters as a mask (mode L), cut to their ink: a few lines, or a column of Japanese."""
    japanese = rng.random() < 0.2 and any(path.name.startswith(JAPANESE) for path in fonts)
    font = _font(rng, fonts, unit * rng.uniform(0.035, 0.07), japanese)
    if japanese:
        text = rng.choice(SAID_JAPANESE)
        text = "\n".join(text) if rng.random() < 0.5 else text
    else:
        lines, room = [""], rng.randrange(8, 18)
        for word in rng.choice(SAID).split():
            if len(lines[-1]) + len(word) > room and lines[-1]:
                lines.append("")
            lines[-1] = f"{lines[-1]} {word}".strip()
        text = "\n".join(lines)
    return _letters(text, font, align="center")


def _letters(text: str, font: ImageFont.FreeTypeFont, angle: float = 0.0, **layout: object) -> Image.Image:
    probe = ImageDraw.Draw(Image.new("L", (1, 1)))
    box = probe.multiline_textbbox((0, 0), text, font, **layout)
    mask = Image.new("L", (math.ceil(box[2] - box[0]) + 8, math.ceil(box[3] - box[1]) + 8))
    ImageDraw.Draw(mask).multiline_text((4 - box[0], 4 - box[1]), text, 255, font, **layout)
    mask = mask.rotate(angle, Image.Resampling.BICUBIC, expand=True) if angle else mask
    return mask.crop(mask.getbbox())


def _bubble(image: Image.Image, rng: random.Random, fonts: Sequence[Path]) -> tuple[Image.Image, Planted] | None:
    """An oval, rounded box, cloud or burst with text, with or without outline and tail, anywhere in the picture."""
    unit = min(image.size)
    letters = _text_block(rng, fonts, unit)
    shape = rng.choice(("oval", "oval", "box", "cloud", "burst"))
    spare = {"oval": 1.5, "box": 1.25, "cloud": 1.45, "burst": 1.7}[shape]
    w, h = letters.width * spare + unit * 0.02, letters.height * spare + unit * 0.03
    if w > image.width * 0.6 or h > image.height * 0.5 or w * h > 0.16 * image.width * image.height:
        return None
    edge = unit * 0.01
    x = rng.uniform(edge, image.width - w - edge)
    y = rng.uniform(edge, image.height - h - edge) * rng.choice((0.3, 1.0))
    fine = 3
    mask = Image.new("L", (image.width * fine, image.height * fine))
    pen = ImageDraw.Draw(mask)
    box = [fine * v for v in (x, y, x + w, y + h)]
    _outline(pen, shape, box, rng)
    if rng.random() < 0.7:
        middle, reach = x + w / 2, h * rng.uniform(0.65, 0.85)
        tip = (middle + rng.uniform(-0.6, 0.6) * w, y + h / 2 + reach)
        pen.polygon([fine * v for v in (middle - w * 0.1, y + h * 0.7, middle + w * 0.1, y + h * 0.7, *tip)], fill=255)
    inside = mask.resize(image.size, Image.Resampling.BOX)
    paper = rng.choice(((255, 255, 255), (255, 255, 255), (255, 250, 235), (236, 244, 255)))
    ink = rng.choice(((20, 18, 24), (20, 18, 24), (60, 40, 90), (150, 30, 40)))
    line = rng.choice((0.0, 0.003, 0.005, 0.008)) * unit
    if line:
        rim = _grow(mask, max(1, round(line * fine)))
        image.paste(ink, mask=rim.resize(image.size, Image.Resampling.BOX))
        inside_box = rim.getbbox()
    else:
        inside_box = mask.getbbox()
    image.paste(paper, mask=inside)
    at = (round(x + w / 2 - letters.width / 2), round(y + h / 2 - letters.height / 2))
    image.paste(ink, at, letters)
    whole = tuple(round(v / fine) for v in inside_box)
    return image, Planted("bubble", (*at, at[0] + letters.width, at[1] + letters.height), whole)


def _grow(mask: Image.Image, reach: int) -> Image.Image:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return Image.fromarray(cv2.dilate(np.asarray(mask), kernel))


def _outline(pen: ImageDraw.ImageDraw, shape: str, box: Sequence[float], rng: random.Random) -> None:
    x0, y0, x1, y1 = box
    cx, cy, rx, ry = (x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2, (y1 - y0) / 2
    if shape == "oval":
        pen.ellipse(box, fill=255)
    elif shape == "box":
        pen.rounded_rectangle(box, min(rx, ry) * rng.uniform(0.1, 0.5), fill=255)
    elif shape == "cloud":
        pen.ellipse((cx - rx * 0.9, cy - ry * 0.9, cx + rx * 0.9, cy + ry * 0.9), fill=255)
        for k in range(12):
            a = 2 * math.pi * k / 12
            px, py, r = cx + rx * 0.78 * math.cos(a), cy + ry * 0.78 * math.sin(a), min(rx, ry) * 0.3
            pen.ellipse((px - r, py - r, px + r, py + r), fill=255)
    else:
        points = []
        for k in range(28):
            a, reach = 2 * math.pi * k / 28, 1.0 if k % 2 else rng.uniform(0.7, 0.82)
            points.append((cx + rx * reach * math.cos(a), cy + ry * reach * math.sin(a)))
        pen.polygon(points, fill=255)


def _signature(image: Image.Image, rng: random.Random, fonts: Sequence[Path]) -> tuple[Image.Image, Planted] | None:
    """A name or address near a corner or an edge, in one colour, sometimes askew or outlined."""
    unit = min(image.size)
    font = _font(rng, fonts, unit * rng.uniform(0.045, 0.08), False)
    letters = _letters(rng.choice(SIGNED), font, rng.choice((0.0, 0.0, 0.0, rng.uniform(-14, 14))))
    if letters.width * letters.height < 0.004 * image.width * image.height or letters.width > image.width * 0.6:
        return None
    gap = unit * rng.uniform(0.015, 0.07)
    x = rng.choice((gap, image.width - gap - letters.width, rng.uniform(gap, image.width - gap - letters.width)))
    y = rng.choice((gap, image.height - gap - letters.height, image.height - gap - letters.height))
    return _written(image, rng, letters, (round(x), round(y)), "signature")


def _caption(image: Image.Image, rng: random.Random, fonts: Sequence[Path]) -> tuple[Image.Image, Planted] | None:
    """A line of large letters in the upper or lower fifth."""
    unit = min(image.size)
    letters = _letters(rng.choice(CAPTIONS), _font(rng, fonts, unit * rng.uniform(0.06, 0.1), False))
    if letters.width > image.width * 0.85 or letters.width * letters.height > 0.1 * image.width * image.height:
        return None
    x = rng.uniform(0.03 * unit, image.width - letters.width - 0.03 * unit)
    y = rng.choice((rng.uniform(0.02, 0.14), rng.uniform(0.84, 0.96))) * image.height
    y = min(y, image.height - letters.height - 0.02 * unit)
    return _written(image, rng, letters, (round(x), round(y)), "caption")


def _written(
    image: Image.Image, rng: random.Random, letters: Image.Image, at: tuple[int, int], kind: str
) -> tuple[Image.Image, Planted] | None:
    box = (*at, at[0] + letters.width, at[1] + letters.height)
    if box[0] < 0 or box[1] < 0 or box[2] > image.width or box[3] > image.height:
        return None
    under = image.crop(box).resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    dark = ((30, 26, 50), (20, 60, 40), (120, 20, 30), (40, 40, 40))
    light = ((250, 250, 250), (255, 240, 200), (230, 240, 255))
    ink = rng.choice(dark if sum(under) > 330 else light)
    if rng.random() < 0.25:
        rim = Image.new("L", image.size)
        rim.paste(letters, at)
        image.paste(tuple(255 - v for v in ink), mask=_grow(rim, max(1, round(min(image.size) * 0.003))))
    image.paste(ink, at, letters)
    return image, Planted(kind, box, box)


def changed_mask(sample: Sample) -> Image.Image:
    """Which pixels the planted things changed, mode L, 0 or 255."""
    difference = ImageChops.difference(sample.image, sample.clean).convert("L")
    return difference.point(lambda value: 255 if value > 12 else 0)
