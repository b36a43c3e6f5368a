"""Captions to windows of token ids."""

from __future__ import annotations

import json

import pytest
from vectors import vectors

from loramake.diffusersfolder import SD15_FOLDER
from loramake.errors import UserError
from loramake.models import load_tokenizer
from loramake.tokens import BOS, EOS, choose_length, cut_tags, measure_caption, text_ids, windows


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer()


def test_recorded_captions(tokenizer):
    for entry in json.loads((vectors() / "tokens.json").read_text()):
        ours = windows(text_ids(tokenizer, entry["caption"]), entry["max_token_length"])
        assert ours == entry["input_ids"]


@pytest.mark.parametrize(("count", "length", "total"), [(0, 75, 1), (75, 75, 1), (76, 150, 2), (300, 225, 3)])
def test_windows_are_wrapped_and_padded(count, length, total):
    made = windows(list(range(1, count + 1)), length)
    assert len(made) == total
    assert all(len(w) == 77 and w[0] == BOS and w[-1] == EOS for w in made)
    inner = [i for w in made for i in w[1:-1]]
    assert inner[: min(count, length)] == list(range(1, min(count, length) + 1))
    assert set(inner[min(count, length) :]) <= {EOS}


@pytest.mark.parametrize(
    ("setting", "counts", "length"),
    [
        ("auto", [1, 75], 75),
        ("auto", [76], 150),
        ("auto", [151], 225),
        ("auto", [999], 225),
        ("auto", [], 75),
        (75, [99], 75),
    ],
)
def test_choice_of_length(setting, counts, length):
    assert choose_length(setting, counts) == length


def test_impossible_length_is_refused():
    with pytest.raises(UserError):
        choose_length(100, [])


def test_cut_tags_are_named(tokenizer):
    caption = ", ".join(["shim"] + [f"long hair {i}" for i in range(10, 30)])
    cut = cut_tags(tokenizer, caption, 75)
    assert cut and cut[-1] == "long hair 29" and "shim" not in cut
    assert cut_tags(tokenizer, "shim, 1girl", 75) == []


@pytest.mark.parametrize(
    "caption",
    ["shim, 1girl, blonde hair, ^_^, >_<", "it's 1999's don't, rosé’s «été», ＡＢＣ  \t x", "日本語, тест, ☃🙂, a" * 9, "", " , ,,", "0_0 3.14 <|x|>"],
)  # fmt: skip
def test_the_tokenizer_equals_transformers(tokenizer, caption):
    transformers = pytest.importorskip("transformers")
    theirs = transformers.CLIPTokenizer.from_pretrained(str(SD15_FOLDER / "tokenizer"), local_files_only=True)
    assert text_ids(tokenizer, caption) == text_ids(theirs, caption)


def test_what_each_length_would_cut(tokenizer):
    caption = ", ".join(["shim"] + [f"long hair {i}" for i in range(10, 40)])
    length = measure_caption(tokenizer, caption)
    assert length.tokens == len(text_ids(tokenizer, caption))
    assert [length.cut[limit] for limit in (75, 150, 225)] == [cut_tags(tokenizer, caption, n) for n in (75, 150, 225)]
    assert length.cut[75] and length.cut[225] == []
