"""A picture's text: prompt and negative prompt as windows at every step, and as states of its LoRAs' text encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from loramake.bank import BASE, LoraBank
from loramake.prompts import Sections, parse, parse_negative, per_step
from loramake.promptwindows import Window, encode_windows, make_windows
from loramake.tokens import Tokenizer

Windows = tuple[Window, ...]


@dataclass(frozen=True)
class Request:
    """One picture.

    Args:
        prompt, negative_prompt: in the webui's language; LoRAs that the prompt calls act only if they are in `extra`.
        adapter: of the bank, or BASE.
        weight: of that adapter, in text encoder and U-Net.
        extra: further adapters, each with its text encoder's and its U-Net's weight.
    """

    prompt: str
    negative_prompt: str
    seed: int
    adapter: int = BASE
    weight: float = 0.0
    extra: tuple[tuple[int, float, float], ...] = ()


@dataclass(frozen=True)
class PictureText:
    """Windows of a picture's text as each step sees them.

    Args:
        sides: of each step: first the negative prompt, then every part of the prompt (one without AND).
        weights: of the parts.
    """

    sides: tuple[tuple[Windows, ...], ...]
    weights: tuple[float, ...]

    @property
    def shape(self) -> tuple[tuple[int, ...], ...]:
        """Numbers of windows of every step and side: pictures with equal shapes can share a batch."""
        return tuple(tuple(len(windows) for windows in step) for step in self.sides)


def text_reader(tokenizer: Tokenizer, steps: int) -> Callable[[Request], PictureText]:
    """A function from a request to its text; equal texts are tokenised once.

    Args:
        steps: of the whole picture.

    Raises (the function):
        UserError: a prompt that cannot be read.
    """

    @cache
    def windows(sections: Sections) -> Windows:
        return make_windows(sections, tokenizer)

    @cache
    def read(prompt: str, negative_prompt: str) -> PictureText:
        parts = parse(prompt).parts
        bodies = [parse_negative(negative_prompt).parts[0].body, *(part.body for part in parts)]
        columns = [[windows(sections) for sections in per_step(body, steps)] for body in bodies]
        return PictureText(tuple(zip(*columns, strict=True)), tuple(part.weight for part in parts))

    return lambda request: read(request.prompt, request.negative_prompt)


class TextStates:
    """Encoded text, each (adapters, weights, windows) once; the LoRAs act on the text encoder too.

    Each is encoded alone, so that its states do not depend on what else is drawn.
    """

    def __init__(self, text_encoder: torch.nn.Module, bank: LoraBank, clip_skip: int) -> None:
        self._text_encoder, self._bank, self._clip_skip = text_encoder, bank, clip_skip
        self._states: dict[tuple[tuple[tuple[int, float], ...], Windows], Tensor] = {}
        self._like = next(text_encoder.parameters())

    def __call__(self, request: Request, windows: Windows) -> Tensor:
        """(1, 77·n, dim)."""
        used = [(request.adapter, request.weight), *((adapter, weight) for adapter, weight, _ in request.extra)]
        key = tuple((adapter, weight) for adapter, weight in used if adapter != BASE and weight), windows
        if key not in self._states:
            with self._bank.using(*_choose(self._bank, key[0], len(windows), self._like)):
                self._states[key] = encode_windows(self._text_encoder, windows, self._clip_skip)
        return self._states[key]


def _choose(bank: LoraBank, used: Sequence[tuple[int, float]], count: int, like: Tensor) -> list[object]:
    return [bank.choose([adapter] * count, [weight] * count, like=like) for adapter, weight in used]
