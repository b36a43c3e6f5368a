"""The webui's prompt language: text in, a tree out; a tree and a step in, weighted text out.

    (x)  x1.1      [x]  /1.1      (x:1.4)  x1.4      \\( \\) \\[ \\] \\: \\|  the character itself
    [from:to:when]  [to:when]  [from::when]   `when` below 1 is a share of the steps, else a step
    [a|b]   alternates from step to step      BREAK   the rest starts a new window

Where the webui guesses at a bracket without its partner, this refuses it and points at the place.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from loramake.errors import UserError

EMPHASIS_FACTOR = 1.1

_WEIGHT = re.compile(r":\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*\)")
_NUMBER = re.compile(r"\d+\.?\d*|\.\d+")
_KEYWORD = re.compile(r"\b(BREAK|AND)\b")
_NETWORK = re.compile(r"<(?:lora|lyco|hypernet):[^>]*>?", re.IGNORECASE)
_SPECIAL = re.compile(r"([\\()\[\]:|])")
_EXCERPT = 38  # characters shown on each side of a caret


@dataclass(frozen=True)
class Text:
    """Literal text, escapes already taken away."""

    text: str


@dataclass(frozen=True)
class Break:
    """BREAK: what follows starts a new window."""


@dataclass(frozen=True)
class Emphasis:
    """`body` with its emphasis multiplied by `factor`."""

    body: Sequence
    factor: float


@dataclass(frozen=True)
class Schedule:
    """`before` up to and including step `when` (a share of the steps where below 1), then `after`."""

    before: Sequence
    after: Sequence
    when: float


@dataclass(frozen=True)
class Alternation:
    """One of `options` a step, in turn."""

    options: tuple[Sequence, ...]


Node = Text | Break | Emphasis | Schedule | Alternation
Sequence = tuple[Node, ...]


@dataclass(frozen=True)
class Piece:
    """Text of one emphasis."""

    text: str
    weight: float


# what one step sees: sections (between BREAKs) of pieces; hashable, so that each is encoded once
Sections = tuple[tuple[Piece, ...], ...]


def escape(text: str) -> str:
    """Write `text` so that the prompt language reads it literally: "shim (azur lane)" → "shim \\(azur lane\\)"."""
    return _SPECIAL.sub(r"\\\1", text)


def fill_trigger(prompt: str, trigger: str) -> str:
    """Put the character's trigger in the place of `{trigger}`, its brackets escaped."""
    return prompt.replace("{trigger}", escape(trigger))


def read_prompts(prompts: Iterable[str], negative_prompt: str, trigger: str) -> tuple[list[str], str]:
    """The texts with the trigger filled in, each known to be readable.

    Raises:
        UserError: see `parse`.
    """
    texts = [fill_trigger(prompt, trigger) for prompt in prompts]
    negative = fill_trigger(negative_prompt, trigger)
    for text in texts:
        parse(text)
    parse(negative, setting="grid.negative_prompt")
    return texts, negative


def parse(prompt: str, *, setting: str = "grid.prompts") -> Sequence:
    """Read a prompt into its tree.

    Args:
        prompt: in the webui's prompt language, any length.
        setting: config key that an error names.

    Raises:
        UserError: a bracket without its partner, a schedule without its step, `AND` or `<lora:…>`.
    """
    return _Parser(prompt, setting).read()


def at_step(tree: Sequence, step: int, steps: int) -> Sections:
    """The weighted text that one step sees.

    Args:
        tree: from `parse`.
        step: 1 … steps.
        steps: of the whole picture.
    """
    sections: list[list[Piece]] = [[]]
    _collect(tree, 1.0, step, steps, sections)
    return tuple(tuple(section) for section in sections)


def per_step(tree: Sequence, steps: int) -> list[Sections]:
    """`at_step` of step 1, 2, … `steps`."""
    return [at_step(tree, step, steps) for step in range(1, steps + 1)]


def _collect(nodes: Sequence, weight: float, step: int, steps: int, sections: list[list[Piece]]) -> None:
    for node in nodes:
        match node:
            case Text(text):
                last = sections[-1]
                if last and last[-1].weight == weight:
                    text = last.pop().text + text
                last.append(Piece(text, weight))
            case Break():
                sections.append([])
            case Emphasis(body, factor):
                _collect(body, weight * factor, step, steps, sections)
            case Schedule(before, after, when):
                last_step = int(when * steps) if when < 1 else int(when)
                _collect(before if step <= last_step else after, weight, step, steps, sections)
            case Alternation(options):
                _collect(options[(step - 1) % len(options)], weight, step, steps, sections)


class _Parser:
    """Recursive descent over one prompt; `at` is the next character."""

    def __init__(self, source: str, setting: str) -> None:
        self.source, self.setting, self.at = source, setting, 0

    def read(self) -> Sequence:
        nodes = self._sequence(stops="")
        if self.at < len(self.source):
            bracket = self.source[self.at]
            raise self._error(f"This {bracket} closes nothing; write \\{bracket} for the character itself", self.at)
        return nodes

    def _sequence(self, stops: str) -> Sequence:
        """Nodes up to the end, a closing bracket, or one of `stops` (which is not consumed)."""
        nodes: list[Node] = []
        text = ""

        def flush() -> None:
            nonlocal text
            if text:
                nodes.append(Text(text))
            text = ""

        while self.at < len(self.source):
            character = self.source[self.at]
            if character in ")]" or character in stops and not (character == ":" and self._literal_colon(stops)):
                break
            if character in "([":
                flush()
                nodes.append(self._round() if character == "(" else self._square())
            elif character == "\\":
                # a backslash before any other character vanishes, as in the webui
                text += self.source[self.at + 1 : self.at + 2]
                self.at += 2
            elif keyword := _KEYWORD.match(self.source, self.at):
                if keyword[1] == "AND":
                    raise self._error("AND (several prompts in one picture) is not supported", self.at)
                flush()
                nodes.append(Break())
                self.at = keyword.end()
            elif _NETWORK.match(self.source, self.at):
                raise self._error("The grid itself applies the LoRA; take <…> out of the prompt", self.at)
            else:
                text += character
                self.at += 1
        flush()
        return tuple(nodes)

    def _literal_colon(self, stops: str) -> bool:
        """Within ( ) a colon is text unless a number and the closing bracket follow."""
        return "|" not in stops and not _WEIGHT.match(self.source, self.at)

    def _round(self) -> Emphasis:
        opened = self.at
        self.at += 1
        body = self._sequence(stops=":")
        if weight := _WEIGHT.match(self.source, self.at):
            self.at = weight.end()
            return Emphasis(body, float(weight[1]))
        self._close(opened, ")")
        return Emphasis(body, EMPHASIS_FACTOR)

    def _square(self) -> Emphasis | Schedule | Alternation:
        opened = self.at
        self.at += 1
        parts, marks = [self._sequence(stops="|:")], []  # marks: where each | and : stands
        while self.at < len(self.source) and self.source[self.at] in "|:":
            marks.append(self.at)
            self.at += 1
            parts.append(self._sequence(stops="|:"))
        self._close(opened, "]")
        if not marks:
            return Emphasis(parts[0], 1 / EMPHASIS_FACTOR)
        if any(self.source[mark] == "|" for mark in marks):
            return self._alternation(parts, marks)
        return self._schedule(parts, marks)

    def _alternation(self, parts: list[Sequence], marks: list[int]) -> Alternation:
        """Options are parted by |; a colon among them is text: `[:d|:o]`."""
        options = [parts[0]]
        for mark, part in zip(marks, parts[1:], strict=True):
            if self.source[mark] == "|":
                options.append(part)
            else:
                options[-1] = (*options[-1], Text(":"), *part)
        return Alternation(tuple(options))

    def _schedule(self, parts: list[Sequence], marks: list[int]) -> Schedule:
        number = self.source[marks[-1] + 1 : self.at - 1].strip()
        if not _NUMBER.fullmatch(number):
            raise self._error(
                "A step or a share of the steps belongs after the last colon: [from:to:0.5]; "
                "write \\: for the character itself",
                marks[-1] + 1,
            )
        if len(marks) > 2:
            raise self._error("One colon too many: [from:to:when] has two", marks[-2])
        before = parts[0] if len(marks) == 2 else ()
        return Schedule(before, parts[len(marks) - 1], float(number))

    def _close(self, opened: int, bracket: str) -> None:
        if self.at < len(self.source) and self.source[self.at] == bracket:
            self.at += 1
            return
        mark = self.source[opened]
        if self.at < len(self.source):
            raise self._error(f"Expected {bracket} here, to close the {mark} before", self.at)
        raise self._error(f"This {mark} is never closed; write \\{mark} for the character itself", opened)

    def _error(self, what: str, at: int) -> UserError:
        return UserError(f"{what}.\n{point_at(self.source, at)}", setting=self.setting)


def point_at(source: str, at: int) -> str:
    """Two lines: the part of `source` around index `at`, and a caret under it (wide characters counted twice)."""
    start, end = max(0, at - _EXCERPT), min(len(source), at + _EXCERPT)
    left = ("…" if start else "") + source[start:at].replace("\n", " ")
    right = source[at:end].replace("\n", " ") + ("…" if end < len(source) else "")
    columns = sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in left)
    return f"    {left}{right}\n    {' ' * columns}^"
