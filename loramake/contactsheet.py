"""The contact sheet of screening: every raw file as a small picture, what was dropped first, each with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from PIL import Image, ImageDraw

from loramake import lettering
from loramake.files import atomic_path

PAPER, BOX, LINE, INK, FAINT, BAD, GOOD = "#eef0f3", "#dfe3e9", "#c9ced6", "#1b1f27", "#697282", "#a3261f", "#1f6b3a"
TEXT, GAP, MARGIN = 13, 12, 24  # px
# px: taller pages are slow to open in viewers; what does not fit goes on further pages
PAGE_HEIGHT = 9000
_REASON_LINES = 3


@dataclass(frozen=True)
class Shown:
    """One file on the sheet.

    Attributes:
        file: its name.
        keep: whether it is used.
        rule, reason: why not; of a kept one, what is said of it.
        preview: a small picture of it; None where there is none.
    """

    file: str
    keep: bool
    rule: str
    reason: str
    preview: Path | None


@dataclass(frozen=True)
class Band:
    """One line of the sheet across its whole width: a heading, or a row of files."""

    height: int
    heading: str = ""
    good: bool = False
    files: Sequence[Shown] = ()


@dataclass(frozen=True)
class Layout:
    """Widths in px: of the page and of a cell's picture, which is square."""

    width: int
    dropped: int
    kept: int


def draw_contact_sheet(out_png: Path, shown: Sequence[Shown], rules: Sequence[str]) -> list[Path]:
    """Draw all files on one PNG, or on several where they are too many; earlier pages are replaced.

    Args:
        out_png: the first page; the others are `{stem}-2.png` and so on beside it. Its stem is the heading.
        shown: the files in natural order.
        rules: the order of the dropped files.

    Returns:
        the pages.
    """
    out_png = Path(out_png)
    layout = _lay_out(shown)
    kept = sum(each.keep for each in shown)
    counts = Counter(each.rule for each in shown if not each.keep)
    dropped = ", ".join(f"{rule} {counts[rule]}" for rule in rules if counts[rule]) or "nothing"
    title = f"{out_png.stem}: {kept} of {len(shown)} files kept"
    pages = _paginate(_bands(shown, rules, layout))
    paths = [out_png, *(out_png.with_name(f"{out_png.stem}-{n}.png") for n in range(2, len(pages) + 1))]
    for number, (path, bands) in enumerate(zip(paths, pages, strict=True), start=1):
        where = f"page {number} of {len(pages)}; " if len(pages) > 1 else ""
        sheet = _draw_page(bands, layout, title, f"{where}dropped: {dropped}")
        with atomic_path(path) as temporary:
            sheet.save(temporary, compress_level=1)
    for old in out_png.parent.glob(f"{out_png.stem}-*.png"):
        if old not in paths and old.stem.removeprefix(f"{out_png.stem}-").isdecimal():
            old.unlink()
    return paths


def _lay_out(shown: Sequence[Shown]) -> Layout:
    """Large pictures where there are few, small ones where there are many; reasons need some width."""
    for most, width, dropped, kept in ((80, 1600, 208, 208), (300, 1600, 168, 136), (800, 2000, 160, 120)):
        if len(shown) <= most:
            return Layout(width, dropped, kept)
    return Layout(2400, 152, 96)


def _bands(shown: Sequence[Shown], rules: Sequence[str], layout: Layout) -> list[Band]:
    dropped = [each for rule in rules for each in shown if not each.keep and each.rule == rule]
    kept = [each for each in shown if each.keep]
    bands = _group(f"dropped ({len(dropped)})", dropped, layout, False)
    return bands + _group(f"kept ({len(kept)})", kept, layout, True)


def _group(heading: str, files: Sequence[Shown], layout: Layout, good: bool) -> list[Band]:
    if not files:
        return []
    side = layout.kept if good else layout.dropped
    across = max(1, (layout.width - 2 * MARGIN + GAP) // (side + GAP))
    bands = [Band(2 * TEXT + GAP, heading, good)]
    for start in range(0, len(files), across):
        row = files[start : start + across]
        # few kept pictures have anything said of them
        lines = 1 + max(len(_reason_lines(each, side)) for each in row)
        bands.append(Band(side + round(lines * TEXT * 1.3) + GAP, good=good, files=row))
    return bands


def _paginate(bands: Sequence[Band]) -> list[list[Band]]:
    pages: list[list[Band]] = [[]]
    for place, band in enumerate(bands):
        # a heading stays with the row below it
        needed = band.height + (bands[place + 1].height if band.heading else 0)
        if pages[-1] and sum(each.height for each in pages[-1]) + needed > PAGE_HEIGHT:
            pages.append([])
        pages[-1].append(band)
    return pages


def _draw_page(bands: Sequence[Band], layout: Layout, title: str, subtitle: str) -> Image.Image:
    room = layout.width - 2 * MARGIN
    lines = lettering.wrap(subtitle, TEXT * 1.2, room, most=4)
    top = round(MARGIN + TEXT * 2.6 + len(lines) * TEXT * 1.6)
    height = top + sum(band.height for band in bands) + MARGIN
    page = Image.new("RGB", (layout.width, height), PAPER)
    draw = ImageDraw.Draw(page)
    text, size = lettering.fit(title, TEXT * 2, room)
    lettering.write(draw, (MARGIN, MARGIN + TEXT), text, size, INK, bold=True)
    for number, line in enumerate(lines):
        lettering.write(draw, (MARGIN, MARGIN + TEXT * (3 + 1.6 * number)), line, TEXT * 1.2, FAINT)
    for band in bands:
        if band.heading:
            middle = top + band.height - TEXT - GAP / 2
            colour = GOOD if band.good else BAD
            lettering.write(draw, (MARGIN, middle), band.heading, TEXT * 1.3, colour, bold=True)
            reach = MARGIN + lettering.width(band.heading, TEXT * 1.3) + GAP
            draw.line((reach, middle, layout.width - MARGIN, middle), LINE)
        side = layout.kept if band.good else layout.dropped
        for column, each in enumerate(band.files):
            _draw_cell(page, draw, each, (MARGIN + column * (side + GAP), top), side)
        top += band.height
    return page


def _draw_cell(page: Image.Image, draw: ImageDraw.ImageDraw, each: Shown, corner: tuple[int, int], side: int) -> None:
    left, top = corner
    picture = _open(each.preview, side)
    if picture:
        draw.rectangle((left, top, left + side - 1, top + side - 1), "#e6e9ee")
        place = (left + (side - picture.width) // 2, top + (side - picture.height) // 2)
        page.paste(picture, place)
    else:
        draw.rectangle((left, top, left + side - 1, top + side - 1), BOX, LINE)
        kind = PurePath(each.file).suffix.lower() or "no suffix"
        text, size = lettering.fit(_printable(kind), TEXT * 1.6, side - GAP)
        lettering.write(draw, (left + side / 2, top + side / 2), text, size, FAINT, anchor="mm", bold=True)
    line = top + side + TEXT * 0.9
    lettering.write(draw, (left, line), _shorten(each.file, side), TEXT, INK, bold=True)
    for text in _reason_lines(each, side):
        line += TEXT * 1.3
        lettering.write(draw, (left, line), text, TEXT, FAINT if each.keep else BAD)


def _open(preview: Path | None, side: int) -> Image.Image | None:
    if preview is None:
        return None
    try:
        with Image.open(preview) as image:
            image.draft("RGB", (side, side))
            picture = image.convert("RGB")
    except (OSError, SyntaxError):
        return None  # the cache was tampered with; the sheet is no reason to stop
    picture.thumbnail((side, side), Image.Resampling.BOX)
    return picture


def _reason_lines(each: Shown, side: int) -> list[str]:
    text = ": ".join(part for part in (each.rule, each.reason) if part)
    return lettering.wrap(_printable(text), TEXT, side, most=_REASON_LINES) if text else []


def _printable(text: str) -> str:
    return lettering.readable("".join(sign if sign.isprintable() else "?" for sign in text))


def _shorten(name: str, room: float) -> str:
    """A file name that fits, its middle left out: the end tells apart what one site or program wrote."""
    text = _printable(name)
    keep = len(text)
    shown = text
    while lettering.width(shown, TEXT) > room and keep > 2:
        keep -= 1
        shown = f"{text[: keep // 2]}…{text[len(text) - (keep - keep // 2) :]}"
    return shown
