"""Lines of text in a picture, found and read by the models inside the package rapidocr; each picture once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cv2
import numpy as np

from loramake.errors import UserError
from loramake.files import read_json, to_json, write_text

# longer sides, px, at which a picture is looked at: lines that run over a figure are found at one size only
_SIZES = (1104, 480)
# what the reader makes of stripes, lashes and stars are single letters, or a few with little certainty
_LEAST_CERTAIN = {2: 0.85, 3: 0.7}
# a line is no higher than this, share of the picture's shorter side; what is, are faces taken for characters
_HIGHEST_LINE = 0.2

Point = tuple[int, int]


@dataclass(frozen=True)
class Line:
    """One line (or column) of text.

    Attributes:
        corners: four points (x, y) in pixels, in order around the line.
        text: as it was read; good enough to tell letters from a drawing, no more.
    """

    corners: tuple[Point, Point, Point, Point]
    text: str


Detector = Callable[[np.ndarray], list[Line]]


def open_detector() -> Detector:
    """Load the detector: rapidocr's own model, one CPU thread, safe to call from several threads.

    Returns:
        a function from an RGB picture, uint8 (height, width, 3), to its lines.

    Raises:
        UserError: rapidocr or onnxruntime is not installed.
    """
    try:
        from rapidocr import RapidOCR

        version("onnxruntime")
    except (ImportError, PackageNotFoundError) as error:
        try:
            version("onnxruntime-gpu")
            missing = "rapidocr"
        except PackageNotFoundError:
            missing = "rapidocr onnxruntime"
        raise UserError(
            "Finding text needs a package that is not installed.", found=str(error),
            expected=f"pip install {missing}", setting="clean.text: ignore does without",
        ) from error  # fmt: skip
    # nothing is ever downloaded: both models lie in the package, and the third, its classifier, is not asked
    engine = RapidOCR(
        params={
            "Global.log_level": "error",
            "Global.use_cls": False,
            "Global.text_score": min(_LEAST_CERTAIN.values()),
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "Det.limit_type": "max",
            "Det.limit_side_len": max(_SIZES),
            "Det.box_thresh": 0.3,
        }
    )

    def read(rgb: np.ndarray, longest: int) -> list[Line]:
        height, width = rgb.shape[:2]
        scale = longest / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        # the models were taught OpenCV's order of colours
        found = engine(np.ascontiguousarray(small[:, :, ::-1]), use_det=True, use_cls=False, use_rec=True)
        if found.boxes is None or found.txts is None:
            return []
        lines = []
        for corners, text, score in zip(np.asarray(found.boxes), found.txts, found.scores, strict=True):
            sides = [float(np.linalg.norm(corners[n] - corners[n - 1])) for n in (1, 2)]
            if _is_text(text, float(score)) and min(sides) <= _HIGHEST_LINE * min(size):
                lines.append(Line(tuple(map(tuple, (corners / scale).round().astype(int).tolist())), text))
        return lines

    return lambda rgb: [line for longest in _SIZES for line in read(rgb, longest)]


def _is_text(text: str, score: float) -> bool:
    """Whether what was read, with this certainty (0…1), is writing."""
    letters = sum(character.isalnum() for character in text)
    return letters >= 2 and score >= _LEAST_CERTAIN[min(letters, max(_LEAST_CERTAIN))]


def detector_name() -> str:
    """What the lines depend on besides the picture."""
    try:
        return f"rapidocr {version('rapidocr')}, {_SIZES}, {_LEAST_CERTAIN}, {_HIGHEST_LINE}"
    except PackageNotFoundError:
        return ""


def remember_lines(record: Path, rgb: np.ndarray, detect: Detector) -> list[Line]:
    """The lines of a picture from its record, or detected and recorded.

    Args:
        record: JSON file that belongs to this picture's content.
        rgb: the picture, uint8 (height, width, 3).
        detect: from `open_detector`.
    """
    name = detector_name()
    try:
        stored = read_json(record)
        if stored["detector"] == name:
            return [Line(tuple(map(tuple, corners)), text) for corners, text in stored["lines"]]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # a lost or damaged record costs one detection
    lines = detect(rgb)
    write_text(record, to_json({"detector": name, "lines": [[line.corners, line.text] for line in lines]}))
    return lines
