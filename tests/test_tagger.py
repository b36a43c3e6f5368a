"""The tagger's contract: what the model is given, and what its outputs mean."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from tinytagger import LABELS, write_tagger

from loramake.errors import UserError
from loramake.tagger import DEFAULT_SIZE, Tagger, on_white_square, read_labels


def load(folder, device="cpu", **options):
    made = write_tagger(folder, **options)
    return Tagger(made["model"], read_labels(made["tags"]), device=device, threads=1)


def colour(rgb, width=30, height=30):
    return np.full((height, width, 3), rgb, np.uint8)


def test_the_square_is_white_bgr_and_0_to_255():
    square = on_white_square(colour((200, 100, 50), 16, 32), 32)
    assert square.dtype == np.float32 and square.shape == (32, 32, 3)
    assert square[16, 16].tolist() == [50, 100, 200]
    assert square[16, 0].tolist() == square[16, 31].tolist() == [255, 255, 255]
    assert on_white_square(colour((200, 100, 50), 64, 128), 32)[16, 16].tolist() == [50, 100, 200]
    assert on_white_square(colour((0, 0, 0), 1, 1), 32).max() == 0


def test_a_long_strip_takes_no_more_memory_than_it_needs():
    strip = colour((0, 0, 0), 120_000, 4)
    tracemalloc.start()
    square = on_white_square(strip, 32)
    assert tracemalloc.get_traced_memory()[1] < 200e6
    tracemalloc.stop()
    assert square.min() < 255 and square.max() == 255


def test_labels_in_spaces_but_for_emoticons(tmp_path):
    labels = read_labels(write_tagger(tmp_path)["tags"])
    assert [label.tag for label in labels][4:] == [
        "1girl", "blue theme", "green theme", "red theme", "white background", "^_^",
        "shimakaze (azur lane)", "amatsukaze (azur lane)",
    ]  # fmt: skip
    assert {label.kind for label in labels} == {"rating", "general", "character"}


@pytest.mark.parametrize("emoticon", ["0_0", "(o)_(o)", "+_+", "+_-", "._.", "<o>_<o>", "<|>_<|>", "=_=", ">_<", "3_3",
                                      "6_9", ">_o", "@_@", "^_^", "o_o", "u_u", "x_x", "|_|", "||_||"])  # fmt: skip
def test_emoticons_of_the_wd_taggers(tmp_path, emoticon):
    labels = read_labels(write_tagger(tmp_path, labels=[(emoticon, 0, (0, 0, 0), 0)])["tags"])
    assert labels[0].tag == emoticon


def test_scores_see_the_picture(tmp_path):
    tagger = load(tmp_path)
    assert (tagger.side, tagger.batch) == (32, None)
    batch = np.stack([on_white_square(colour(rgb), 32) for rgb in [(255, 0, 0), (0, 0, 255), (0, 0, 0)]])
    red, blue, black = tagger.score(batch, 0.35)
    assert list(red.general) == ["red theme", "1girl", "^_^"]
    assert red.general["red theme"] == 1.0
    assert list(blue.general)[0] == "blue theme"
    assert list(black.general) == ["1girl", "^_^"]
    assert list(red.rating) == ["general", "sensitive", "questionable", "explicit"]
    assert red.character == {"amatsukaze (azur lane)": 0.9, "shimakaze (azur lane)": 0.8}


def test_a_model_made_for_two_pictures_at_once_takes_one_too(tmp_path):
    tagger = load(tmp_path, batch=2)
    assert tagger.batch == 2
    (red,) = tagger.score(on_white_square(colour((255, 0, 0)), 32)[None], 0.35)
    assert list(red.general)[0] == "red theme"


def test_a_model_that_leaves_its_size_open(tmp_path):
    assert load(tmp_path, side="side").side == DEFAULT_SIZE


def test_other_models_are_refused(tmp_path):
    with pytest.raises(UserError, match="probabilities"):
        load(tmp_path / "a", scale=9.0).score(np.full((1, 32, 32, 3), 255, np.float32), 0.35)
    made = write_tagger(tmp_path / "b")
    with pytest.raises(UserError, match="autotag.tags"):
        Tagger(made["model"], read_labels(made["tags"])[:-1], device="cpu", threads=1)
    (tmp_path / "c.onnx").write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match="autotag.model"):
        Tagger(tmp_path / "c.onnx", [], device="cpu", threads=1)
    with pytest.raises(UserError, match="device"):
        load(tmp_path / "d", device="cuda")


@pytest.mark.parametrize("content", [None, "a,b\n1,2\n", "name\nx\n", "\xff"])
def test_other_lists_are_refused(tmp_path, content):
    path = tmp_path / "list.csv"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match="autotag.tags"):
        assert read_labels(path)  # an empty list is refused with the model, by its number of outputs


def test_every_label_has_an_output(tmp_path):
    assert len(read_labels(write_tagger(tmp_path)["tags"])) == len(LABELS)
