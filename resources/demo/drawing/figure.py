"""The whole drawing, back to front."""

from __future__ import annotations

import random

from PIL import Image, ImageDraw

from . import body, clothes, ears, hair, head, headwear, props, scenes
from .attributes import Attributes
from .canvas import Affine, Canvas, compose
from .layout import Layout, layout
from .palette import RGB, darker, look


def fineness(size: tuple[int, int]) -> int:
    """How many times finer than the picture the canvas is."""
    # Edges of large pictures are smooth enough with fewer samples.
    return 3 if max(size) <= 256 else 2


def draw(
    attributes: Attributes,
    size: tuple[int, int] = (128, 128),
    seed: int = 0,
    transparent: bool = False,
) -> Image.Image:
    """The drawing of ``attributes`` in ``size`` pixels (64..1536 a side).

    RGB, or RGBA without background when ``transparent``.
    """
    fine = fineness(size)
    big = (size[0] * fine, size[1] * fine)
    mode = "RGBA" if transparent else "RGB"
    image = Image.new(mode, big)
    pen = ImageDraw.Draw(image)
    ground = None
    if not transparent:
        ground = scenes.paint(pen, big, attributes.background, random.Random(f"{seed} scene"))
    paint_figure(pen, attributes, layout(attributes, size, seed), fine, seed, ground)
    return image.resize(size, Image.Resampling.LANCZOS)


def paint_figure(
    pen: ImageDraw.ImageDraw,
    attributes: Attributes,
    plan: Layout,
    fine: int,
    seed: int,
    ground: RGB | None,
    offset: float = 0.0,
) -> None:
    """The figure alone; ``offset`` moves it right by final pixels.

    A ``ground`` colour gets her shadow; None leaves it out.
    """
    rng = random.Random(f"{seed} figure")
    colours = look(attributes, rng)
    scale: Affine = (fine, 0.0, fine * offset, 0.0, fine, 0.0)
    canvas = Canvas(pen, compose(scale, plan.body), plan.line, colours.line)
    top = canvas.turned(plan.head)
    prop = props.colour(attributes.prop, rng)
    if ground is not None and attributes.framing == "full body":
        half = 30.0 if attributes.pose == "sitting" else 20.0
        canvas.ellipse(0.0, 100.0, half, 3.2, darker(ground, 0.16), 0.0)
    props.paint_back(canvas, attributes, prop)
    hair.paint_back(top, attributes, colours, rng)
    ears.paint(top, attributes, colours)
    body.paint_legs(canvas, attributes, colours)
    clothes.paint_torso(canvas, attributes, colours)
    clothes.paint_arms(canvas, attributes, colours)
    head.paint(top, attributes, colours, rng)
    hair.paint_front(top, attributes, colours, rng)
    head.brows(top, attributes, colours)
    headwear.paint(top, attributes.headwear, attributes.hair_color)
    props.paint_front(canvas, attributes, colours, prop)
