"""The webui's prompt language: text in, a tree out; a tree and a step in, weighted text out.

    (x)  x1.1      [x]  /1.1      (x:1.4)  x1.4      \\( \\) \\[ \\] \\: \\|  the character itself
    [from:to:when]  [to:when]  [from::when]   `when` below 1 is a share of the steps, else a step
    [a|b]   alternates from step to step      BREAK   the rest starts a new window
    a :1.2 AND b :0.8   two prompts that pull at one picture, each with its weight (1 where none is named)
    <lora:name:0.8>   <lora:name:text_weight:unet_weight>   <lora:name:unet=0.8>   one more LoRA for this picture

Where the webui guesses at a bracket without its partner, this refuses it and points at the place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from loramake import promptreader
from loramake.prompttree import Alternation, Break, Emphasis, Prompt, Schedule, Sequence, Text

# a last <word becomes a call of a network with the colon that may follow it
_SPECIAL = re.compile(r"([\\()\[\]:|]|\b(?:AND|BREAK)\b|<(?=\w*\Z))")


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
        UserError: see `parse` and `parse_negative`.
    """
    texts = [fill_trigger(prompt, trigger) for prompt in prompts]
    negative = fill_trigger(negative_prompt, trigger)
    for text in texts:
        parse(text)
    parse_negative(negative)
    return texts, negative


def parse(prompt: str, *, setting: str = "grid.prompts") -> Prompt:
    """Read a prompt into its tree.

    Args:
        prompt: in the webui's prompt language, any length.
        setting: config key that an error names.

    Raises:
        UserError: a bracket without its partner, a schedule without its step, a `<…>` that is no LoRA.
    """
    return promptreader.read(prompt, setting)


def parse_negative(prompt: str, *, setting: str = "grid.negative_prompt") -> Prompt:
    """Read a negative prompt, which has one part and calls no LoRA.

    Raises:
        UserError: as `parse`; also AND, or a LoRA.
    """
    promptreader.check_negative(prompt, setting)
    return promptreader.read(prompt, setting)


def at_step(body: Sequence, step: int, steps: int) -> Sections:
    """The weighted text that one step sees.

    Args:
        body: of a part of `parse`'s result.
        step: 1 … steps.
        steps: of the whole picture.
    """
    sections: list[list[Piece]] = [[]]
    _collect(body, 1.0, step, steps, sections)
    return tuple(tuple(section) for section in sections)


def per_step(body: Sequence, steps: int) -> list[Sections]:
    """`at_step` of step 1, 2, … `steps`."""
    return [at_step(body, step, steps) for step in range(1, steps + 1)]


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
