"""The twelve pictures that screening has to turn away, and the stray files."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace

import drawing
from drawing import Attributes, caption_tags, draw
from PIL import Image, ImageChops, ImageFilter

from .encode import encode, encode_animation
from .paint import paint
from .plan import SEED, Picture, plan
from .tagtext import CHARACTER, COPYRIGHT, junk, tags_of

Files = tuple[str, bytes, list[str]]  # suffix, content, tags
HER = Attributes(**drawing.SHIMAKAZE)
WEB_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>503 - the site is busy</title></head>
<body><h1>503</h1><p>Too many requests. Try again in a minute.</p></body>
</html>
"""


def originals() -> list[Picture]:
    """Unspoilt near-square pictures, by position: the copies are made of them."""
    return [p for p in plan() if not p.repair and p.size in ((448, 448), (480, 448), (512, 480))]


def tagged(position: int, shown: list[str]) -> list[str]:
    """Her name and some junk around the tags of what is shown."""
    return [CHARACTER, COPYRIGHT, *shown, *junk(position)]


def two_girls(position: int) -> Files:
    """Her beside somebody else."""
    a = replace(HER, background="city", pose="waving")
    b = drawing.random_attributes(random.Random(SEED + 1))
    b = replace(b, framing="full body", background=a.background)
    shown = [tag for tag in dict.fromkeys(caption_tags(a) + caption_tags(b)) if tag not in ("1girl", "solo")]
    return (
        "jpg",
        encode(drawing.two_girls(a, b, (600, 448), SEED + position), "jpg"),
        tagged(position, ["2girls", *shown]),
    )


def comic_page(position: int) -> Files:
    """Four panels with a bubble in some."""
    scenes = (("classroom", "smile"), ("classroom", "open mouth"), ("city", "frown"), ("city", "closed eyes"))
    panels = []
    for i, (background, expression) in enumerate(scenes):
        a = replace(HER, background=background, expression=expression, framing="upper body" if i % 2 else "full body")
        panel = draw(a, (260, 280), SEED + position + i)
        panels.append(drawing.paint_speech_bubble(panel, i)[0] if i % 2 else panel)
    shown = ["1girl", "comic", "speech bubble", "blonde hair", "long hair", "rabbit ears", "serafuku", "chibi"]
    return (
        "png",
        encode(drawing.comic_page(panels).quantize(128, dither=Image.Dither.NONE), "png"),
        tagged(position, shown),
    )


def truncated(position: int) -> Files:
    """A download that broke off."""
    a = replace(HER, background="beach", pose="arms up")
    content = encode(draw(a, (480, 448), SEED + position), "jpg")
    return "jpg", content[: len(content) * 3 // 5], tagged(position, caption_tags(a))


def smaller_copy(position: int) -> Files:
    """One that stays, at 0.7 of its size."""
    source = originals()[3]
    image = paint(source).image
    small = image.resize((round(image.width * 0.7), round(image.height * 0.7)), Image.Resampling.LANCZOS)
    return "jpg", encode(small, "jpg", 80), tags_of(replace(source, position=position))


def recompressed_copy(position: int) -> Files:
    """One that stays, a little smaller, in another format and poor quality."""
    source = originals()[8]
    image = paint(source).image
    small = image.resize((round(image.width * 0.85), round(image.height * 0.85)), Image.Resampling.BICUBIC)
    return "webp", encode(small, "webp", 40), tags_of(replace(source, position=position))


def same_file(position: int) -> Files:
    """One that stays once more, byte for byte, from another site."""
    source = originals()[0]
    return source.suffix, encode(paint(source).image, source.suffix), tags_of(replace(source, position=position))


def multiple_views(position: int) -> Files:
    """Her twice on one sheet."""
    a = replace(HER, pose="hands on hips")
    b = replace(a, framing="upper body", expression="frown", pose="standing")
    image = drawing.two_girls(a, b, (600, 420), SEED + position)
    return "jpg", encode(image, "jpg"), tagged(position, ["multiple views", *caption_tags(a), "frown"])


def greyscale(position: int) -> Files:
    """A drawing without colour."""
    a = replace(HER, background="forest", expression="blush")
    hidden = ("blonde hair", "green eyes")
    shown = ["monochrome", "greyscale", *(tag for tag in caption_tags(a) if tag not in hidden)]
    return "png", encode(draw(a, (448, 448), SEED + position).convert("L"), "png"), tagged(position, shown)


def sketch(position: int) -> Files:
    """Pencil on paper: dark where the drawing has edges."""
    a = replace(HER, pose="sitting")
    grey = draw(a, (448, 480), SEED + position).convert("L")
    edges = ImageChops.difference(grey.filter(ImageFilter.MaxFilter(3)), grey.filter(ImageFilter.MinFilter(3)))
    strokes = edges.point(lambda v: min(255, v * 3 // 2)).filter(ImageFilter.GaussianBlur(0.6))
    paper = Image.new("RGB", grey.size, (246, 242, 232))
    paper.paste((92, 88, 96), mask=strokes)
    shown = ["sketch", *(tag for tag in caption_tags(a) if tag not in ("blonde hair", "green eyes"))]
    return "jpg", encode(paper, "jpg", 80), tagged(position, shown)


def web_page(position: int) -> Files:
    """What a busy site answers instead of a picture."""
    a = replace(HER, background="snow", clothes="pink hoodie")
    return "jpg", WEB_PAGE.encode(), tagged(position, caption_tags(a))


def small(position: int) -> Files:
    """A thumbnail."""
    a = replace(HER, background="blue background", prop="balloon")
    return "jpg", encode(draw(a, (210, 220), SEED + position), "jpg"), tagged(position, ["lowres", *caption_tags(a)])


def animation(position: int) -> Files:
    """She waves: four frames."""
    a = replace(HER, background="pink background")
    frames = [draw(replace(a, pose=pose), (300, 300), SEED + position) for pose in ("standing", "waving") * 2]
    return "gif", encode_animation(frames, 300), tagged(position, ["animated", "animated gif", *caption_tags(a)])


MAKERS: dict[str, Callable[[int], Files]] = {
    "two girls": two_girls,
    "comic page": comic_page,
    "truncated": truncated,
    "smaller copy": smaller_copy,
    "multiple views": multiple_views,
    "greyscale": greyscale,
    "web page": web_page,
    "recompressed copy": recompressed_copy,
    "animation": animation,
    "small": small,
    "sketch": sketch,
    "same file": same_file,
}


def untagged_picture(position: int) -> bytes:
    """A PNG whose tag file is missing."""
    a = replace(HER, background="night sky", prop="holding umbrella")
    return encode(draw(a, (448, 448), SEED + position), "png")


def lone_tags(position: int) -> list[str]:
    """Tags of a picture that was deleted."""
    return tagged(position, caption_tags(replace(HER, background="beach", prop="holding flower")))


def video() -> bytes:
    """The boxes of an MP4 file around noise: enough to be taken for a video, nothing to be played."""
    noise = bytes(round(127.5 + 127.5 * math.sin(i * 0.7)) for i in range(1500))

    def box(kind: bytes, content: bytes) -> bytes:
        return (len(content) + 8).to_bytes(4, "big") + kind + content

    return box(b"ftyp", b"isom\0\0\2\0isomiso2avc1mp41") + box(b"free", b"") + box(b"mdat", noise)
