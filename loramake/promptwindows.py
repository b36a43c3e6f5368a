"""Prompts to the states that the U-Net attends to, as the webui makes them: whole windows, broken at commas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from loramake.prompts import Sections
from loramake.textencode import encode
from loramake.tokens import BOS, EOS, WINDOW, Tokenizer, text_ids

COMMA = 267  # ",</w>" in CLIP's vocabulary
BACKTRACK = 20  # how far back, in tokens, a comma may lie at which a full window is broken
LEAST_MEAN = 1e-3  # of the states' standard deviation: below it their mean is not restored (SD1.5's is about 0.1)


@dataclass(frozen=True)
class Window:
    """77 token ids (BOS + 75 + EOS, padded with EOS) and the emphasis of each."""

    ids: tuple[int, ...]
    weights: tuple[float, ...]


def make_windows(sections: Sections, tokenizer: Tokenizer) -> tuple[Window, ...]:
    """Fill windows of 75 tokens with the text that one step sees; at least one window.

    A full window is broken after its last comma where that lies within the last 20 tokens, so that no tag which
    fits is torn apart; each BREAK starts a new window.
    """
    windows: list[Window] = []
    for place, section in enumerate(sections):
        tokens = [(token, piece.weight) for piece in section for token in text_ids(tokenizer, piece.text)]
        # an empty section still fills a window, but nothing follows the last BREAK
        if tokens or place < len(sections) - 1 or not windows:
            windows += [_wrap(part) for part in _split(tokens)]
    return tuple(windows)


def _split(tokens: list[tuple[int, float]]) -> list[list[tuple[int, float]]]:
    parts = []
    while len(tokens) > WINDOW:
        end = WINDOW
        # a comma that comes right after a full window opens the next one rather than breaking this one
        if tokens[WINDOW][0] != COMMA:
            commas = [at for at in range(WINDOW - BACKTRACK, WINDOW) if tokens[at][0] == COMMA]
            end = commas[-1] + 1 if commas else WINDOW
        parts.append(tokens[:end])
        tokens = tokens[end:]
    return [*parts, tokens]


def _wrap(tokens: list[tuple[int, float]]) -> Window:
    padding = WINDOW - len(tokens) + 1
    ids = (BOS, *(token for token, _ in tokens), *[EOS] * padding)
    return Window(ids, (1.0, *(weight for _, weight in tokens), *[1.0] * padding))


def encode_windows(text_encoder: torch.nn.Module, windows: Sequence[Window], clip_skip: int) -> Tensor:
    """States of a prompt's windows, joined: (1, 77·n, dim).

    Emphasis multiplies each token's states; then the window's mean is restored (the webui's convention). Windows
    without emphasis are left exactly as the text encoder gives them.

    Args:
        text_encoder: transformers' `CLIPTextModel`.
        windows: n of them, from `make_windows`.
        clip_skip: states n−1 layers before the last, then the final layer norm.
    """
    device = next(text_encoder.parameters()).device
    ids = torch.tensor([window.ids for window in windows], device=device)
    states = encode(text_encoder, ids[:, None], clip_skip)  # (n, 77, dim)
    for place, window in enumerate(windows):
        if any(weight != 1.0 for weight in window.weights):
            weights = torch.tensor(window.weights, device=device, dtype=states.dtype)[:, None]
            states[place] = _emphasise(states[place], weights)
    return states.flatten(0, 1)[None]


def _emphasise(states: Tensor, weights: Tensor) -> Tensor:
    """Multiply (77, dim) states by (77, 1) weights and restore their mean."""
    weighted = states * weights
    mean, new_mean = states.mean(), weighted.mean()
    # with a text encoder whose states average to zero both means are rounding errors, and their ratio may be anything
    if min(abs(mean), abs(new_mean)) < LEAST_MEAN * states.std():
        return weighted
    return weighted * (mean / new_mean)
