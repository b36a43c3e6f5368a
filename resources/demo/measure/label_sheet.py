"""Pictures enlarged, numbered, with what was read beside each: for labelling by eye.

    python -m measure.label_sheet PICTURES... --out sheet.png [--blank] [--labels labels.json]

With --labels the pictures are also packed into the contact sheet beside that file, and the
readings written into it as a first draft: look at every picture and correct its label.
--blank leaves the readings out, for labelling unswayed by them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from .classes import FIELDS
from .labelled import contact_sheet
from .reading import Reading, read_many

ENLARGED = 288  # height of a picture on the sheet in pixels
TEXT = 190  # width of the words beside it
GAP = 8


def lines(reading: Reading) -> list[str]:
    """The reading in words; doubtful ones carry a question mark, signature details a star."""
    out = []
    for field in FIELDS:
        doubt = "?" if reading.certainty.get(field, 1.0) < 0.6 else ""
        star = " *" if reading.signature.get(field) else ""
        out.append(f"{field}: {getattr(reading, field)}{doubt}{star}")
    return out


def sheet(pictures: Sequence[Image.Image], readings: Sequence[Reading] | None, columns: int = 4) -> Image.Image:
    """The labelling sheet; without ``readings`` the words stay away."""
    font, large = ImageFont.load_default(13), ImageFont.load_default(22)
    shown = [
        p.convert("RGB").resize((round(p.width * ENLARGED / p.height), ENLARGED), Image.Resampling.LANCZOS)
        for p in pictures
    ]
    wide = max(p.width for p in shown) + TEXT + 2 * GAP
    high = ENLARGED + GAP
    out = Image.new("RGB", (wide * columns, high * -(-len(shown) // columns)), (250, 250, 250))
    pen = ImageDraw.Draw(out)
    for i, picture in enumerate(shown):
        y, x = divmod(i, columns)
        out.paste(picture, (x * wide, y * high))
        left = x * wide + picture.width + GAP
        pen.text((left, y * high), str(i + 1), fill=(200, 0, 60), font=large)
        for k, line in enumerate(lines(readings[i]) if readings else []):
            pen.text((left, y * high + 34 + 20 * k), line, fill=(20, 20, 20), font=font)
    return out


def draft(readings: Sequence[Reading], size: tuple[int, int], name: str, columns: int = 10) -> dict[str, object]:
    """The content of a labels.json with the readings as labels, to be corrected by eye."""
    return {
        "picture": name,
        "cell": list(size),
        "columns": columns,
        "labels": [{field: getattr(r, field) for field in FIELDS} for r in readings],
    }


def main() -> None:
    """Write the sheet, and the draft labels where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--columns", type=int, default=4)
    parser.add_argument("--blank", action="store_true")
    parser.add_argument("--labels", type=Path)
    options = parser.parse_args()
    pictures = [Image.open(path).convert("RGB") for path in options.pictures]
    readings = read_many(pictures)
    sheet(pictures, None if options.blank else readings, options.columns).save(options.out)
    print(f"{options.out}: {len(pictures)} pictures")
    if options.labels:
        packed = options.labels.with_suffix(".png")
        contact_sheet(pictures).save(packed, optimize=True)
        content = draft(readings, pictures[0].size, packed.name)
        text = json.dumps(content, indent=1).replace('\n   "', ' "').replace("\n  }", " }")
        options.labels.write_text(text + "\n", encoding="utf-8")
        print(f"{options.labels}: draft labels, to be corrected by eye")


if __name__ == "__main__":
    main()
