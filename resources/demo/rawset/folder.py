"""Everything in the raw folder, file by file, and the edits that belong to it."""

from __future__ import annotations

from collections.abc import Iterator

from .encode import encode
from .paint import Box, paint
from .plan import REJECTED, STRAYS, plan
from .rejects import MAKERS, lone_tags, untagged_picture, video
from .tagtext import tag_file, tags_of

EDITS_HEAD = """\
# Decisions on single pictures of raw/shimakaze, made by looking at them. Screening, cleaning and tagging read them.
# For each file any of:
#   keep: true                       whatever screening says
#   drop: "why"                      the reason stands in work/screen/shimakaze.tsv
#   crop: [x0, y0, x1, y1]           left, top, right, bottom in pixels of the raw picture
#   paint: [[x0, y0, x1, y1]]        boxes painted over, such as bubbles and signatures: a LoRA learns to draw them
#   tags: {add: [hat], drop: [cat]}
# Boxes: open the raw picture in any viewer that shows the pixel under the mouse. Leave a few pixels around the thing.
# Tags that named the painted thing have to go as well, or the word is learned for nothing.

files:
"""


def files() -> Iterator[tuple[str, bytes]]:
    """(name, content) of each file in the raw folder."""
    for picture in plan():
        yield picture.name, encode(paint(picture).image, picture.suffix)
        yield f"{picture.position}.txt", tag_file(tags_of(picture), picture.position)
    for position, kind in REJECTED.items():
        suffix, content, tags = MAKERS[kind](position)
        yield f"{position}.{suffix}", content
        yield f"{position}.txt", tag_file(tags, position)
    for position, kind in STRAYS.items():
        if kind == "untagged picture":
            yield f"{position}.png", untagged_picture(position)
        elif kind == "video":
            yield f"{position}.mp4", video()
        else:
            yield f"{position}.txt", tag_file(lone_tags(position), position)


def paint_boxes() -> dict[str, tuple[Box, ...]]:
    """Boxes to paint over, by file name."""
    spoilt = [picture for picture in plan() if picture.repair in ("speech bubble", "signature")]
    return {picture.name: paint(picture).boxes for picture in spoilt}


def edits() -> str:
    """Text of config/edits/shimakaze.yaml."""
    repairs = {picture.name: picture.repair for picture in plan()}
    text = EDITS_HEAD
    for name, boxes in paint_boxes().items():
        tags = "speech bubble, translation request" if repairs[name] == "speech bubble" else "signature"
        text += f'  "{name}":  # a {repairs[name]}\n'
        text += f"    paint: {[list(box) for box in boxes]}\n"
        text += f"    tags: {{drop: [{tags}]}}\n"
    return text
