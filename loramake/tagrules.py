"""Tag expressions: `2girls`, `* (cosplay)`, `comic & !(4koma | 1girl)`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from loramake.errors import UserError
from loramake.tags import normalize


@dataclass(frozen=True)
class Tag:
    """Holds if some tag matches the pattern."""

    pattern: re.Pattern[str]

    def holds(self, tags: Collection[str]) -> bool:
        return any(map(self.pattern.fullmatch, tags))


@dataclass(frozen=True)
class Without:
    """Holds if the other does not."""

    other: Node

    def holds(self, tags: Collection[str]) -> bool:
        return not self.other.holds(tags)


@dataclass(frozen=True)
class Every:
    """Holds if all parts do."""

    parts: tuple[Node, ...]

    def holds(self, tags: Collection[str]) -> bool:
        return all(part.holds(tags) for part in self.parts)


@dataclass(frozen=True)
class Either:
    """Holds if one of the parts does."""

    parts: tuple[Node, ...]

    def holds(self, tags: Collection[str]) -> bool:
        return any(part.holds(tags) for part in self.parts)


Node = Tag | Without | Every | Either


@dataclass(frozen=True)
class TagExpression:
    """A rule on a picture's tags.

    Attributes:
        text: as the user wrote it.
        root: the same as a tree.
    """

    text: str
    root: Node

    def matches(self, tags: Iterable[str]) -> bool:
        """Whether the expression holds for these normalized tags."""
        return self.root.holds(list(tags))


def tag_pattern(text: str) -> re.Pattern[str]:
    """A pattern for whole normalized tags, in which `*` stands for any text and `\\*` for a star."""
    pieces = re.split(r"(?<!\\)\*", text.strip())
    if len(pieces) == 1:
        return re.compile(re.escape(normalize(text.replace("\\*", "*"))))
    # normalize() would strip the space in "* commentary"
    spelled = (re.sub(r"[\s_]+", " ", re.sub(r"\\([()*])", r"\1", piece)).lower() for piece in pieces)
    return re.compile(".*".join(map(re.escape, spelled)))


def parse_expression(text: str, setting: str) -> TagExpression:
    """Read an expression: tags and `*` patterns, `!` before what must not hold, `&` before `|`, parentheses.

    `&` and `|` join only with spaces around them, and parentheses group only around such a joint: `tom (tom & jerry)`
    and `(o)_(o)` are tags. `\\(` is never a group.

    Args:
        text: the expression.
        setting: config key it comes from, for the message.

    Raises:
        UserError: no text, or a tag is missing beside a joint.
    """
    root = _parse(text) if isinstance(text, str) else None
    if root is None:
        raise UserError(
            "A tag rule cannot be read.",
            found=repr(text),
            expected="a tag, a pattern with *, or such joined like 'comic & !1girl', '(a | b) & c'",
            setting=setting,
        )
    return TagExpression(text, root)


def parse_expressions(texts: Iterable[str], setting: str) -> list[TagExpression]:
    """`parse_expression` of each."""
    return [parse_expression(text, setting) for text in texts]


def _parse(text: str) -> Node | None:
    """The tree of an expression; None where a tag is missing."""
    for sign, kind in (("|", Either), ("&", Every)):
        texts = _split(text, sign)
        if len(texts) > 1:
            parts = [_parse(part) for part in texts]
            return None if None in parts else kind(tuple(parts))
    term = text.strip()
    # ! and !? are tags of their own
    if term.startswith("!") and term.strip("!?"):
        other = _parse(term[1:])
        return other and Without(other)
    inner = term[1:-1]
    if term.startswith("(") and term.endswith(")") and _depths(inner) and _joins(inner):
        return _parse(inner)
    return None if not term or term in "&|" else Tag(tag_pattern(term))


def _joins(text: str) -> bool:
    return text.strip().startswith("!") or len(_split(text, "|")) > 1 or len(_split(text, "&")) > 1


def _split(text: str, sign: str) -> list[str]:
    """The text cut at each `sign` that stands between spaces and in no parentheses."""
    padded = f" {text} "
    depths = _depths(padded) or [0] * len(padded)
    parts, start = [], 0
    for place in range(1, len(padded) - 1):
        alone = padded[place - 1].isspace() and padded[place + 1].isspace()
        if padded[place] == sign and alone and depths[place] == 0:
            parts.append(padded[start:place])
            start = place + 1
    return [*parts, padded[start:]]


def _depths(text: str) -> list[int]:
    """How many parentheses are open at each character; empty where they do not match up, as in the tag `:(`."""
    depths, depth = [], 0
    for place, sign in enumerate(text):
        if sign in "()" and text[place - 1 : place] != "\\":
            depth += 1 if sign == "(" else -1
        if depth < 0:
            return []
        depths.append(depth)
    return depths if depth == 0 else []
