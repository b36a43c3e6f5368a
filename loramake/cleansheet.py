"""Every changed picture before and after its repairs, on one sheet to look through."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from loramake import lettering
from loramake.edits import Box
from loramake.files import atomic_path
from loramake.repairs import Repaired

PANEL = (210, 236)  # px of one picture, before or after
_GAP, _TEXT, _LINES = 8, 13, 3
_PAPER, _CARD, _INK, _FAINT, _PAINTED, _CUT = "#eef0f3", "#ffffff", "#1b1f27", "#697282", "#e5342b", "#1769e0"
_MOST = 180  # pairs; taller sheets are slow to open, and the dataset report shows all


@dataclass(frozen=True)
class Pair:
    """One changed picture: its raw name, what was done in words, and the file that `draw_pair` made."""

    title: str
    texts: Sequence[str]
    file: Path


def draw_pair(done: Repaired) -> Image.Image:
    """The picture before, with painted areas in red and the kept part in blue, and beside it after. Mode RGB."""
    canvas = Image.new("RGB", (2 * PANEL[0] + _GAP, PANEL[1]), _CARD)
    before, scale = _fit(_on_squares(done.before))
    pen = ImageDraw.Draw(before)
    if done.kept != (0, 0, *done.before.size):
        pen.rectangle(_scaled(done.kept, scale), outline=_CUT, width=2)
    for box in done.painted:
        pen.rectangle(_scaled(box, scale), outline=_PAINTED, width=2)
    after, _ = _fit(done.after)
    for place, picture in enumerate((before, after)):
        left = place * (PANEL[0] + _GAP) + (PANEL[0] - picture.width) // 2
        canvas.paste(picture, (left, (PANEL[1] - picture.height) // 2))
    return canvas


def _fit(picture: Image.Image) -> tuple[Image.Image, float]:
    scale = min(PANEL[0] / picture.width, PANEL[1] / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.NEAREST), scale


def _scaled(box: Box, scale: float) -> tuple[float, float, float, float]:
    left, top, right, bottom = (side * scale for side in box)
    return left, top, max(left, right - 1), max(top, bottom - 1)


def _on_squares(picture: Image.Image) -> Image.Image:
    """Transparency as grey squares, as picture editors show it."""
    if picture.mode != "RGBA":
        return picture
    side = max(4, max(picture.size) // 40)
    tiles = Image.new("L", (math.ceil(picture.width / side), math.ceil(picture.height / side)), 225)
    tiles.putdata([225 if (n % tiles.width + n // tiles.width) % 2 else 190 for n in range(tiles.width * tiles.height)])
    ground = tiles.resize((tiles.width * side, tiles.height * side), Image.Resampling.NEAREST).convert("RGB")
    ground = ground.crop((0, 0, *picture.size))
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground


def draw_sheet(pairs: Sequence[Pair], out_png: Path) -> None:
    """Lay the pairs out, a caption under each, the first _MOST of them."""
    shown = pairs[:_MOST]
    card = (2 * PANEL[0] + 3 * _GAP, PANEL[1] + round(_TEXT * (1.5 + 1.3 * _LINES)) + 3 * _GAP)
    # with more than six across the captions cannot be read on a screen as wide as the sheet
    across = max(1, min(6, len(shown), round(math.sqrt(len(shown) * card[1] / card[0] * 1.6)) or 1))
    down = math.ceil(len(shown) / across)
    head = 4 * _TEXT
    sheet = Image.new("RGB", (across * (card[0] + _GAP) + _GAP, head + down * (card[1] + _GAP)), _PAPER)
    pen = ImageDraw.Draw(sheet)
    more = f", the first {len(shown)} of {len(pairs)}; all are in the dataset report" if pairs[_MOST:] else ""
    title = f"{len(pairs)} pictures changed by cleaning{more}: before (red: painted over, blue: kept) and after"
    title = title if pairs else "Cleaning changed no picture."
    title, size = lettering.fit(title, _TEXT * 1.3, sheet.width - 2 * _GAP)
    lettering.write(pen, (_GAP, head / 2), title, size, _INK, bold=True)
    for place, pair in enumerate(shown):
        left, top = _GAP + place % across * (card[0] + _GAP), head + place // across * (card[1] + _GAP)
        _draw_card(sheet, pen, pair, (left, top), card)
    with atomic_path(out_png) as temporary:
        sheet.save(temporary, compress_level=3)


def _draw_card(
    sheet: Image.Image, pen: ImageDraw.ImageDraw, pair: Pair, at: tuple[int, int], card: tuple[int, int]
) -> None:
    left, top = at
    pen.rectangle((left, top, left + card[0] - 1, top + card[1] - 1), fill=_CARD)
    with Image.open(pair.file) as picture:
        sheet.paste(picture.convert("RGB"), (left + _GAP, top + _GAP))
    room, line = card[0] - 2 * _GAP, top + 2 * _GAP + PANEL[1] + _TEXT / 2
    title, size = lettering.fit(lettering.readable(pair.title), _TEXT, room)
    lettering.write(pen, (left + _GAP, line), title, size, _INK, bold=True)
    for text in lettering.wrap(lettering.readable("; ".join(pair.texts)), _TEXT * 0.9, room, _LINES):
        line += _TEXT * 1.3
        lettering.write(pen, (left + _GAP, line), text, _TEXT * 0.9, _FAINT)
