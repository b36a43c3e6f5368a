"""From the parse tree of a prompt to what it means; refuses what the grammar alone cannot know to be wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lark import Token, Tree

from loramake.promptgrammar import Complain, complainer, parse_tree
from loramake.prompttree import (
    Alternation,
    Break,
    Emphasis,
    LoraTag,
    Node,
    Part,
    Prompt,
    Schedule,
    Sequence,
    Text,
)

EMPHASIS_FACTOR = 1.1

_WHEN = re.compile(r"\d+\.?\d*|\.\d+")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)")
_MARKS = ("COLON", "BAR")


def read(source: str, setting: str) -> Prompt:
    """What a prompt means.

    Args:
        source: in the webui's prompt language, any length.
        setting: config key that an error names.

    Raises:
        UserError: points at a bracket without its partner, a schedule without its step, a `<…>` that is no LoRA, or
            a LoRA that is scheduled.
    """
    complain = complainer(source, setting)
    tree = parse_tree(source, complain)
    parts = [part for part in tree.children if isinstance(part, Tree)]
    bodies = [_weighted(part.children) if len(parts) > 1 else (part.children, 1.0) for part in parts]
    loras = tuple(_lora(token, complain) for token in _networks(tree))
    return Prompt(tuple(Part(_sequence(items, source, complain), weight) for items, weight in bodies), loras)


def check_negative(source: str, setting: str) -> None:
    """Refuse in a negative prompt what would have no meaning there.

    Raises:
        UserError: points at an AND or a LoRA.
    """
    complain = complainer(source, setting)
    for token in parse_tree(source, complain).scan_values(lambda token: token.type in ("AND", "NETWORK")):
        if token.type == "AND":
            raise complain("AND has no meaning in a negative prompt", token.start_pos)
        raise complain(
            "A LoRA acts on the whole picture: call it in the prompt, not in the negative one", token.start_pos
        )


def _sequence(items: list[Token | Tree], source: str, complain: Complain) -> Sequence:
    """The nodes of a run of tokens and brackets; neighbouring texts become one."""
    nodes: list[Node] = []
    for item in items:
        if isinstance(item, Tree):
            body = item.children
            nodes.append(_round(body, source, complain) if item.data == "round" else _square(body, source, complain))
        elif item.type == "BREAK":
            nodes.append(Break())
        elif item.type != "NETWORK":
            # a backslash before any character vanishes, as in the webui
            text = str(item)[1:] if item.type == "ESCAPE" else str(item)
            if nodes and isinstance(nodes[-1], Text):
                text = nodes.pop().text + text
            nodes += [Text(text)] if text else []
    return tuple(nodes)


def _round(items: list[Token | Tree], source: str, complain: Complain) -> Emphasis:
    """( … ) or ( … :weight)."""
    closing = items[-1]
    factor = float(closing[1:-1]) if closing.type == "WEIGHT" else EMPHASIS_FACTOR
    return Emphasis(_sequence(items[1:-1], source, complain), factor)


def _square(items: list[Token | Tree], source: str, complain: Complain) -> Emphasis | Schedule | Alternation:
    """[ … ], [from:to:when] and its short forms, or [a|b]."""
    options = [_sequence(item.children, source, complain) for item in items[1:-1] if isinstance(item, Tree)]
    marks = [item for item in items[1:-1] if isinstance(item, Token)]
    if not marks:
        return Emphasis(options[0], 1 / EMPHASIS_FACTOR)
    for token in (token for item in items[1:-1] if isinstance(item, Tree) for token in _networks(item)):
        raise complain("A LoRA acts on the whole picture, at every step: take it out of the [ ]", token.start_pos)
    if any(mark.type == "BAR" for mark in marks):
        return _alternation(options, marks)
    number = source[marks[-1].end_pos : items[-1].start_pos].strip()
    if not _WHEN.fullmatch(number):
        what = (
            "A step or a share of the steps belongs after the last colon: [from:to:0.5]; "
            "write \\: for the character itself"
        )
        raise complain(what, marks[-1].end_pos)
    if len(marks) > 2:
        raise complain("One colon too many: [from:to:when] has two", marks[-2].start_pos)
    return Schedule(options[0] if len(marks) == 2 else (), options[len(marks) - 1], float(number))


def _alternation(options: list[Sequence], marks: list[Token]) -> Alternation:
    """Options are parted by |; a colon among them is text: `[:d|:o]`."""
    joined = [options[0]]
    for mark, option in zip(marks, options[1:], strict=True):
        if mark.type == "BAR":
            joined.append(option)
        else:
            joined[-1] = (*joined[-1], Text(":"), *option)
    return Alternation(tuple(joined))


def _weighted(items: list[Token | Tree]) -> tuple[list[Token | Tree], float]:
    """A side of AND without the number after its last colon, and that number; 1 where there is none."""
    plain = [item for item in items if not (isinstance(item, Token) and item.type == "NETWORK")]
    tail = ""
    while plain and isinstance(plain[-1], Token) and plain[-1].type == "TEXT":
        tail = f"{plain.pop()}{tail}"
    ends = plain and isinstance(plain[-1], Token) and plain[-1].type == "COLON"
    if ends and _NUMBER.fullmatch(tail.strip()):
        return plain[:-1], float(tail)
    return items, 1.0


def _networks(tree: Tree) -> Iterator[Token]:
    return tree.scan_values(lambda token: token.type == "NETWORK")


def _lora(token: Token, complain: Complain) -> LoraTag:
    """`<lora:name>`, `<lora:name:both>`, `<lora:name:text:unet>`; the weights also as te= and unet=."""
    kind, _, rest = token[1:].partition(":")
    if kind.lower() not in ("lora", "lyco") or not rest.endswith(">"):
        what = "This <…> is never closed by >" if not rest.endswith(">") else f"Only <lora:…> is known, not <{kind}:…>"
        raise complain(what, token.start_pos)
    name, *arguments = rest[:-1].split(":")
    if not name.strip():
        raise complain("A LoRA's name belongs here", token.start_pos)
    at, positional, named = token.start_pos + len(kind) + 2 + len(name), [], {}
    for argument in arguments:
        at += 1
        key, equals, value = argument.rpartition("=")
        if not _NUMBER.fullmatch(value.strip()) or (equals and key.strip() not in ("te", "unet")):
            raise complain("A weight belongs here: a number, te=number or unet=number", at)
        if not equals and len(positional) == 2:
            raise complain("One number too many: <lora:name:text_weight:unet_weight>", at)
        if equals:
            named[key.strip()] = float(value)
        else:
            positional.append(float(value))
        at += len(argument)
    text = named.get("te", positional[0] if positional else 1.0)
    # without a weight of its own the U-Net takes the text encoder's
    return LoraTag(name.strip(), text, named.get("unet", positional[1] if len(positional) == 2 else text))
