"""The pixels of the pictures that stay, and the boxes of what has to be painted over in them."""

from __future__ import annotations

from dataclasses import dataclass

from drawing import draw, geometry, paint_signature, paint_speech_bubble
from PIL import Image

from .plan import Picture

Box = tuple[int, int, int, int]
MARGIN = 4  # pixels around a box: JPEG carries dark lines that far
TRIES = 200


@dataclass(frozen=True)
class Painted:
    """A picture and the boxes (left, top, right, bottom; pixels) to paint over."""

    image: Image.Image
    boxes: tuple[Box, ...] = ()


def paint(picture: Picture) -> Painted:
    """The picture as it was "downloaded"."""
    if picture.repair.startswith("transparent"):
        image = draw(picture.attributes, picture.size, picture.seed, transparent=True)
        if picture.repair == "transparent palette":
            image = image.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        return Painted(image)
    if picture.repair in ("wide", "tall"):
        return Painted(with_empty_canvas(picture))
    image = draw(picture.attributes, picture.size, picture.seed)
    if picture.repair:
        return defaced(picture, image)
    return Painted(image)


def with_empty_canvas(picture: Picture) -> Image.Image:
    """Her at the left end (wide) or the lower end (tall) of a long strip of plain background."""
    width, height = picture.size
    part = (round(height * 1.15), height) if picture.repair == "wide" else (width, round(width * 1.35))
    drawn = draw(picture.attributes, part, picture.seed)
    strip = Image.new("RGB", picture.size, drawn.getpixel((part[0] - 1, 0)))
    strip.paste(drawn, (round(part[0] * 0.2) if picture.repair == "wide" else 0, height - part[1]))
    return strip


def defaced(picture: Picture, image: Image.Image) -> Painted:
    """With a bubble or a signature that leaves her free.

    Raises:
        ValueError: no place for it beside her.
    """
    pen = paint_speech_bubble if picture.repair == "speech bubble" else paint_signature
    parts = [box for box in geometry(picture.attributes, picture.size, picture.seed).values() if box]
    for seed in range(picture.seed, picture.seed + TRIES):
        result, (x0, y0, x1, y1) = pen(image, seed)
        width, height = image.size
        box = (max(0, x0 - MARGIN), max(0, y0 - MARGIN), min(width, x1 + MARGIN), min(height, y1 + MARGIN))
        if not any(box[0] < part[2] and part[0] < box[2] and box[1] < part[3] and part[1] < box[3] for part in parts):
            return Painted(result, (box,))
    raise ValueError(f"{picture.name}: no place for a {picture.repair}")
