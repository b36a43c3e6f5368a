"""The webui's prompt language, against cases worked out by hand from its rules."""

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies

from loramake.errors import UserError
from loramake.prompts import Piece, at_step, escape, fill_trigger, parse, parse_negative, per_step
from loramake.prompttree import LoraTag, Sequence


def body(prompt: str) -> Sequence:
    """What a prompt without AND says."""
    (part,) = parse(prompt).parts
    assert part.weight == 1
    return part.body


def pieces(prompt: str, step: int = 1, steps: int = 10) -> list[tuple[str, float]]:
    (section,) = at_step(body(prompt), step, steps)
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
        ("break and and", [("break and and", 1)]),
        ("(a:1.3)", [("a", 1.3)]),
        ("(a:+1.3)", [("a", 1.3)]),
        ("(a:-1)", [("a", -1)]),
        ("(a:0)", [("a", 0)]),
        ("(a:1.)", [("a", 1)]),
        ("(a:1.2.3)", [("a:1.2.3", 1.1)]),
        ("(a:b)", [("a:b", 1.1)]),
        ("((a))", [("a", 1.21)]),
        ("((a:1.3))", [("a", 1.43)]),
        ("(((a)))", [("a", 1.331)]),
        ("[[a]]", [("a", 1 / 1.21)]),
        ("[(a:1.5)]", [("a", 1.5 / 1.1)]),
        ("[a](b)", [("a", 1 / 1.1), ("b", 1.1)]),
        ("(a)(b)", [("ab", 1.1)]),
        (
            "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).)",
            [
                ("a ", 1),
                ("house", 1.3 * 1.1 * 1.1),
                (" ", 1.1),
                ("on", 1),
                (" a ", 1.1),
                ("hill", 0.55),
                (", sun, ", 1.1),
                ("sky", 1.1**4),
                (".", 1.1),
            ],
        ),
        ("()", []),
        ("[]", []),
        ("(a|b)", [("a|b", 1.1)]),
        (r"(a\):1.2)", [("a)", 1.2)]),
        (r"(a\:1.2)", [("a:1.2", 1.1)]),
        (r"\a\,b", [("a,b", 1)]),
        ("a\\", [("a", 1)]),
        (r"\BREAK \AND", [("BREAK AND", 1)]),
        ("<3, >_<, a < b > c", [("<3, >_<, a < b > c", 1)]),
        (r"\<lora:x:1>", [("<lora:x:1>", 1)]),
        ("1girl,\nsolo", [("1girl,\nsolo", 1)]),
        ("1girl, :3", [("1girl, :3", 1)]),
    ],
)
def test_emphasis_and_escapes(prompt, expected):
    assert pieces(prompt) == expected


def words(prompt: str, steps: int) -> list[str]:
    return ["|".join("".join(p.text for p in s) for s in sections) for sections in per_step(body(prompt), steps)]


@pytest.mark.parametrize(
    ("prompt", "steps", "expected"),
    [
        ("[a:b:0.5]", 4, ["a", "a", "b", "b"]),
        ("[a:b:3]", 4, ["a", "a", "a", "b"]),
        ("[a:b:0]", 2, ["b", "b"]),
        ("[a:b:99]", 2, ["a", "a"]),
        ("[b:0.25]", 4, ["", "b", "b", "b"]),
        ("[:0.5]", 2, ["", ""]),
        ("[::0.5]", 2, ["", ""]),
        ("[a:b:.5]", 2, ["a", "b"]),
        ("[a:b: 0.5 ]", 2, ["a", "b"]),
        ("[a:b:0.99]", 3, ["a", "a", "b"]),
        ("[a:b:1]", 3, ["a", "b", "b"]),  # from 1 on a step, not a share
        ("[a:b:1.5]", 3, ["a", "b", "b"]),
        ("[a:b:0.5]", 5, ["a", "a", "b", "b", "b"]),  # shares are rounded down
        ("[a:b:0.5]", 1, ["b"]),
        ("[a, (b:1.2):c:2]x", 3, ["a, bx", "a, bx", "cx"]),
        ("[a:[b|c]:2]", 5, ["a", "a", "b", "c", "b"]),
        ("[[a:b:1]|c]", 4, ["a", "c", "b", "c"]),
        ("[|a]", 3, ["", "a", ""]),
        ("[a|b|c]", 4, ["a", "b", "c", "a"]),
        ("[a|b:0.5]", 2, ["a", "b:0.5"]),
        ("[a|[b|c]]", 4, ["a", "c", "a", "c"]),
        (r"[a\:b:c:1]", 2, ["a:b", "c"]),
        (r"[a\|b]", 1, ["a|b"]),
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
    assert at_step(body("([a|b]:1.5)"), 2, 4) == ((Piece("b", 1.5),),)


def test_equal_text_is_equal_so_that_it_is_encoded_once():
    first, second, third = per_step(body("x [a|b]"), 3)
    assert first == third and hash(first) == hash(third) and first != second


def test_break_keeps_emphasis():
    assert at_step(body("(aBREAK, b BREAK c:2)"), 1, 1) == ((Piece("aBREAK, b ", 2.0),), (Piece(" c", 2.0),))


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
        ("((a)", 0),
        ("a:1.2)", 5),
        ("[(a:0.5]", 7),
        ("(a AND b)", 3),
        ("[a AND b|c]", 3),
        ("a <lora:x:1", 2),
        ("a <lora:>", 2),
        ("a <lora:x:b>", 10),
        ("<lora:x:1:lbw=2>", 10),
        ("<lora:x:1:0.5:0.2>", 14),
        ("a <hypernet:x:1>", 2),
        ("<foo:x>", 0),
        ("[<lora:x:1>:0.5]", 1),
        ("[a|b <lora:x:1>]", 5),
    ],
)
def test_mistakes_are_pointed_at(prompt, column):
    with pytest.raises(UserError) as error:
        parse(prompt, setting="grid.prompts[2]")
    assert_points(error.value, prompt, column)
    assert "grid.prompts[2]" in str(error.value)


def assert_points(error: UserError, prompt: str, column: int) -> None:
    source, caret = str(error).splitlines()[1:3]
    assert source[4:] == prompt
    assert caret[4:] == " " * column + "^"


@pytest.mark.parametrize(("prompt", "column"), [("a AND b", 2), ("a, <lora:x:1>", 3), ("(a", 0)])
def test_what_a_negative_prompt_cannot_say(prompt, column):
    with pytest.raises(UserError) as error:
        parse_negative(prompt)
    assert_points(error.value, prompt, column)
    assert "grid.negative_prompt" in str(error.value)


def test_a_negative_prompt_has_the_same_language():
    assert parse_negative("(bad:1.4), [a|b] BREAK c") == parse("(bad:1.4), [a|b] BREAK c")


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a AND b", [("a ", 1), (" b", 1)]),
        ("a :1.2 AND b: -0.5", [("a ", 1.2), (" b", -0.5)]),
        ("a:.8 AND b:2", [("a", 0.8), (" b", 2)]),
        ("a AND b AND c :0.3", [("a ", 1), (" b ", 1), (" c ", 0.3)]),
        ("(a:1.2) AND b", [("a ", 1), (" b", 1)]),  # a bracket's weight is emphasis
        ("a, :d AND b", [("a, :d ", 1), (" b", 1)]),
        (r"a, \:3 AND b", [("a, :3 ", 1), (" b", 1)]),
        ("a :1:2 AND b", [("a :1", 2), (" b", 1)]),
        ("a :1.5 <lora:x:0.5> AND b", [("a ", 1.5), (" b", 1)]),
        ("AND b", [("", 1), (" b", 1)]),
    ],
)
def test_and(prompt, expected):
    parts = parse(prompt).parts
    texts = ["".join(p.text for p in at_step(part.body, 1, 1)[0]) for part in parts]
    assert list(zip(texts, [part.weight for part in parts], strict=True)) == expected


def test_each_part_has_its_own_schedule_and_windows():
    first, second = parse("[a|b] :0.5 AND c BREAK (d:2)").parts
    assert [at_step(first.body, step, 2)[0][0].text for step in (1, 2)] == ["a ", "b "]
    assert at_step(second.body, 1, 2) == ((Piece(" c ", 1),), (Piece(" ", 1), Piece("d", 2)))


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("<lora:x>", ("x", 1, 1)),
        ("<lora:x:0.8>", ("x", 0.8, 0.8)),
        ("<lora:x:0.8:0.5>", ("x", 0.8, 0.5)),  # text encoder first
        ("<lora:x:unet=0.5>", ("x", 1, 0.5)),
        ("<lora:x:te=0.5>", ("x", 0.5, 0.5)),
        ("<lora:x:0.8:te=0>", ("x", 0, 0)),
        ("<lora:x:te=0:unet=-1>", ("x", 0, -1)),
        ("<lora:x:0.8:0.5:unet=.1>", ("x", 0.8, 0.1)),
        ("<lora:my style (v2), 3:1>", ("my style (v2), 3", 1, 1)),
        ("<lora:unet_lr=5e-4-000010:1>", ("unet_lr=5e-4-000010", 1, 1)),
        ("<LoRA:x:1>", ("x", 1, 1)),
        ("<lyco:x:1>", ("x", 1, 1)),
    ],
)
def test_loras(call, expected):
    prompt = parse(f"a {call}, (b {call}:1.5)")
    assert prompt.loras == (LoraTag(*expected),) * 2
    assert [(p.text, p.weight) for p in at_step(prompt.parts[0].body, 1, 1)[0]] == [("a , ", 1), ("b ", 1.5)]


def test_loras_of_all_parts_act_on_the_picture():
    assert [lora.name for lora in parse("a <lora:x:1> AND b <lora:y:1>").loras] == ["x", "y"]


def test_caret_in_a_long_prompt_of_wide_characters():
    prompt = "島風, " * 40 + "(x"
    with pytest.raises(UserError) as error:
        parse(prompt)
    source, caret = str(error.value).splitlines()[1:3]
    assert source.endswith("(x") and len(source) < 60
    width = sum(2 if ord(c) > 0x3000 else 1 for c in source[: source.index("(")])
    assert caret.index("^") == width


@pytest.mark.parametrize("text", ["shim", "shim (azur lane)", "a:b|c", "[x]", "\\o/", "AND", "a BREAK b", "<lora:x:1>"])
def test_escaped_text_is_read_literally(text):
    assert pieces(f"({escape(text)}:1.5)") == [(text, 1.5)]
    assert pieces(fill_trigger("{trigger}", text)) == [(text, 1)]


# a busy machine may take long over any example
patient = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
WORDS = strategies.text("ab ,_-^\\()[]:|<>é島", max_size=12)
FACTORS = strategies.decimals(0.1, 3, places=2).map(float)


@patient
@given(WORDS, strategies.lists(FACTORS, max_size=5))
def test_weights_multiply(text, factors):
    prompt, total = escape(text), 1.0
    for factor in factors:
        prompt, total = f"({prompt}:{factor})", factor * total
    ((*found,),) = at_step(body(prompt), 1, 1)
    assert [(piece.text, pytest.approx(piece.weight)) for piece in found] == [(text, pytest.approx(total))] * bool(text)


@patient
@given(strategies.lists(WORDS, min_size=2, max_size=5), strategies.integers(1, 30))
def test_options_alternate(options, steps):
    prompt = "[" + "|".join(map(escape, options)) + "]"
    assert words_of(prompt, steps) == [options[step % len(options)] for step in range(steps)]


@patient
@example("<_", ":>", 2, 1)  # the schedule's own colon would make a network of it
@given(WORDS, WORDS, strategies.integers(1, 40), strategies.integers(0, 50))
def test_a_schedule_changes_once(before, after, steps, when):
    seen = words_of(f"[{escape(before)}:{escape(after)}:{when}]", steps)
    expected = [before] * steps if when >= steps else [before] * when + [after] * (steps - when)
    # 0 is a share like any number below 1
    assert seen == expected


def words_of(prompt: str, steps: int) -> list[str]:
    return ["".join(piece.text for piece in sections[0]) for sections in per_step(body(prompt), steps)]


@patient
@given(strategies.text("ab,:.15 \\()[]|<>lora=ANDBREK", max_size=25))
def test_any_text_is_read_or_refused(text):
    """Never another exception; a refusal points into the text, and escaped it is always read."""
    try:
        parse(text)
    except UserError as error:
        source, caret = str(error).splitlines()[1:3]
        assert caret.endswith("^") and len(caret) <= len(source) + 1
    assert "".join(piece.text for piece in at_step(body(escape(text)), 1, 1)[0]) == text
