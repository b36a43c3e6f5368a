"""The webui's syntax for axes of numbers."""

import pytest
from hypothesis import given, strategies

from loramake.axisvalues import parse_numbers
from loramake.errors import UserError


def fractions(value, **changes):
    return parse_numbers(value, **{"setting": "grid.x", "name": "value", "low": -1000, "high": 1000, **changes})


def wholes(value, **changes):
    return fractions(value, whole=True, **changes)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0-1(+0.25)", (0, 0.25, 0.5, 0.75, 1)),
        ("0-1[5]", (0, 0.25, 0.5, 0.75, 1)),
        ("0-1[1]", (0,)),
        ("1-0[3]", (1, 0.5, 0)),
        ("3-1", (3, 2, 1)),
        ("1-3(+0.8)", (1, 1.8, 2.6)),
        ("-1--3(-1)", (-1, -2, -3)),
        ("5, 1-2, 5", (5, 1, 2)),
        ([0.5, "1-2"], (0.5, 1, 2)),
    ],
)
def test_fractions(value, expected):
    assert fractions(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("20, 28", (20, 28)),
        ("1-10[5]", (1, 3, 5, 7, 10)),
        ("1-10(+3)", (1, 4, 7, 10)),
        ("10-5(-3)", (10, 7)),
        ([1337, 1], (1337, 1)),
        ("2.0", (2,)),
        ("1-3[9]", (1, 2, 3)),
        ("13371488", (13371488,)),
    ],
)
def test_whole_numbers(value, expected):
    values = wholes(value, high=2**32)
    assert values == expected and all(type(number) is int for number in values)


@pytest.mark.parametrize(
    "value", ["", "a", "1,,2", "1-2(-1)", "1-2(0)", "1-2[0]", "1-2[", "1;2", "nan", "inf", "1e3", []]
)
def test_what_is_no_axis(value):
    for read in (fractions, wholes):
        with pytest.raises(UserError, match="grid.x"):
            read(value)


@pytest.mark.parametrize("value", ["1.5", "1-2(+0.5)", "0.5-3", "20, 28.5"])
def test_fractions_where_whole_numbers_belong(value):
    with pytest.raises(UserError, match="whole number"):
        wholes(value)


def test_limits():
    assert fractions("1-100") == tuple(range(1, 101))
    with pytest.raises(UserError, match="1…100"):
        fractions("0-100")
    with pytest.raises(UserError, match="1…3"):
        fractions("1-4", most=3)
    with pytest.raises(UserError, match="between 0 and 1"):
        fractions("0-2", low=0, high=1)
    # also long before such a list could fill the memory
    with pytest.raises(UserError):
        fractions("0-1(+0.0000001)")


@given(strategies.integers(-20, 20), strategies.integers(1, 9), strategies.integers(0, 60))
def test_a_range_holds_its_start_and_never_passes_its_end(start, tenths, length):
    end = start + length / 10
    values = fractions(f"{start}-{end}(+0.{tenths})")
    assert values[0] == start and values[-1] <= end < values[-1] + tenths / 10 + 1e-9
    assert [round(value * 10) for value in values] == [start * 10 + tenths * place for place in range(len(values))]
