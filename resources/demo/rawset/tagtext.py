"""Tag files as Grabber leaves them: one line, in the order and spelling of the site they came from."""

from __future__ import annotations

import random

from drawing import caption_tags

from .plan import Picture

CHARACTER = "shimakaze (azur lane)"
COPYRIGHT = "azur lane"
ARTISTS = (
    "kuro neko (artist)",
    "hoshi no suna (artist)",
    "mikan box (artist)",
    "tofu zuke (artist)",
    "inkblot otter (artist)",
    "paper lantern (artist)",
)
META = (
    "highres",
    "absurdres",
    "commentary request",
    "commentary",
    "english commentary",
    "translated",
    "bad id",
    "commission",
    "bad pixiv id",
)
# by the first word found in the clothes; costumes of the game have tags that are longer than what they say
COSTUMES = {
    "dress": "shimakaze (the white rabbit of wonderland) (azur lane)",
    "kimono": "shimakaze (lantern festival hare) (azur lane)",
    "hoodie": "shimakaze (lazy day off) (azur lane)",
}


def site(position: int) -> str:
    """How the site of this position writes: "spaces", "underscores" or "by category"."""
    return ("spaces", "spaces", "spaces", "by category", "underscores")[position * 7 % 5]


def junk(position: int) -> list[str]:
    """Artist and meta tags, varied by position."""
    rng = random.Random(f"{position} tags")
    meta = [
        tag
        for tag, share in zip(META, (0.75, 0.4, 0.4, 0.2, 0.12, 0.1, 0.15, 0.2, 0.08), strict=True)
        if rng.random() < share
    ]
    return [rng.choice(ARTISTS), *meta]


def costume(clothes: str) -> list[str]:
    """The costume tag of clothes that are not her own."""
    return [tag for word, tag in COSTUMES.items() if word in clothes]


def tags_of(picture: Picture) -> list[str]:
    """All tags of a picture that stays, unordered."""
    a = picture.attributes
    shown = caption_tags(a)
    if picture.repair.startswith("transparent"):
        shown = [tag for tag in shown if tag not in (a.background, "simple background")] + ["transparent background"]
    extra = {
        "speech bubble": ["speech bubble", "translation request"],
        "signature": ["signature"],
        "wide": ["wide image"],
        "tall": ["tall image"],
    }
    return [CHARACTER, COPYRIGHT, *costume(a.clothes), *shown, *extra.get(picture.repair, []), *junk(picture.position)]


def tag_line(tags: list[str], position: int) -> str:
    """The tags in the order and spelling of the site that `position` came from."""
    order = sorted(set(tags))
    if site(position) == "by category":
        # artist, character, copyright, what is shown, meta
        def category(tag: str) -> int:
            return (
                0
                if tag in ARTISTS
                else 1
                if tag.endswith("(azur lane)")
                else 2
                if tag == COPYRIGHT
                else (4 if tag in META else 3)
            )

        order.sort(key=category)
    if site(position) == "underscores":
        order = [tag.replace(" ", "_") for tag in order]
    return ", ".join(order)


def tag_file(tags: list[str], position: int) -> bytes:
    """The bytes of a tag file: some begin with a BOM, some end their line as Windows does, some not at all."""
    start = b"\xef\xbb\xbf" if position % 17 == 3 else b""
    end = b"\r\n" if position % 11 == 5 else b"\n" if position % 4 == 0 else b""
    return start + tag_line(tags, position).encode() + end
