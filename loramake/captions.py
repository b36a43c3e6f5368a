"""Captions: the tags of each kept picture as training reads them, trigger first, junk left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path, PurePath

from loramake import tags
from loramake.autotags import read_autotags
from loramake.cleaning import read_changes
from loramake.edits import Edit, read_edits
from loramake.errors import UserError
from loramake.files import atomic_folder, write_text
from loramake.rawfiles import read_raw_folder
from loramake.screening import kept_files
from loramake.taglist import CATEGORIES, TagList, read_tag_list
from loramake.tagrules import parse_expressions

TRANSPARENT = "transparent background"
ON_WHITE = ("white background", "simple background")


@dataclass(frozen=True)
class CaptionRules:
    """How raw tags become a caption.

    Attributes:
        character: the character's booru tag, normalized.
        trigger: stands for it, first in every caption, as the user wrote it.
        dropped: whether a normalized tag is left out.
        renamed: normalized tag → what is written instead; empty drops it.
    """

    character: str
    trigger: str
    dropped: Callable[[str], bool]
    renamed: Mapping[str, str]

    def caption(self, raw: Sequence[str]) -> list[str]:
        """The tags to write: trigger, then the rest in its order, each once."""
        own = {self.character, tags.normalize(self.trigger)}
        rest = [tag for tag in raw if tag not in own and not self.dropped(tag)]
        renamed = tags.unique(self.renamed.get(tag, tag) for tag in rest)
        return [self.trigger, *(tag for tag in renamed if tag not in {*own, self.trigger})]


def normalize_tags(
    manifest: Path,
    screen_tsv: Path,
    clean_dir: Path,
    edits: Path | None,
    autotags: Path | None,
    out_dir: Path,
    *,
    tag: str,
    trigger: str,
    drop: Sequence[str],
    keep: Sequence[str],
    drop_costumes: bool,
    rename: Mapping[str, str],
    tag_list: str,
    drop_categories: Sequence[str],
) -> dict[str, list[str]]:
    """Write one caption file for each kept picture.

    Args:
        manifest: the raw folder's manifest.
        screen_tsv: decisions of `screening.screen_images`.
        clean_dir: output of `cleaning.clean_images`; its list of changes says where alpha was flattened.
        edits: hand-made edits; may be None or missing.
        autotags: output of `autotags.autotag_images`; None where there is no tagger.
        out_dir: replaced as a whole; `{stem}.txt` with one line, tags joined by ", ".
        tag: the character's booru tag.
        trigger: what stands for it.
        drop: tag patterns dropped besides the shipped list.
        keep: tag patterns that are never dropped.
        drop_costumes: drop `name (costume) (series)` and the like, built from `tag`.
        rename: tag → another tag.
        tag_list: CSV of tags with categories and aliases; "" = none.
        drop_categories: names of categories dropped where a tag list is given; with "copyright" also the series
            that stands in parentheses in `tag`.

    Returns:
        caption tags by raw file name.

    Raises:
        UserError: a pattern, the tag list or the edits cannot be read.
    """
    raw = read_raw_folder(manifest)
    by_hand = read_edits(edits, raw.names)
    flattened = {name for name, done in read_changes(clean_dir).items() if any(each.change == "alpha" for each in done)}
    automatic = read_autotags(autotags)
    known = read_tag_list(Path(tag_list)) if tag_list else TagList({}, {})
    rules = make_rules(tag, trigger, drop, keep, drop_costumes, rename, known, drop_categories)
    captions: dict[str, list[str]] = {}
    lost: Counter[str] = Counter()
    with atomic_folder(out_dir) as folder:
        for name in kept_files(screen_tsv):
            file = raw.tag_files.get(name)
            found = [*(tags.read_tags(raw.folder / file) if file else []), *automatic.get(name, [])]
            found = tags.unique(map(known.canonical, found))
            found = background_tags(by_hand.get(name, Edit()).edit_tags(found), name in flattened)
            captions[name] = rules.caption(found)
            lost.update(each for each in found if rules.dropped(each))
            write_text(folder / f"{PurePath(name).stem}.txt", ", ".join(captions[name]) + "\n")
    most = ", ".join(f"{each} {count}" for each, count in lost.most_common(5)) or "nothing"
    print(f"wrote {len(captions)} captions; dropped {len(lost)} kinds of tags, most often: {most}")
    return captions


def make_rules(
    tag: str,
    trigger: str,
    drop: Sequence[str],
    keep: Sequence[str],
    drop_costumes: bool,
    rename: Mapping[str, str],
    known: TagList,
    drop_categories: Sequence[str],
) -> CaptionRules:
    """Caption rules from the settings; see `normalize_tags`.

    Raises:
        UserError: a pattern cannot be read, or an unknown category.
    """
    for category in drop_categories:
        if category not in CATEGORIES:
            raise UserError(
                "Unknown tag category.", found=category, expected=", ".join(CATEGORIES), setting="tags.drop_categories"
            )
    dropping = parse_expressions([*junk_patterns(), *drop], "tags.drop")
    keeping = parse_expressions(keep, "tags.keep")
    character = known.canonical(tags.normalize(tag))
    costume = costume_pattern(character) if drop_costumes else None
    # the character's own tag names her series; no tag list is needed to know that this one is a copyright
    series = re.search(r"\(([^()]*)\)$", character) if "copyright" in drop_categories else None

    # the same few hundred tags come again in every picture
    @cache
    def dropped(each: str) -> bool:
        if any(rule.matches([each]) for rule in keeping):
            return False
        return (
            any(rule.matches([each]) for rule in dropping)
            or bool(costume and costume.fullmatch(each))
            or bool(series and each == series[1])
            or known.in_categories(each, drop_categories)
        )

    renamed = {tags.normalize(old): ("" if new is None else str(new).strip()) for old, new in rename.items()}
    return CaptionRules(character, trigger.strip(), dropped, renamed)


def junk_patterns() -> list[str]:
    """The shipped list of junk tags: booru housekeeping that says nothing about the picture."""
    text = resources.files("loramake").joinpath("data/junk_tags.txt").read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("# ")]


def costume_pattern(character: str) -> re.Pattern[str]:
    """Tags of the character in other dress: her name and any parentheses, but not exactly her own tag.

    `shimakaze (the white rabbit of wonderland) (azur lane)` for `shimakaze (azur lane)`.
    """
    name = re.sub(r"(\s*\([^()]*\))+$", "", character) or character
    return re.compile(rf"(?!{re.escape(character)}$){re.escape(name)}(?: \([^()]*\))+")


def background_tags(found: Sequence[str], flattened: bool) -> list[str]:
    """The tags after cleaning: a flattened picture stands on white, and no picture is transparent any more.

    `transparent background` is replaced in its place; a flattened picture that names no background gets the tags too.
    """
    replacement = ON_WHITE if flattened else ()
    replaced = [new for tag in found for new in (replacement if tag == TRANSPARENT else (tag,))]
    if flattened and not any(tag.endswith(" background") for tag in replaced):
        replaced += ON_WHITE
    return tags.unique(replaced)
