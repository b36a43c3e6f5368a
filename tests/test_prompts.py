"""The webui's prompt language, against cases worked out by hand from its rules."""

import pytest

from loramake.errors import UserError
from loramake.prompts import Piece, at_step, escape, fill_trigger, parse, per_step


def pieces(prompt: str, step: int = 1, steps: int = 10) -> list[tuple[str, float]]:
    (section,) = at_step(parse(prompt), step, steps)
    return [(piece.text, pytest.approx(piece.weight)) for piece in section]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("", []),
        ("1girl, solo", [("1girl, solo", 1)]),
        ("a (b) c", [("a ", 1), ("b", 1.1), (" c", 1)]),
        ("((b))", [("b", 1.21)]),
        ("[b]", [("b", 1 / 1.1)]),
        ("([b])", [("b", 1)]),
        ("(b:1.4)", [("b", 1.4)]),
        ("(b:.5)", [("b", 0.5)]),
        ("(b: 1.4 )", [("b", 1.4)]),
        ("(a (b:2) c:1.5)", [("a ", 1.5), ("b", 3), (" c", 1.5)]),
        ("(worst quality, low quality:1.4), text", [("worst quality, low quality", 1.4), (", text", 1)]),
        (r"shim \(azur lane\)", [("shim (azur lane)", 1)]),
        (r"\[a\] \\ b\:c \| d", [(r"[a] \ b:c | d", 1)]),
        ("(:d)", [(":d", 1.1)]),
        (":d, ^_^, a|b", [(":d, ^_^, a|b", 1)]),
        ("(a:b:1.2)", [("a:b", 1.2)]),
        ("(島風:1.2)", [("島風", 1.2)]),
        ("BREAKFAST, SAND, BAND", [("BREAKFAST, SAND, BAND", 1)]),
    ],
)
def test_emphasis_and_escapes(prompt, expected):
    assert pieces(prompt) == expected


def words(prompt: str, steps: int) -> list[str]:
    return ["|".join("".join(p.text for p in s) for s in sections) for sections in per_step(parse(prompt), steps)]


@pytest.mark.parametrize(
    ("prompt", "steps", "expected"),
    [
        ("[a:b:0.5]", 4, ["a", "a", "b", "b"]),
        ("[a:b:3]", 4, ["a", "a", "a", "b"]),
        ("[a:b:0]", 2, ["b", "b"]),
        ("[a:b:99]", 2, ["a", "a"]),
        ("[b:0.25]", 4, ["", "b", "b", "b"]),
        ("[a::0.25]", 4, ["a", "", "", ""]),
        ("[a|b]", 4, ["a", "b", "a", "b"]),
        ("[a|b|]x", 4, ["ax", "bx", "x", "ax"]),
        ("[:d|:o]", 2, [":d", ":o"]),
        ("[white|blue] striped", 3, ["white striped", "blue striped", "white striped"]),
        ("[[a|b]:c:0.5]", 4, ["a", "b", "c", "c"]),
        ("[a:[b:c:0.75]:0.5]", 4, ["a", "a", "b", "c"]),
        ("[(a:1.3)|b]", 2, ["a", "b"]),
        ("a BREAK b", 1, ["a | b"]),
        ("[a:a BREAK b:0.5]", 2, ["a", "a | b"]),
    ],
)
def test_what_each_step_sees(prompt, steps, expected):
    assert words(prompt, steps) == expected


def test_emphasis_reaches_into_schedules():
    assert at_step(parse("([a|b]:1.5)"), 2, 4) == ((Piece("b", 1.5),),)


def test_equal_text_is_equal_so_that_it_is_encoded_once():
    first, second, third = per_step(parse("x [a|b]"), 3)
    assert first == third and hash(first) == hash(third) and first != second


def test_break_keeps_emphasis():
    assert at_step(parse("(aBREAK, b BREAK c:2)"), 1, 1) == ((Piece("aBREAK, b ", 2.0),), (Piece(" c", 2.0),))


@pytest.mark.parametrize(
    ("prompt", "column"),
    [
        ("a (b", 2),
        ("a [b", 2),
        ("a) b", 1),
        ("a] b", 1),
        ("(a]", 2),
        ("[a)", 2),
        ("[a:b]", 3),
        ("[a:b:c]", 5),
        ("[a:b:-1]", 5),
        ("[a:b:c:0.5]", 4),
        ("a AND b", 2),
        ("a <lora:x:1> b", 2),
    ],
)
def test_mistakes_are_pointed_at(prompt, column):
    with pytest.raises(UserError) as error:
        parse(prompt, setting="grid.negative_prompt")
    lines = str(error.value).splitlines()
    source, caret = lines[1:3]
    assert source[4:] == prompt
    assert caret[4:] == " " * column + "^"
    assert "grid.negative_prompt" in str(error.value)


def test_caret_in_a_long_prompt_of_wide_characters():
    prompt = "島風, " * 40 + "(x"
    with pytest.raises(UserError) as error:
        parse(prompt)
    source, caret = str(error.value).splitlines()[1:3]
    assert source.endswith("(x") and len(source) < 60
    width = sum(2 if ord(c) > 0x3000 else 1 for c in source[: source.index("(")])
    assert caret.index("^") == width


@pytest.mark.parametrize("text", ["shim", "shim (azur lane)", "a:b|c", "[x]", "\\o/"])
def test_escaped_text_is_read_literally(text):
    assert pieces(f"({escape(text)}:1.5)") == [(text, 1.5)]
    assert pieces(fill_trigger("{trigger}", text)) == [(text, 1)]
