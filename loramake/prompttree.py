"""What a prompt means, once read: a tree of plain values."""

from __future__ import annotations

from dataclasses import dataclass


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
class Part:
    """One side of AND: a prompt of its own, and the weight of its pull."""

    body: Sequence
    weight: float = 1.0


@dataclass(frozen=True)
class LoraTag:
    """`<lora:name:text_weight:unet_weight>`: acts on the whole picture, wherever it stands."""

    name: str
    text_weight: float
    unet_weight: float


@dataclass(frozen=True)
class Prompt:
    """A whole prompt: its parts (one without AND) and the LoRAs it calls, in order."""

    parts: tuple[Part, ...]
    loras: tuple[LoraTag, ...] = ()
