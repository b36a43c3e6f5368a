"""PNG text as the webui writes and reads it."""

import io

import numpy
import pytest
from PIL import Image

from loramake import pngtext

FIELDS = {
    "Steps": 28,
    "Sampler": "DPM++ 2M Karras",
    "CFG scale": 7,
    "Seed": 1337,
    "Size": "512x768",
    "Model hash": "0123456789",
    "Model": "some, model: v1",
    "VAE": None,
    "Clip skip": 2,
}


def picture() -> Image.Image:
    return Image.fromarray(numpy.random.default_rng(0).integers(0, 255, (9, 7, 3), dtype=numpy.uint8))


def test_layout():
    text = pngtext.write_parameters("shim, (smile:1.2)", "low quality", FIELDS)
    assert text.split("\n") == [
        "shim, (smile:1.2)",
        "Negative prompt: low quality",
        "Steps: 28, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 1337, Size: 512x768, Model hash: 0123456789, "
        'Model: "some, model: v1", Clip skip: 2',
    ]


@pytest.mark.parametrize(
    ("prompt", "negative"),
    [("a", ""), ("a", "b"), ("", ""), ("two\nlines", "two\nmore"), ("島風, <lora:x-000001:0.8>", "низкое качество")],
)
def test_read_back(prompt, negative):
    text = pngtext.write_parameters(prompt, negative, FIELDS)
    expected = {name: str(value) for name, value in FIELDS.items() if value is not None}
    assert pngtext.read_parameters(text) == (prompt, negative, expected)


def test_text_without_fields_is_a_prompt():
    assert pngtext.read_parameters("a, b\nc: d") == ("a, b\nc: d", "", {})


@pytest.mark.parametrize("text", ["plain\nSteps: 1", "島風", "naïve"])
def test_pillow_reads_the_chunk_and_the_pixels(text):
    data = pngtext.encode_png(picture(), text)
    image = Image.open(io.BytesIO(data))
    image.load()
    assert image.text == {"parameters": text} and pngtext.read_text(data) == text
    assert numpy.array_equal(numpy.asarray(image), numpy.asarray(picture()))


def test_pillow_written_text_is_read():
    from PIL.PngImagePlugin import PngInfo

    for text in ("latin", "島風"):
        info = PngInfo()
        info.add_text("parameters", text)
        buffer = io.BytesIO()
        picture().save(buffer, format="PNG", pnginfo=info)
        assert pngtext.read_text(buffer.getvalue()) == text


def test_replacing_text_keeps_the_pixels():
    first = pngtext.encode_png(picture(), "first")
    second = pngtext.replace_text(first, "второй")
    assert pngtext.read_text(second) == "второй"
    assert pngtext.pixels(first) == pngtext.pixels(second)
    assert pngtext.replace_text(second, "first") == first


def test_truncated_files_are_noticed(tmp_path):
    data = pngtext.encode_png(picture(), "x")
    whole, half = tmp_path / "whole.png", tmp_path / "half.png"
    whole.write_bytes(data)
    half.write_bytes(data[:-20])
    (tmp_path / "empty.png").touch()
    assert pngtext.is_whole(whole)
    assert not pngtext.is_whole(half) and not pngtext.is_whole(tmp_path / "empty.png")
    assert not pngtext.is_whole(tmp_path / "missing.png")
