"""A tagger of the WD kind, small enough to build in a test: it names the colour that a picture has most of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# name, category, weights of the mean blue, green and red (0…1), bias
LABELS = [
    ("general", 9, (0, 0, 0), 0.9),
    ("sensitive", 9, (0, 0, 0), 0.05),
    ("questionable", 9, (0, 0, 0), 0.03),
    ("explicit", 9, (0, 0, 0), 0.02),
    ("1girl", 0, (0, 0, 0), 0.97),
    ("blue_theme", 0, (1, -0.5, -0.5), 0),
    ("green_theme", 0, (-0.5, 1, -0.5), 0),
    ("red_theme", 0, (-0.5, -0.5, 1), 0),
    ("white_background", 0, (1 / 3, 1 / 3, 1 / 3), 0),
    ("^_^", 0, (0, 0, 0), 0.4),
    ("shimakaze_(azur_lane)", 4, (0, 0, 0), 0.8),
    ("amatsukaze_(azur_lane)", 4, (0, 0, 0), 0.9),
]


def write_tagger(folder: Path, *, side: int | str = 32, batch: int | str = "batch", labels: list = LABELS,
                 scale: float = 1.0) -> dict[str, str]:  # fmt: skip
    """Write model.onnx and selected_tags.csv; the config's keys for them.

    Args:
        side: width and height of the input, pixels, or a name where the model leaves it open.
        batch: pictures at once, likewise.
        scale: factor on all outputs; other than 1 they are no probabilities.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = np.array([weights for _, _, weights, _ in labels], np.float32).T * scale / 255
    bias = np.array([bias for *_, bias in labels], np.float32) * scale
    nodes = [
        helper.make_node("ReduceMean", ["picture", "axes"], ["mean"], keepdims=0),
        helper.make_node("Gemm", ["mean", "weights", "bias"], ["raw"]),
        helper.make_node("Clip", ["raw", "low", "high"], ["score"]),
    ]
    constants = {
        "axes": np.array([1, 2], np.int64), "weights": weights, "bias": bias,
        "low": np.array(0, np.float32), "high": np.array(max(1, scale), np.float32),
    }  # fmt: skip
    graph = helper.make_graph(
        nodes, "tagger",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [batch, side, side, 3])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [batch, len(labels)])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), folder / "model.onnx"
    )
    rows = [f"{number},{name},{category},100" for number, (name, category, *_) in enumerate(labels)]
    (folder / "selected_tags.csv").write_text("\n".join(["tag_id,name,category,count", *rows]) + "\n", encoding="utf-8")
    return {"model": str(folder / "model.onnx"), "tags": str(folder / "selected_tags.csv")}
