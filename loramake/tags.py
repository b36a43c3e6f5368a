"""Booru tags: reading tag files as boorus, Grabber, gallery-dl and kohya's tools leave them; tag expressions."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
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
    """Text of a tag file: UTF-8 with or without BOM, UTF-16 with BOM or recognised by its zero bytes; else Latin-1."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    if content[1:2] == b"\0" or content[:1] == b"\0":
        return content.decode("utf-16-le" if content[1:2] == b"\0" else "utf-16-be", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


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


@dataclass(frozen=True)
class TagExpression:
    """A rule on a picture's tags: all of its terms hold.

    Attributes:
        text: as the user wrote it.
        terms: (wanted, pattern) each; a term holds if some tag matches the pattern, or, unless wanted, none does.
    """

    text: str
    terms: tuple[tuple[bool, re.Pattern[str]], ...]

    def matches(self, tags: Iterable[str]) -> bool:
        """Whether the expression holds for these normalized tags."""
        tags = list(tags)
        return all(wanted == any(map(pattern.fullmatch, tags)) for wanted, pattern in self.terms)

    def first_match(self, tags: Iterable[str]) -> str:
        """The first tag that a wanted term matches, to name it; empty where all terms are negated."""
        wanted = [pattern for wants, pattern in self.terms if wants]
        return next((tag for tag in tags if any(pattern.fullmatch(tag) for pattern in wanted)), "")


def tag_pattern(text: str) -> re.Pattern[str]:
    """A pattern for whole normalized tags, in which `*` stands for any text and `\\*` for a star."""
    pieces = re.split(r"(?<!\\)\*", text.strip())
    if len(pieces) == 1:
        return re.compile(re.escape(normalize(text.replace("\\*", "*"))))
    # normalize() would strip the space in "* commentary"
    spelled = (re.sub(r"[\s_]+", " ", re.sub(r"\\([()*])", r"\1", piece)).lower() for piece in pieces)
    return re.compile(".*".join(map(re.escape, spelled)))


def parse_expression(text: str, setting: str) -> TagExpression:
    """Read `2girls`, `* (cosplay)`, `comic & !1girl`: terms joined by " & ", each maybe with `!` and `*`.

    Args:
        text: the expression.
        setting: config key it comes from, for the message.

    Raises:
        UserError: no text, or an empty term.
    """
    terms = []
    for term in re.split(r"(?<=\s)&(?=\s)", f" {text} ") if isinstance(text, str) else [""]:
        term = term.strip()
        negated = term.startswith("!") and term.strip("!?") != ""
        term = term[1:].strip() if negated else term
        if not term or term == "&":
            raise UserError(
                "A tag rule cannot be read.",
                found=repr(text),
                expected="a tag, a pattern with *, or terms joined like 'comic & !1girl'",
                setting=setting,
            )
        terms.append((not negated, tag_pattern(term)))
    return TagExpression(text, tuple(terms))


def parse_expressions(texts: Iterable[str], setting: str) -> list[TagExpression]:
    """`parse_expression` of each."""
    return [parse_expression(text, setting) for text in texts]
