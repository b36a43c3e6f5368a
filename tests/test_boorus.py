"""Names of boorus, what they are asked, and how posts of each kind read."""

from __future__ import annotations

import pytest
from boorusite import post

from loramake import boorus, gate, posts
from loramake.errors import UserError
from loramake.gallerydl import hide_secrets, logins
from loramake.tagrules import parse_expressions


def test_search_pages():
    terms = ["shimakaze_(azur_lane)", "1girl+"]
    asked = "shimakaze_%28azur_lane%29%201girl%2B"
    assert boorus.read_site("safebooru", "s").search_page(terms) == (
        f"https://safebooru.org/index.php?page=post&s=list&tags={asked}"
    )
    own = boorus.read_site("moebooru:https://booru.example/", "s")
    assert own.search_page(terms) == f"moebooru:https://booru.example/post?tags={asked}"
    assert (own.name, own.folder) == ("booru.example", "booru.example")


@pytest.mark.parametrize(
    "text", ["danboru", "https://booru.example", "rule34:https://x.example", "", "danbooru:file:///x"]
)
def test_unknown_sites(text):
    with pytest.raises(UserError, match="some.key"):
        boorus.read_site(text, "some.key")


@pytest.mark.parametrize(
    "wishes",
    [
        {"sites": ["danbooru", "danbooru"]},
        {"sites": ["danbooru"], "exclude": ["a & "]},
        {"tags": ["solo"]},
        {"exclude": ["comic"]},
    ],
    ids=str,
)
def test_wishes_that_cannot_be_met(wishes):
    with pytest.raises(UserError, match="characters.x.download"):
        boorus.check_wishes({"sites": [], "tags": [], "exclude": []} | wishes, "characters.x.download")


def plan(site, **wishes):
    values = {
        "tags": ["shimakaze (azur lane)"],
        "exclude": ["comic", "a & b", "a | b", "!solo", "*koma"],
        "order": "score",
        "ratings": ["general"],
    }
    return boorus.plan_search(boorus.read_site(site, "s"), **(values | wishes))


def test_what_each_booru_is_asked():
    name = "shimakaze_(azur_lane)"
    assert plan("danbooru") == ([name, "order:score", "rating:g"], [])
    assert plan("gelbooru") == ([name, "sort:score", "-comic", "rating:general"], [])
    assert plan("safebooru") == ([name, "sort:score", "-comic"], [])
    assert plan("yandere") == ([name, "order:score", "rating:s"], [])
    assert plan("gelbooru", order="newest", ratings=["general", "sensitive"]) == ([name, "-comic"], [])


def test_danbooru_is_asked_for_two_terms_at_most():
    wanted = ["shimakaze (azur lane)", "solo", "hat"]
    assert plan("danbooru", tags=wanted, order="newest") == (["shimakaze_(azur_lane)", "solo", "rating:g"], ["hat"])
    # what a post's tags do not show has to be asked for
    assert plan("danbooru", tags=["smile", "date:2020"]) == (["date:2020", "order:score", "rating:g"], ["smile"])
    assert plan("danbooru", ratings=["general", "sensitive"])[0][-1] == "rating:g,s"


@pytest.mark.parametrize(
    ("engine", "text", "rating"),
    [
        ("danbooru", "s", "sensitive"), ("danbooru", "g", "general"), ("moebooru", "s", "general"), ("moebooru", "e", "explicit"),
        ("gelbooru_v02", "safe", "general"), ("gelbooru", "questionable", "questionable"), ("gelbooru", "", ""), ("danbooru", "x", ""),
    ],
)  # fmt: skip
def test_ratings(engine, text, rating):
    assert boorus.read_rating(engine, text) == rating


def read(**fields):
    plain = {
        "id": 5, "md5": "0" * 32, "rating": "g", "tags": "1girl", "extension": "png", "file_url": "https://x.example/5.png",
    }  # fmt: skip
    return posts.read_post(plain | fields, "danbooru", "danbooru")


RULES = gate.Rules(["general"], parse_expressions(["comic", "a & !b"], "x"), ["hat"])


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"tags": "hat"}, ""),
        ({"tags": ["hat", "a", "b"]}, ""),
        ({"tags": "hat a"}, "excluded tag"),
        ({"tags": "1girl"}, "missing tag"),
        ({"tags": "hat", "rating": "q"}, "rating"),
        ({"tags": "hat", "rating": None}, "rating"),
        ({"tags": "hat", "extension": "webm"}, "file type"),
        ({"tags": "hat", "extension": "../png"}, "file type"),
        ({"tags": "hat", "id": "../1"}, "post"),
        ({"tags": "hat", "id": "²"}, "post"),
        ({"tags": "hat", "md5": "z" * 32}, "post"),
        ({"tags": "hat", "file_url": "ytdl:https://x"}, "post"),
        ({"tags": "hat loli"}, "minors"),
        ({"tags": "hat lo&#108;i"}, "minors"),
        ({"tags": "", "tags_general": "hat child", "rating": "e"}, "minors"),
        ({"tags": "hat child", "rating": None}, "minors"),
        ({"tags": "hat child"}, ""),
    ],
    ids=str,
)  # fmt: skip
def test_gate(fields, rule):
    assert gate.refuse(read(**fields), RULES)[0] == rule


@pytest.mark.parametrize("fields", [{"tags": None}, {"tags": 5, "score": "many", "source": None}, {"tags": {"a": 1}}])
def test_odd_fields_read_as_empty(fields):
    item = read(**fields)
    assert item.plain_tags == [] and item.score == 0


def test_categories_of_a_page():
    fields = {
        "tags": "1girl shimakaze_(azur_lane) some_circle highres d&#039;art new",
        "tags_character": "shimakaze_(azur_lane)", "tags_circle": "some_circle", "tags_metadata": "highres",
        "tags_artist": "d'art", "tags_general": "1girl", "tags_odd": "what",
    }  # fmt: skip
    assert posts.read_categories(fields) == {
        "general": ["1girl", "new"], "character": ["shimakaze_(azur_lane)"], "copyright": [],
        "artist": ["some_circle", "d'art"], "meta": ["highres"],
    }  # fmt: skip


def test_logins_come_from_the_environment():
    environment = {
        "DANBOORU_USERNAME": "me",
        "DANBOORU_API_KEY": "k",
        "GELBOORU_API_KEY": "g",
        "MOEBOORU_PASSWORD": "p",
    }
    login = logins(boorus.read_site("danbooru", "s"), environment)
    assert (login["username"], login["password"]) == ("me", "k")
    assert logins(boorus.read_site("danbooru:https://own.example", "s"), environment)["password"] == "k"
    assert logins(boorus.read_site("gelbooru", "s"), environment) == {"api-key": "g"}
    assert logins(boorus.read_site("moebooru:https://own.example", "s"), environment) == {"password": "p"}
    assert logins(boorus.read_site("safebooru", "s"), environment) == {}


@pytest.mark.parametrize(
    "text",
    [
        "https://x/?page=1&api_key=SECRET&user_id=SECRET",
        "https://me:SECRET@x.example/",
        "bad password SECRET",
        "login=SECRET",
    ],
)
def test_secrets_are_hidden(text):
    assert "SECRET" not in hide_secrets(text, ["SECRET"] if "=" not in text and "@" not in text else [])


def test_tag_line():
    item = posts.read_post({"tags": " ".join(post(1, "blue_sky", "a,b").all_tags)}, "x", "gelbooru")
    assert "blue sky" in item.tag_line().rstrip("\n").split(", ")
    assert not item.has_categories
