"""Generated pictures labelled by eye.

``labels.json`` lies beside this file::

    {"picture": "labels.png",      contact sheet, cells row by row without gaps or captions
     "cell": [160, 160],           width and height of a cell in pixels
     "columns": 10,
     "labels": [{"hair_color": "blonde", "ears": "cat ears", ...}, ...]}

One label for each cell, in reading order, in the words of ``classes.HEADS`` (eyes that
are closed: "unknown", legs that are cut off: "hidden"). A field the eye cannot decide
is left out of that picture's label; it then counts neither way.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from .classes import HEADS

LABELS = Path(__file__).with_name("labels.json")


def load_labelled(path: Path = LABELS) -> tuple[list[Image.Image], list[dict[str, str]]]:
    """The labelled pictures and their labels.

    Raises:
        ValueError: a label uses a word that is not in ``classes.HEADS``.
    """
    about = json.loads(path.read_text(encoding="utf-8"))
    width, height = about["cell"]
    labels = about["labels"]
    for i, label in enumerate(labels):
        for field, value in label.items():
            if value not in HEADS.get(field, ()):
                raise ValueError(f"{path.name}, picture {i + 1}: {field}={value!r} is not one of {HEADS.get(field)}")
    with Image.open(path.with_name(about["picture"])) as sheet:
        sheet = sheet.convert("RGB")
        cells = [
            sheet.crop((x * width, y * height, (x + 1) * width, (y + 1) * height))
            for y, x in (divmod(i, about["columns"]) for i in range(len(labels)))
        ]
    return cells, labels


def contact_sheet(pictures: Sequence[Image.Image], columns: int = 10) -> Image.Image:
    """Pictures of one size, row by row, as ``labels.png`` wants them.

    Raises:
        ValueError: no pictures, or pictures of several sizes.
    """
    sizes = {p.size for p in pictures}
    if len(sizes) != 1:
        raise ValueError(f"pictures of one size are needed, found sizes {sorted(sizes)}")
    width, height = sizes.pop()
    sheet = Image.new("RGB", (columns * width, -(-len(pictures) // columns) * height))
    for i, picture in enumerate(pictures):
        y, x = divmod(i, columns)
        sheet.paste(picture.convert("RGB"), (x * width, y * height))
    return sheet
