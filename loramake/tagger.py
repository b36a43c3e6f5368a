"""A WD-style tagger: an ONNX model that gives each picture a probability for every tag of its list."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from loramake import tags
from loramake.errors import UserError

# the tagger's own numbers, not those of a booru: 9 are the four ratings
_KINDS = {"0": "general", "4": "character", "9": "rating"}
DEFAULT_SIZE = 448  # where the model leaves its size open


@dataclass(frozen=True)
class Scores:
    """What the tagger thinks of one picture: normalized tag → probability, 0…1, the best first."""

    rating: dict[str, float]
    character: dict[str, float]
    general: dict[str, float]


@dataclass(frozen=True)
class Label:
    """One output of the model: a normalized tag and its kind."""

    tag: str
    kind: str


def read_labels(path: Path) -> list[Label]:
    """The tags of a `selected_tags.csv` (columns tag_id, name, category, count), in the order of the model's outputs.

    Kinds other than rating, general and character keep their number as kind; they are never used.

    Raises:
        UserError: no such file or not of that form.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as handle:
            return [
                Label(tags.normalize(row["name"]), _KINDS.get(row["category"].strip(), row["category"]))
                for row in csv.DictReader(handle)
            ]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, AttributeError, TypeError) as error:
        found = getattr(error, "strerror", None) or repr(error)
        raise UserError(
            "The tagger's list of tags cannot be read.", file=path, found=found,
            expected="the selected_tags.csv of the model, with columns name and category", setting="autotag.tags",
        ) from error  # fmt: skip


# px; a larger picture is brought down to this before it is set on white
_WIDEST = 4096


def on_white_square(rgb: np.ndarray, side: int) -> np.ndarray:
    """The picture in the middle of a white square, scaled to `side`, as the model takes it.

    Args:
        rgb: uint8 (height, width, 3).
        side: pixels.

    Returns:
        float32 (side, side, 3), BGR, 0…255.
    """
    height, width = rgb.shape[:2]
    if max(height, width) > _WIDEST:
        # a strip of 80,000 px would stand in a square of 19 GB
        scale = _WIDEST / max(height, width)
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
        rgb = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
    longer = max(height, width)
    square = np.full((longer, longer, 3), 255, np.uint8)
    top, left = (longer - height) // 2, (longer - width) // 2
    square[top : top + height, left : left + width] = rgb
    if longer != side:
        how = cv2.INTER_AREA if longer > side else cv2.INTER_CUBIC
        square = cv2.resize(square, (side, side), interpolation=how)
    return np.ascontiguousarray(square[:, :, ::-1], dtype=np.float32)


class Tagger:
    """A loaded model with its list of tags.

    Attributes:
        side: width and height of its input, pixels.
        batch: pictures at once that the model is made for; None = any number.
        provider: onnxruntime's name of what it runs on.
    """

    def __init__(self, model: Path, labels: list[Label], *, device: str, threads: int) -> None:
        """Load a model.

        Args:
            model: the .onnx file.
            labels: one for each output, from `read_labels`.
            device: auto, cuda, mps or cpu; auto = CUDA where onnxruntime has it.
            threads: CPU threads of the model.

        Raises:
            UserError: onnxruntime or CUDA is missing, or the model is none or not of this kind.
        """
        self._model, self._labels = model, labels
        self._session = _open_session(model, device, threads)
        self.provider = self._session.get_providers()[0]
        given, made = self._session.get_inputs()[0], self._session.get_outputs()[0]
        shape = given.shape
        if len(shape) != 4 or shape[3] != 3:
            raise self._unfit(f"an input of shape {shape}", "pictures of shape (batch, height, width, 3)")
        if isinstance(made.shape[-1], int) and made.shape[-1] != len(labels):
            raise self._unfit(f"{made.shape[-1]} outputs", f"{len(labels)}, as many as there are tags in autotag.tags")
        self._input = given.name
        self.side = shape[1] if isinstance(shape[1], int) else DEFAULT_SIZE
        self.batch = shape[0] if isinstance(shape[0], int) else None

    def score(self, pictures: np.ndarray, floor: float) -> list[Scores]:
        """Probabilities of `floor` and above for each picture, and of all ratings.

        Args:
            pictures: float32 (n, side, side, 3) from `on_white_square`; n ≤ `batch` where the model has one.

        Raises:
            UserError: the outputs are no probabilities.
        """
        count = len(pictures)
        if self.batch and count < self.batch:
            blank = np.zeros((self.batch - count, *pictures.shape[1:]), np.float32)
            pictures = np.concatenate([pictures, blank])
        (found, *_) = self._session.run(None, {self._input: pictures})
        found = np.asarray(found, np.float32)[:count].reshape(count, -1)
        if found.shape[1] != len(self._labels):
            raise self._unfit(f"{found.shape[1]} outputs", f"{len(self._labels)}, as many as tags in autotag.tags")
        if not (found.min() >= -1e-3 and found.max() <= 1 + 1e-3):
            raise self._unfit(f"outputs from {found.min():.3g} to {found.max():.3g}", "probabilities from 0 to 1")
        return [self._sort(row, floor) for row in found]

    def _sort(self, row: np.ndarray, floor: float) -> Scores:
        kinds: dict[str, dict[str, float]] = {"rating": {}, "character": {}, "general": {}}
        # a stable sort, so that equal scores keep the list's order
        for index in np.argsort(-row, kind="stable"):
            label = self._labels[index]
            if label.kind in kinds and label.tag and (row[index] >= floor or label.kind == "rating"):
                kinds[label.kind][label.tag] = round(float(row[index]), 4)
        return Scores(**kinds)

    def _unfit(self, found: str, expected: str) -> UserError:
        return UserError(
            "This model is no tagger of the WD kind.", file=self._model, found=found, expected=expected,
            setting="autotag.model and autotag.tags",
        )  # fmt: skip


def _open_session(model: Path, device: str, threads: int) -> object:
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError(
            "The tagger needs onnxruntime.", found=str(error), expected="pip install 'loramake[cpu]', or [gpu]",
            setting="autotag.model, empty to do without",
        ) from error  # fmt: skip
    there = onnxruntime.get_available_providers()
    cuda = device in ("auto", "cuda") and "CUDAExecutionProvider" in there
    if device == "cuda" and not cuda:
        raise UserError(
            "The tagger cannot run on this device.", found=f"device: cuda, onnxruntime has {', '.join(there)}",
            expected="onnxruntime-gpu, or device: cpu", setting="device",
        )  # fmt: skip
    if cuda:
        # CUDA's libraries come with torch's packages, where the system's loader does not look
        onnxruntime.preload_dlls()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            str(model), options, providers=[*(["CUDAExecutionProvider"] if cuda else []), "CPUExecutionProvider"]
        )
    # onnxruntime has a dozen kinds of errors with no common base
    except Exception as error:
        raise UserError(
            "The tagger's model cannot be read.", file=model, found=str(error).splitlines()[0][:200],
            expected="an .onnx file", setting="autotag.model",
        ) from error  # fmt: skip
