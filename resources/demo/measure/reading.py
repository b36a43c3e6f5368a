"""Reads attributes off pictures, and says whether a picture obeys what was asked of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from drawing.attributes import SIGNATURE, Attributes
from PIL import Image

from .classes import FIELDS, HEADS, UNKNOWN, visible
from .colours import signature_colours
from .network import Reader, load, seen_size, to_input

CLEAR = 0.4  # an eye colour less probable than this is "unknown"
BATCH = 32


@dataclass(frozen=True)
class Reading:
    """What was read; every field is one of ``classes.HEADS[field]``.

    ``signature`` says of ears, headwear and legwear whether the one character's
    own detail is there: network and colour test agree. ``certainty`` is the
    probability (0..1) the network gave to each field's value.
    """

    hair_color: str
    hair_style: str
    eye_color: str
    ears: str
    clothes: str
    headwear: str
    legwear: str
    prop: str
    background: str
    signature: dict[str, bool]
    certainty: dict[str, float] = field(default_factory=dict)

    @property
    def whole_signature(self) -> bool:
        """All three details in one picture."""
        return all(self.signature.values())


def read(picture: Image.Image | np.ndarray) -> Reading:
    """The attributes of one picture (PIL, or uint8 (h, w, 3)); the figure may be anywhere in it."""
    return read_many([picture])[0]


def read_many(pictures: Sequence[Image.Image | np.ndarray]) -> list[Reading]:
    """The attributes of pictures of any sizes, read in batches."""
    arrays = [np.asarray(p.convert("RGB")) if isinstance(p, Image.Image) else p for p in pictures]
    inputs = [_shrunk(a) for a in arrays]
    reader = load()
    readings: list[Reading | None] = [None] * len(arrays)
    for shape in {a.shape for a in inputs}:
        same = [i for i, a in enumerate(inputs) if a.shape == shape]
        for start in range(0, len(same), BATCH):
            chosen = same[start : start + BATCH]
            found = _classify(reader, np.stack([inputs[i] for i in chosen]))
            for i, (values, certainty) in zip(chosen, found, strict=True):
                readings[i] = _reading(arrays[i], values, certainty)
    return readings  # type: ignore[return-value]


def _shrunk(picture: np.ndarray) -> np.ndarray:
    size = seen_size(picture.shape[1], picture.shape[0])
    if size == (picture.shape[1], picture.shape[0]):
        return picture
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


@torch.inference_mode()
def _classify(reader: Reader, pictures: np.ndarray) -> list[tuple[dict[str, str], dict[str, float]]]:
    """For each picture its likeliest values and their probabilities."""
    logits = reader(to_input(torch.from_numpy(np.ascontiguousarray(pictures))))
    out: list[tuple[dict[str, str], dict[str, float]]] = [({}, {}) for _ in pictures]
    for name in FIELDS:
        best = logits[name].softmax(-1).max(-1)
        for row, (share, index) in enumerate(zip(best.values.tolist(), best.indices.tolist(), strict=True)):
            out[row][0][name] = HEADS[name][index]
            out[row][1][name] = share
    return out


def _reading(picture: np.ndarray, values: dict[str, str], certainty: dict[str, float]) -> Reading:
    if certainty["eye_color"] < CLEAR:
        values = {**values, "eye_color": UNKNOWN}
    colours = signature_colours(picture)
    signature = {name: values[name] == SIGNATURE[name] and colours[name] for name in SIGNATURE}
    return Reading(**values, signature=signature, certainty=certainty)


def obeys(reading: Reading, attributes: Attributes, fields: Iterable[str] = FIELDS) -> dict[str, bool]:
    """For each of ``fields`` that a picture of ``attributes`` can show, whether it is as asked.

    Closed eyes have no colour and an upper body has no legs: these are left out.
    """
    return {f: getattr(reading, f) == getattr(attributes, f) for f in fields if visible(attributes, f)}
