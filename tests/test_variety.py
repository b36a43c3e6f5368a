"""Figures of variety, and what is said about them."""

from __future__ import annotations

import pytest

from loramake import advice, variety
from loramake.advice import GOOD, NOTE, WARNING

LIMITS = {"flat_backgrounds": 0.5, "one_sided": 0.75, "rare_costume": 3}
HER = "shimakaze (azur lane)"


def measure(*captions: str) -> dict[str, variety.Group]:
    """Groups of a set whose pictures have these tags."""
    return variety.measure([variety.classify(variety.describe(text.split(", ")), HER) for text in captions])


def levels(*captions: str) -> dict[str, str]:
    """Title → level of what is said of such a set."""
    return {remark.title: remark.level for remark in advice.judge_variety(measure(*captions), **LIMITS)}


def test_a_picture_counts_once_in_a_class_and_in_every_class_it_shows():
    group = measure("white background, simple background", "outdoors, blue sky, simple background", "smile")[
        "background"
    ]
    assert group.counts == {variety.FLAT: 2, "outdoors": 1}
    assert (group.pictures, group.known, group.unknown) == (3, 2, 1)
    assert group.share(variety.FLAT) == pytest.approx(2 / 3)
    assert group.largest == (variety.FLAT, 1.0)


@pytest.mark.parametrize(
    ("tag", "group", "label"),
    [
        ("from behind", "view", "from behind"),
        ("profile", "view", "from the side"),
        ("cowboy shot", "framing", "to the thighs"),
        ("red kimono", "clothes", "kimono"),
        ("tracen school uniform", "clothes", "school uniform"),
        ("shimakaze (lazy day off) (azur lane)", "costume", "shimakaze (lazy day off) (azur lane)"),
        (HER, "costume", variety.OWN_COSTUME),
        ("kuro neko (artist)", "artist", "kuro neko"),
        ("artist:kuro neko", "artist", "kuro neko"),
        ("rating:general", "rating", "general"),
        ("rating:q", "rating", "questionable"),
    ],
)
def test_classes_of_tags(tag, group, label):
    assert measure(tag)[group].counts == {label: 1}


@pytest.mark.parametrize("tag", ["dressing", "hand on own face", "background", "rating:none", "artist request"])
def test_tags_that_only_look_like_a_class(tag):
    groups = measure(tag)
    assert not any(groups[name].counts for name in groups if name != "costume")


def test_what_a_post_says_goes_before_its_tags():
    known = variety.describe(["rating:general"], artists=["kuro neko"], rating="explicit")
    assert (known.artists, known.rating) == (("kuro neko",), "explicit")


def test_an_empty_set_has_no_groups():
    assert measure() == {}


@pytest.mark.parametrize(
    ("pictures", "level"),
    [(1, WARNING), (29, WARNING), (30, NOTE), (49, NOTE), (50, GOOD), (300, GOOD), (301, NOTE)],
)
def test_size_of_the_set(pictures, level):
    assert advice.judge_size(pictures).level == level


def test_the_place_in_the_best_range_is_named():
    assert len({advice.judge_size(number).title.partition(":")[2] for number in (60, 175, 290)}) == 3


def level_of(word: str, *captions: str) -> str:
    (level,) = {level for title, level in levels(*captions).items() if word in title.lower()}
    return level


def test_flat_backgrounds():
    assert level_of("flat", *["white background"] * 6, *["outdoors"] * 4) == WARNING
    assert level_of("flat", *["white background"] * 5, *["outdoors"] * 5) == GOOD
    assert level_of("background", *["smile"] * 5) == WARNING


def test_views():
    assert level_of("angle", *["smile"] * 5) == WARNING
    assert level_of("behind", *["from behind"] * 8, *["smile"] * 2) == WARNING
    assert level_of("angle", "from behind", "from above", *["smile"] * 8) == GOOD


def test_framing():
    assert level_of("framing", *["full body"] * 8, *["upper body"] * 2) == WARNING
    assert level_of("framing", *["full body"] * 7, *["upper body"] * 3) == GOOD
    # two tags in a hundred pictures say nothing about the other 98
    assert level_of("framing", *["full body"] * 2, *["smile"] * 98) == GOOD


def test_costumes():
    costume = "shimakaze (lazy day off) (azur lane)"
    assert level_of("costume", *[costume] * 8, *["smile"] * 2) == WARNING
    assert level_of("rare", *[costume] * 2, *["smile"] * 8) == WARNING
    assert not any("costume" in title for title in levels(*[costume] * 3, *["smile"] * 7))
    # her own clothes may well be in all pictures
    assert not any("costume" in title for title in levels(*[HER] * 10))


def test_artists():
    assert level_of("artist", *["a (artist)"] * 8, "b (artist)", "c (artist)") == WARNING
    assert level_of("artist", "a (artist)", "b (artist)") == GOOD
    assert level_of("artist", "smile") == NOTE


def test_ratings():
    assert level_of("rat", *["rating:explicit"] * 8, "rating:general") == WARNING
    assert level_of("rat", *["rating:general"] * 9) == GOOD
    assert not any("rated" in title.lower() for title in levels("smile"))


def test_length():
    assert [advice.judge_length(passes).level for passes in (500, 3660, 20_000)] == [WARNING, GOOD, NOTE]
