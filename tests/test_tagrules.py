"""Tag expressions: what holds, and clear refusals."""

from __future__ import annotations

import pytest

from loramake.errors import UserError
from loramake.tagrules import parse_expression


@pytest.mark.parametrize(
    ("rule", "tags", "holds"),
    [
        ("2girls", ["1girl", "2girls"], True),
        ("girls", ["2girls"], False),
        ("multiple_views", ["multiple views"], True),
        ("*girls", ["2girls"], True),
        ("* (cosplay)", ["miku (cosplay)"], True),
        ("* commentary", ["commentary"], False),
        ("*commentary*", ["commentary request"], True),
        ("comic & !1girl", ["comic"], True),
        ("comic & !1girl", ["comic", "1girl"], False),
        ("!solo", ["1girl"], True),
        ("a & b", ["a"], False),
        ("^_^", ["^_^"], True),
        ("!", ["!"], True),
        ("!?", ["!?"], True),
        ("\\*_\\*", ["*_*"], True),
        ("a.c", ["abc"], False),
        ("a | b", ["b"], True),
        ("a | b", ["c"], False),
        ("a & b | c", ["c"], True),
        ("a & (b | c)", ["a"], False),
        ("a & (b | c)", ["a", "c"], True),
        ("!(b | c) & a", ["a"], True),
        ("!(b | c) & a", ["a", "b"], False),
        ("((a | b) & !(c & d))", ["a", "c"], True),
        ("((a | b) & !(c & d))", ["a", "c", "d"], False),
        ("!(a & b)", ["a"], True),
        ("tom (tom & jerry)", ["tom (tom & jerry)"], True),
        ("(o)_(o)", ["(o)_(o)"], True),
        (":( & a", [":(", "a"], True),
        ("shimakaze (azur lane) & !solo", ["shimakaze (azur lane)"], True),
        ("shimakaze \\(azur lane\\) | b", ["shimakaze (azur lane)"], True),
        ("* (cosplay) & !(shimakaze (cosplay) | solo)", ["shimakaze (cosplay)"], False),
    ],
)
def test_expressions(rule, tags, holds):
    assert parse_expression(rule, "screen.reject_tags").matches(tags) is holds


@pytest.mark.parametrize("rule", ["", "  ", "a & ", "a & & b", "| a", "a | & b", "(a | ) & b", "&", None, 7])
def test_unreadable_rules_name_their_setting(rule):
    with pytest.raises(UserError, match="screen.reject_tags"):
        parse_expression(rule, "screen.reject_tags")
