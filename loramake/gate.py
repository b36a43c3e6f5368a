"""Which posts of a search are fetched. gallery-dl asks here before each file, from its own process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loramake import minors
from loramake.files import read_json
from loramake.posts import Post, read_post
from loramake.tagrules import TagExpression, parse_expressions

# what screening reads; the first frame of a gif is rarely worth a picture
EXTENSIONS = frozenset({"png", "jpg", "jpeg", "webp", "bmp", "avif"})


@dataclass(frozen=True)
class Rules:
    """What a post must fulfil.

    Attributes:
        ratings: allowed ratings.
        exclude: tag expressions that must not hold.
        require: normalized tags that must be there.
    """

    ratings: Sequence[str]
    exclude: Sequence[TagExpression]
    require: Sequence[str]


def refuse(post: Post, rules: Rules) -> tuple[str, str]:
    """The rule that a post breaks and what was found, both "" for one to fetch. No setting reaches the first rule."""
    names = post.plain_tags
    if minors.marks_sexualised_minor([*names, f"rating:{post.rating or 'explicit'}"]):
        return "minors", "its tags mark a sexualised minor"
    if not post.id or not post.md5 or not post.address.startswith(("http://", "https://", "/")):
        return "post", "its number, checksum or address cannot be used"
    if post.extension not in EXTENSIONS:
        return "file type", post.extension if post.extension.isalnum() else "unknown"
    if post.rating not in rules.ratings:
        return "rating", post.rating or "unknown"
    for expression in rules.exclude:
        if expression.matches(names):
            return "excluded tag", expression.text
    missing = [tag for tag in rules.require if tag not in names]
    return ("missing tag", missing[0]) if missing else ("", "")


def admit(fields: Mapping[str, object], rules_file: str) -> bool:
    """Whether gallery-dl shall fetch a file; each answer is added to the journal.

    Args:
        fields: gallery-dl's metadata of the post.
        rules_file: JSON with site, engine, ratings, exclude, require and the journal's path.
    """
    values = read_json(Path(rules_file))
    post = read_post(fields, values["site"], values["engine"])
    exclude = parse_expressions(values["exclude"], "download.exclude")
    rule, found = refuse(post, Rules(values["ratings"], exclude, values["require"]))
    with open(values["journal"], "a", encoding="utf-8") as journal:
        journal.write(f"{post.id}\t{rule}\t{found}\n")
    return not rule
