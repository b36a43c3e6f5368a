"""Windows of tokens and the states made of them."""

import functools

import pytest
import torch
from tinymodels import tiny_models

from loramake.models import load_tokenizer
from loramake.prompts import at_step, parse
from loramake.promptwindows import COMMA, encode_windows, make_windows
from loramake.textencode import encode
from loramake.tokens import BOS, EOS, windows

tokenizer = functools.cache(load_tokenizer)


@functools.cache
def models():
    tiny = tiny_models()
    # as in a trained encoder, the states do not average to zero
    torch.nn.init.normal_(tiny.text_encoder.get_submodule(norm_name(tiny.text_encoder)).bias, mean=0.2)
    return tiny


def norm_name(text_encoder) -> str:
    return next(name for name, _ in text_encoder.named_modules() if name.endswith("final_layer_norm"))


def made(prompt: str):
    return make_windows(at_step(parse(prompt).parts[0].body, 1, 1), tokenizer())


def inner(window) -> list[int]:
    return [token for token in window.ids[1:-1] if token != EOS]


def counted(*counts: int) -> str:
    """Tags of so many tokens each, commas not counted."""
    return ", ".join(" ".join(["cat"] * count) for count in counts)


def test_a_short_prompt_is_one_window_as_in_training():
    (window,) = made("1girl, (red dress:1.3), smile")
    plain = windows(tokenizer()("1girl, red dress, smile", add_special_tokens=False)["input_ids"], 75)[0]
    assert list(window.ids) == plain
    assert window.ids[0] == BOS and len(window.ids) == len(window.weights) == 77
    assert [w for w in window.weights if w != 1] == [1.3, 1.3]
    assert window.weights[0] == 1 and window.weights[-1] == 1


def test_the_comma_of_clip():
    assert tokenizer()("a, b", add_special_tokens=False)["input_ids"][1] == COMMA


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([75], [75]),
        ([76], [75, 1]),
        ([70, 10], [71, 10]),  # the tag that would be torn goes over whole
        ([55, 30], [56, 30]),
        ([54, 30], [75, 10]),  # the comma lies 21 tokens back
        ([74, 5], [75, 5]),
        ([75, 5], [75, 6]),  # a comma right behind a full window
        ([60, 13, 13], [75, 13]),
        ([70, 70, 70], [71, 71, 70]),
        ([160], [75, 75, 10]),
    ],
)
def test_where_windows_break(counts, expected):
    assert [len(inner(window)) for window in made(counted(*counts))] == expected


@pytest.mark.parametrize("first", range(50, 76))
def test_a_tag_that_fits_is_never_torn(first):
    prompt = counted(first, 15, 15)
    tags = [part for window in made(prompt) for part in [inner(window)]]
    rebuilt = [token for part in tags for token in part]
    assert rebuilt == tokenizer()(prompt, add_special_tokens=False)["input_ids"]
    for part in tags[:-1]:
        assert part[-1] == COMMA or len(part) == 75


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [("", [0]), ("a BREAK b", [1, 1]), ("a BREAK", [1]), ("BREAK a", [0, 1]), ("a BREAK BREAK b", [1, 0, 1])],
)
def test_break(prompt, expected):
    assert [len(inner(window)) for window in made(prompt)] == expected


def encoded(prompt: str) -> torch.Tensor:
    with torch.inference_mode():
        return encode_windows(models().text_encoder, made(prompt), 2)


def test_plain_prompts_equal_the_simple_encoding():
    ids = torch.tensor([windows(tokenizer()("1girl, smile", add_special_tokens=False)["input_ids"], 75)])
    assert torch.equal(encoded("1girl, smile"), encode(models().text_encoder, ids, 2))
    assert torch.equal(encoded("(1girl, smile:1.0)"), encoded("1girl, smile"))


def test_windows_are_kept_whole():
    ids = [window.ids for window in made("a BREAK b")]
    expected = encode(models().text_encoder, torch.tensor(ids)[:, None], 2)
    assert torch.equal(encoded("a BREAK b"), expected.reshape(1, 154, -1))


def test_emphasis_scales_states_and_keeps_the_mean_of_each_window():
    plain, strong = encoded("1girl, smile BREAK hat"), encoded("1girl, (smile:1.4) BREAK hat")
    assert torch.equal(plain[:, 77:], strong[:, 77:])
    (place,) = [at for at, weight in enumerate(made("1girl, (smile:1.4)")[0].weights) if weight != 1]
    ratio = strong[0, :77] / plain[0, :77]
    assert torch.allclose(ratio[place] / ratio[1], torch.tensor(1.4), rtol=1e-3)
    assert torch.allclose(ratio[1], ratio[place + 1], rtol=1e-3)
    assert float(strong[0, :77].mean()) == pytest.approx(float(plain[0, :77].mean()), abs=1e-6)


def test_states_without_a_mean_are_scaled_only():
    text_encoder = tiny_models().text_encoder
    windows_ = made("1girl, (smile:1.4)")
    with torch.inference_mode():
        plain = encode_windows(text_encoder, made("1girl, smile"), 2)
        strong = encode_windows(text_encoder, windows_, 2)
    weights = torch.tensor(windows_[0].weights)[:, None]
    assert torch.allclose(strong[0], plain[0] * weights, atol=1e-6)
