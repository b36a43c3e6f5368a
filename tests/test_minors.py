"""The rule without a switch."""

from __future__ import annotations

import pytest

from loramake.minors import marks_sexualised_minor


@pytest.mark.parametrize(
    "tags",
    [
        ["1girl", "loli"],
        ["shotacon"],
        ["solo", "child", "nude"],
        ["female child", "rating:explicit"],
        ["rating: questionable", "toddler"],
        ["aged down", "panties"],
        ["kindergarten uniform", "spread legs"],
        ["12 years old", "completely nude"],
        ["elementary school student", "nipples"],
        ["randoseru", "rating:q"],
    ],
)
def test_rejected(tags):
    assert marks_sexualised_minor(tags)


@pytest.mark.parametrize(
    "tags",
    [
        [],
        ["1girl", "solo", "smile", "rating:general"],
        ["child", "rating:general", "park"],
        ["1girl", "bikini", "rating:sensitive"],
        ["gothic lolita", "lolita fashion", "frilled dress", "underwear"],
        ["school uniform", "panties"],
        ["1girl", "nude", "rating:explicit"],
        ["21 years old", "nude"],
        ["goat", "kid icarus (series)"],
    ],
)
def test_left_alone(tags):
    assert not marks_sexualised_minor(tags)
