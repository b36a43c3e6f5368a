"""Booru tags: reading tag files as boorus, Grabber, gallery-dl and kohya's tools leave them."""

from __future__ import annotations

import codecs
import html
import json
import re
from collections.abc import Iterable
from pathlib import Path

from loramake.errors import UserError

# at most one letter or digit on either side: ^_^ >_< o_o 3_3 (o)_(o) <|>_<|>; never no_bra
_EMOTICON = re.compile(r"[^\w\s]*\w?[^\w\s]*_+[^\w\s]*[^\W_]?[^\w\s]*")
# Grabber writes > < for >_<
_SPACED_EMOTICON = re.compile(r"([^\w\s]+|[0-9a-z])\s([^\w\s]+|[0-9a-z])")


def normalize(tag: str) -> str:
    """One spelling for a tag: lower case, spaces for underscores except in emoticons, parentheses unescaped."""
    tag = html.unescape(tag).replace("\\(", "(").replace("\\)", ")").strip().lower()
    if _EMOTICON.fullmatch(tag) and tag.strip("_"):
        return tag
    tag = " ".join(tag.replace("_", " ").split())
    spaced = _SPACED_EMOTICON.fullmatch(tag)
    if spaced and (spaced[1] == spaced[2] or not (spaced[1] + spaced[2]).isalnum()):
        return f"{spaced[1]}_{spaced[2]}"
    return tag


def unique(tags: Iterable[str]) -> list[str]:
    """The tags in their order, each once, empty ones left out."""
    return list(dict.fromkeys(tag for tag in tags if tag))


def decode(content: bytes) -> str:
    """Text of a tag file: UTF-8 or UTF-16, with or without BOM; else Latin-1."""
    return decode_named(content)[0]


def decode_named(content: bytes) -> tuple[str, str]:
    """The text, and the encoding it was read as: UTF-8, UTF-16, UTF-32 or Latin-1.

    UTF-16 without BOM is recognised by the zero bytes of its commas and spaces. What cannot be decoded becomes U+FFFD.
    """
    if content.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return content.decode("utf-32", errors="replace"), "UTF-32"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace"), "UTF-16"
    if content[1:2] == b"\0" or content[:1] == b"\0":
        order = "le" if content[1:2] == b"\0" else "be"
        return content.decode(f"utf-16-{order}", errors="replace"), "UTF-16"
    try:
        return content.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError:
        return content.decode("latin-1"), "Latin-1"


def text_fault(text: str) -> str:
    """Why a decoded text cannot be a list of tags, in a few words; empty if it can."""
    start = text.lstrip("\ufeff \t\r\n")[:20].lower()
    if start.startswith(("<!doctype", "<html", "<?xml", "<head")):
        return "an HTML page"
    if start.startswith(("{", "[")) and _is_json(text):
        return "JSON"
    # a tab, line ends and form feed are what editors write; other controls and U+FFFD are damage
    if any(sign < " " and sign not in "\t\n\v\f\r" or sign in "\x7f\ufffd" for sign in text):
        return "damaged: bytes that are no text"
    return ""


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text.lstrip("\ufeff")), (dict, list))
    except (ValueError, RecursionError):
        return False


def split_tags(text: str) -> list[str]:
    """Tags of a text separated by commas or line breaks; a line of only spaces and underscores is split at spaces.

    Returns:
        normalized tags (see `normalize`), each once, in order.
    """
    text = "".join(sign if sign.isprintable() or sign in "\r\n\t" else " " for sign in text)
    parts = re.split(r"[,\r\n]", text)
    if len([part for part in parts if part.strip()]) == 1 and "_" in text:
        # the form boorus show in their search box: 1girl long_hair solo
        parts = text.split()
    return unique(normalize(part) for part in parts)


def read_tags(path: Path) -> list[str]:
    """Normalized tags of a tag file, each once, in order.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        return split_tags(decode(Path(path).read_bytes()))
    except OSError as error:
        raise UserError(
            "A tag file cannot be read.", file=path, found=error.strerror, expected="a text file of tags",
            setting="run again if it was moved meanwhile; else chmod u+r",
        ) from error  # fmt: skip
