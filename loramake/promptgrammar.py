"""The grammar of the webui's prompt language: text to a parse tree, or one error that points at its place."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cache, partial

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput

from loramake.errors import UserError

# A colon before a number and a closing bracket is one terminal, so that within ( ) any other colon is text.
GRAMMAR = r"""
    prompt: part (AND part)*
    part: (_item | COLON | BAR)*
    _item: TEXT | ESCAPE | BREAK | NETWORK | round | square
    round: OPEN_ROUND (_item | COLON | BAR)* (WEIGHT | CLOSE_ROUND)
    square: OPEN_SQUARE option ((COLON | BAR) option)* CLOSE_SQUARE
    option: _item*

    AND: /\bAND\b/
    BREAK: /\bBREAK\b/
    NETWORK: /<(?i:lora|lyco|hypernet):[^>]*>?|<\w+:[^>]+>/
    ESCAPE: /\\[\s\S]?/
    TEXT: /(?:(?!\b(?:BREAK|AND)\b)(?!<(?i:lora|lyco|hypernet):|<\w+:[^>]+>)[^\\()\[\]:|])+/
    WEIGHT.1: /:\s*[+-]?(?:\d+\.?\d*|\.\d+)\s*\)/
    COLON: ":"
    BAR: "|"
    OPEN_ROUND: "("
    CLOSE_ROUND: ")"
    OPEN_SQUARE: "["
    CLOSE_SQUARE: "]"
"""

EXCERPT = 38  # characters shown on each side of a caret

Complain = Callable[[str, int], UserError]
"""(sentence, index in the prompt) → the error that points there."""


def complainer(source: str, setting: str) -> Complain:
    """Makes errors about one prompt.

    Args:
        source: the prompt.
        setting: config key that they name.
    """
    return partial(_complain, source, setting)


def parse_tree(source: str, complain: Complain) -> Tree:
    """The parse tree of a prompt, by `GRAMMAR`; its tokens know their places.

    Raises:
        UserError: a bracket without its partner, or AND between brackets.
    """
    try:
        return _parser().parse(source)
    except UnexpectedInput as error:
        raise _explain(error, len(source), complain) from None


@cache
def _parser() -> Lark:
    return Lark(GRAMMAR, start="prompt", parser="lalr")


def _explain(error: UnexpectedInput, end: int, complain: Complain) -> UserError:
    """What the grammar's error means to the writer of the prompt. Only brackets and AND can fail."""
    stack = error.interactive_parser.parser_state.value_stack
    opened = [item for item in stack if isinstance(item, Token) and item.type.startswith("OPEN")]
    if error.token.type == "AND":
        bracket = opened[-1]
        return complain(
            f"AND parts whole prompts and cannot stand within {bracket} and its partner", error.token.start_pos
        )
    if error.token.type == "$END":
        bracket = opened[-1]
        return complain(
            f"This {bracket} is never closed; write \\{bracket} for the character itself", bracket.start_pos
        )
    found, at = error.token[-1], error.token.end_pos - 1
    if not opened:
        return complain(f"This {found} closes nothing; write \\{found} for the character itself", at)
    partner = {"(": ")", "[": "]"}[opened[-1]]
    return complain(f"Expected {partner} here, to close the {opened[-1]} before", at)


def point_at(source: str, at: int) -> str:
    """Two lines: the part of `source` around index `at`, and a caret under it (wide characters counted twice)."""
    start, end = max(0, at - EXCERPT), min(len(source), at + EXCERPT)
    left = ("…" if start else "") + source[start:at].replace("\n", " ")
    right = source[at:end].replace("\n", " ") + ("…" if end < len(source) else "")
    columns = sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in left)
    return f"    {left}{right}\n    {' ' * columns}^"


def _complain(source: str, setting: str, what: str, at: int) -> UserError:
    return UserError(f"{what}.\n{point_at(source, at)}", setting=setting)
