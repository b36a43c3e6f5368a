"""The webui's `parameters` text: written, read back, and carried in PNG files, without touching the pixels."""

from __future__ import annotations

import io
import json
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from PIL import Image

from loramake.errors import UserError

KEYWORD = "parameters"

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NEGATIVE = "Negative prompt: "
_FIELD = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)')


def write_parameters(prompt: str, negative_prompt: str, fields: Mapping[str, object]) -> str:
    """The text that the webui's PNG-info page reads.

    Args:
        prompt: may have several lines.
        negative_prompt: left out when empty.
        fields: Steps, Sampler, CFG scale, Seed, Size, … in this order; values that are None are left out.
    """
    lines = [prompt]
    if negative_prompt:
        lines.append(_NEGATIVE + negative_prompt)
    lines.append(", ".join(f"{name}: {_quote(value)}" for name, value in fields.items() if value is not None))
    return "\n".join(lines)


def read_parameters(text: str) -> tuple[str, str, dict[str, str]]:
    """Prompt, negative prompt and fields of a `parameters` text."""
    *lines, last = text.strip().split("\n")
    fields = {name: _unquote(value) for name, value in _FIELD.findall(last)}
    if len(fields) < 3:  # the webui's own test for a text without fields
        lines, fields = [*lines, last], {}
    prompts: list[list[str]] = [[], []]
    side = 0
    for line in lines:
        if line.startswith(_NEGATIVE):
            side, line = 1, line.removeprefix(_NEGATIVE)
        prompts[side].append(line)
    return "\n".join(prompts[0]), "\n".join(prompts[1]), fields


def encode_png(image: Image.Image, parameters: str) -> bytes:
    """A PNG file with a `parameters` chunk."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return replace_text(buffer.getvalue(), parameters)


def replace_text(png: bytes, parameters: str) -> bytes:
    """The same picture with another `parameters` chunk; the compressed pixels stay byte for byte."""
    kept = [(kind, body) for kind, body in _chunks(png) if not _is_parameters(kind, body)]
    kept.insert(1, _text_chunk(parameters))  # after the header, before the pixels
    return _SIGNATURE + b"".join(_pack(kind, body) for kind, body in kept)


def read_text(png: bytes) -> str:
    """The `parameters` text of a PNG file; "" where there is none."""
    for kind, body in _chunks(png):
        if _is_parameters(kind, body):
            rest = body[len(KEYWORD) + 1 :]
            # iTXt: compression flag and method, then language and translated keyword, each ended by a zero
            return rest.decode("latin-1") if kind == b"tEXt" else rest[2:].split(b"\0", 2)[2].decode("utf-8")
    return ""


def pixels(png: bytes) -> bytes:
    """Header and compressed pixels: equal for equal pictures written by one program, whatever the text."""
    return b"".join(body for kind, body in _chunks(png) if kind in (b"IHDR", b"PLTE", b"IDAT"))


def is_whole(path: Path) -> bool:
    """Whether `path` is a PNG file to its last chunk."""
    try:
        with open(path, "rb") as handle:
            handle.seek(-12, io.SEEK_END)
            return handle.read() == _pack(b"IEND", b"")
    except OSError:
        return False


def _quote(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if re.search(r'[,\n:"]', text) else text


def _unquote(text: str) -> str:
    if not text.startswith('"'):
        return text.strip()
    try:
        return str(json.loads(text))
    except ValueError:
        return text


def _is_parameters(kind: bytes, body: bytes) -> bool:
    return kind in (b"tEXt", b"iTXt") and body.startswith(KEYWORD.encode() + b"\0")


def _text_chunk(text: str) -> tuple[bytes, bytes]:
    """Latin-1 where that suffices, else UTF-8, as Pillow and so the webui write it."""
    try:
        return b"tEXt", KEYWORD.encode() + b"\0" + text.encode("latin-1")
    except UnicodeEncodeError:
        return b"iTXt", KEYWORD.encode() + b"\0" + b"\0\0" + b"\0\0" + text.encode("utf-8")


def _pack(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not png.startswith(_SIGNATURE):
        raise UserError("This is not a PNG file.", found=png[:8], expected="a PNG file")
    at = len(_SIGNATURE)
    while at + 12 <= len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length
