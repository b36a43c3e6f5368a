"""What the demo's base model is taught: what captions say, and where drawings show it."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "resources/demo"))

from basemodel import regions, text  # noqa: E402
from drawing import Attributes  # noqa: E402
from drawing.attributes import VALUES  # noqa: E402

from loramake.models import load_tokenizer  # noqa: E402
from loramake.tokens import text_ids  # noqa: E402

PERSON = Attributes(hair_color="blue", clothes="red dress", eye_color="green", ears="cat ears")


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer()


def told(tokenizer, caption: str, token: int, field: str) -> str | None:
    value = text.told_so_far(tokenizer, PERSON, caption)[token, list(VALUES).index(field)]
    return None if value < 0 else VALUES[field][value]


def test_a_colour_is_known_at_the_word_it_belongs_to_and_ever_after(tokenizer):
    caption = "1girl, blue hair, red dress"
    ids = text.tokenize(tokenizer, [caption])[0].tolist()
    hair = ids.index(text_ids(tokenizer, "hair")[0])
    dress = ids.index(text_ids(tokenizer, "dress")[0])
    assert [told(tokenizer, caption, place, "hair_color") for place in (hair - 1, hair, dress, 76)] == [
        None, "blue", "blue", "blue"
    ]  # fmt: skip
    assert (
        told(tokenizer, caption, hair, "clothes") is None and told(tokenizer, caption, dress, "clothes") == "red dress"
    )
    assert told(tokenizer, caption, 76, "eye_color") is None  # not said, though it shows


def test_tag_codes_tell_equal_words_of_different_tags_apart(tokenizer):
    codes = torch.randn(49408, 64, generator=torch.Generator().manual_seed(0))
    ids = text.tokenize(tokenizer, ["blue hair, long hair, blue dress", "red hair, blue hair"])
    made = text.tag_codes(codes, ids)
    hair = (ids == text_ids(tokenizer, "hair")[0]).nonzero().tolist()
    blue, long, red, again = (made[row, place] for row, place in hair)
    assert torch.allclose(blue, again)  # wherever the tag stands
    assert not torch.allclose(blue, red) and not torch.allclose(blue, long)
    own = codes[text_ids(tokenizer, "hair")[0]]
    assert all(torch.cosine_similarity(state, own, dim=0) > 0.5 for state in (blue, long, red))


def test_the_loss_looks_at_the_ears(tokenizer):
    size = (160, 160)
    weights = regions.weights([PERSON], size, 5)[0, 0]
    assert weights.shape == (20, 20) and weights.mean() == pytest.approx(1)
    from drawing import geometry

    x0, y0, x1, y1 = geometry(PERSON, size, 5)["left_ear"]
    inside = weights[int((y0 + y1) / 16), int((x0 + x1) / 16)]
    assert inside == weights.max() and inside > 3 * weights.min()
