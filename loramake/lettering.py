"""Text on a sheet: a font that has the characters, sizes that fit their box, lines that wrap."""

from __future__ import annotations

import functools

from PIL import Image, ImageDraw, ImageFont

SMALLEST = 7  # px, below which text is cut rather than shrunk
# tried in this order where Pillow's own font lacks a character; those not installed are passed over
_FALLBACKS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKjp-Regular.otf",
    "wqy-microhei.ttc",
    "arial.ttf",
    "YuGothM.ttc",
    "msgothic.ttc",
    "malgun.ttf",
    "Hiragino Sans GB.ttc",
    "Arial Unicode.ttf",
)
_ABSENT = "\U0010fffe"  # a code point that no font has

Font = ImageFont.FreeTypeFont


def font_for(text: str, size: float) -> Font:
    """The first font, at this size in px, that has all characters of `text`, else the one that has most."""
    return _open(_best_name(text), max(1, round(size)))


def readable(text: str) -> str:
    """`text` with "?" for each character that its font lacks."""
    name = _best_name(text)
    return "".join(character if _has(name, character) else "?" for character in text)


def width(text: str, size: float) -> float:
    """Width of a line in px."""
    return font_for(text, size).getlength(text)


def fit(text: str, size: float, room: float) -> tuple[str, float]:
    """The text and the largest size up to `size` at which it fits into `room` px; cut with … at the smallest."""
    while size > SMALLEST and width(text, size) > room:
        size = max(SMALLEST, size * 0.94)
    if width(text, size) <= room:
        return text, size
    while text and width(text + "…", size) > room:
        text = text[:-1]
    return text.rstrip(" ,") + "…", size


def wrap(text: str, size: float, room: float, most: int) -> list[str]:
    """Lines of at most `room` px; beyond `most` lines the last ends in …"""
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".strip()
        if width(joined, size) <= room or not lines[-1]:
            lines[-1] = joined
        else:
            lines.append(word)
    kept = lines[:most]
    if len(lines) > most:
        kept[-1] = " ".join(lines[most - 1 :])
    return [line if width(line, size) <= room else _cut(line, size, room) for line in kept]


def write(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    size: float,
    colour: str,
    *,
    anchor: str = "lm",
    bold: bool = False,
) -> None:
    """Write one line; `anchor` as in Pillow. Bold is drawn with an outline, as Pillow's font has one weight."""
    draw.text(at, text, colour, font_for(text, size), anchor=anchor, stroke_width=size / 70 if bold else 0)


def _cut(text: str, size: float, room: float) -> str:
    while text and width(text + "…", size) > room:
        text = text[:-1]
    return text.rstrip(" ,") + "…"


@functools.lru_cache(maxsize=1024)
def _best_name(text: str) -> str | None:
    names = [name for name in (None, *_FALLBACKS) if _open(name, 24)]
    return min(names, key=lambda name: sum(not _has(name, character) for character in text))


@functools.lru_cache(maxsize=256)
def _open(name: str | None, size: int) -> Font | None:
    if name is None:
        return ImageFont.load_default(size)
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


@functools.lru_cache(maxsize=4096)
def _has(name: str | None, character: str) -> bool:
    """Whether a font has a glyph for a character, seen by comparing with the picture of a missing one."""
    font = _open(name, 24)
    if font is None:
        return False
    return character.isspace() or _picture(font, character) != _picture(font, _ABSENT)


def _picture(font: Font, character: str) -> bytes:
    canvas = Image.new("L", (48, 48))
    ImageDraw.Draw(canvas).text((8, 8), character, 255, font)
    return canvas.tobytes()
