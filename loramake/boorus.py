"""The boorus that pictures come from: how each is named in the config, searched, and spells its ratings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from loramake.errors import UserError
from loramake.tagrules import parse_expressions

RATINGS = ("general", "sensitive", "questionable", "explicit")

# name in the config → gallery-dl's module, address
_KNOWN = {
    "danbooru": ("danbooru", "https://danbooru.donmai.us"),
    "gelbooru": ("gelbooru", "https://gelbooru.com"),
    "safebooru": ("gelbooru_v02", "https://safebooru.org"),
    "yandere": ("moebooru", "https://yande.re"),
    "konachan": ("moebooru", "https://konachan.com"),
}
_OWN = re.compile(r"(danbooru|gelbooru_v02|moebooru):(https?://[^/?#\s]+)/?")

_SEARCH = {
    "danbooru": "/posts?tags={}",
    "gelbooru": "/index.php?page=post&s=list&tags={}",
    "gelbooru_v02": "/index.php?page=post&s=list&tags={}",
    "moebooru": "/post?tags={}",
}
_PAGE = {
    "gelbooru": "/index.php?page=post&s=view&id={}",
    "gelbooru_v02": "/index.php?page=post&s=view&id={}",
    "moebooru": "/post/show/{}",
}
_BY_SCORE = {
    "danbooru": "order:score",
    "gelbooru": "sort:score",
    "gelbooru_v02": "sort:score",
    "moebooru": "order:score",
}
# what stands in a post's rating, and in a search; danbooru's s is sensitive, moebooru's is safe
_LETTERS = {
    "danbooru": {"g": "general", "s": "sensitive", "q": "questionable", "e": "explicit"},
    "moebooru": {"s": "general", "q": "questionable", "e": "explicit"},
}
# search words such as date:2020 or ~either, which a booru understands and a post's tags do not show
_SEARCH_WORD = re.compile(r"-.+|~.+|[-~]?[a-z_]{2,}:\S+|.*\*.*", re.IGNORECASE)
# a tag expression that is more than a tag
_EXPRESSION = re.compile(r"^\s*[!(]|\s[&|]\s")
# danbooru answers searches of more terms only to paying members; its rating: is not counted
_DANBOORU_TERMS = 2


@dataclass(frozen=True)
class Site:
    """A booru.

    Attributes:
        name: as files and messages name it: safebooru, or the host of an own address.
        engine: gallery-dl's module for it: danbooru, gelbooru, gelbooru_v02 or moebooru.
        address: scheme and host, with the engine in front where gallery-dl would not know it by the host.
    """

    name: str
    engine: str
    address: str

    @property
    def folder(self) -> str:
        """Its name as that of a folder."""
        return re.sub(r"[^a-z0-9.]+", "-", self.name.lower())

    def search_page(self, terms: Iterable[str]) -> str:
        """The address that gallery-dl takes for a search."""
        return self.address + _SEARCH[self.engine].format(quote(" ".join(terms), safe=""))

    def post_page(self, number: int) -> str:
        """The address of one post, or "" where the search already tells everything."""
        return self.address + _PAGE[self.engine].format(number) if self.engine in _PAGE else ""


def read_site(text: str, setting: str) -> Site:
    """A site as the config names it: `danbooru`, or an own one as `moebooru:https://booru.example`.

    Raises:
        UserError: neither.
    """
    if text in _KNOWN:
        engine, root = _KNOWN[text]
        return Site(text, engine, root)
    own = _OWN.fullmatch(text)
    if not own:
        raise UserError(
            "This is no booru that can be downloaded from.",
            found=text,
            expected=f"one of {', '.join(_KNOWN)}; or an own address, with its kind in front: "
            "danbooru:https://..., gelbooru_v02:https://... or moebooru:https://...",
            setting=setting,
        )
    # gallery-dl writes this one with a capital
    engine = "Danbooru" if own[1] == "danbooru" else own[1]
    return Site(own[2].partition("://")[2], own[1], f"{engine}:{own[2]}")


def read_sites(texts: Iterable[str], setting: str) -> list[Site]:
    """`read_site` of each.

    Raises:
        UserError: one is no site, or is named twice.
    """
    sites = [read_site(text, setting) for text in texts]
    twice = [site.name for site in sites if sites.count(site) > 1]
    if twice:
        raise UserError("A booru is named twice.", found=twice[0], setting=setting)
    return sites


def check_wishes(wishes: Mapping[str, object], section: str) -> None:
    """Hold a character's download section against what can be searched for, before anything runs.

    Raises:
        UserError: an unknown site, a tag rule that cannot be read, or wishes without a site.
    """
    read_sites(wishes["sites"], f"{section}.sites")
    parse_expressions(wishes["exclude"], f"{section}.exclude")
    if not wishes["sites"] and (wishes["tags"] or wishes["exclude"]):
        raise UserError(
            "There is something to download, but no booru to download it from.",
            found=f"{section}.sites = []",
            expected="one or more of " + ", ".join(_KNOWN),
            setting=f"{section}.sites; or take the section out to use the folder as it is",
        )


def plan_search(
    site: Site, tags: Sequence[str], exclude: Sequence[str], order: str, ratings: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Which of the wishes the booru is asked for, and which have to be checked on each post it lists.

    Args:
        site: the booru.
        tags: wanted tags, or search words of the booru such as date:2020.
        exclude: tags or tag expressions that a post must not fulfil; always checked on the posts as well.
        order: "score" or "newest".
        ratings: allowed ratings, of RATINGS.

    Returns:
        The terms of the search, and the wanted tags that did not fit into it.
    """
    wanted = ["_".join(tag.split()) for tag in tags]
    extra = [_BY_SCORE[site.engine]] if order == "score" else []
    if site.engine == "danbooru":
        words = [tag for tag in wanted if _SEARCH_WORD.fullmatch(tag)]
        plain = [tag for tag in wanted if tag not in words]
        room = max(_DANBOORU_TERMS - len(words) - len(extra), 0)
        letters = [letter for letter, rating in _LETTERS["danbooru"].items() if rating in ratings]
        return [*words, *plain[:room], *extra, "rating:" + ",".join(letters)], plain[room:]
    terms = [*wanted, *extra]
    if site.engine in ("gelbooru", "gelbooru_v02"):
        names = ["_".join(text.split()) for text in exclude if not _EXPRESSION.search(text)]
        terms += [f"-{name}" for name in names if not _SEARCH_WORD.fullmatch(name)]
    if site.engine == "gelbooru" and len(ratings) == 1:
        terms.append(f"rating:{ratings[0]}")
    if site.engine == "moebooru" and len(ratings) == 1 and ratings[0] != "sensitive":
        terms.append("rating:" + next(key for key, name in _LETTERS["moebooru"].items() if name == ratings[0]))
    return terms, []


def read_rating(engine: str, text: str) -> str:
    """One of RATINGS for a post's rating as the engine spells it; "" for anything unknown."""
    text = text.strip().lower()
    if text == "safe":
        return "general"
    rating = _LETTERS.get(engine, {}).get(text, text)
    return rating if rating in RATINGS else ""
