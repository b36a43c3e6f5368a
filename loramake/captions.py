"""Captions: the tags of each kept picture as training reads them, trigger first, junk left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from loramake import tags
from loramake.advice import judge_tag
from loramake.captionrules import BY_TRIGGER, CaptionRules, make_rules
from loramake.captiontables import write_caption_table, write_tag_table
from loramake.cleaning import read_changes
from loramake.edits import Edit, read_edits
from loramake.errors import UserError
from loramake.files import atomic_folder, write_text
from loramake.implications import read_implications
from loramake.rawfiles import RawFolder, output_stem, read_raw_folder
from loramake.rawtags import read_raw_tags, read_side_file
from loramake.repairs import Change
from loramake.screening import kept_files
from loramake.taglist import TagList, read_tag_list
from loramake.texttags import GONE, gone_tags

TRANSPARENT = "transparent background"
ON_WHITE = ("white background", "simple background")


@dataclass(frozen=True)
class Caption:
    """The caption of one picture and how it came about.

    Attributes:
        file: the raw picture's name.
        source: where its tags are from: file, tagger, file and tagger, or none.
        found: its tags before the caption rules, hand-made edits and cleaning applied.
        written: its tags in the caption.
        fates: why a found tag is not in the caption, by tag.
    """

    file: str
    source: str
    found: list[str]
    written: list[str]
    fates: dict[str, str]

    @property
    def text(self) -> str:
        """The line that training reads."""
        return ", ".join(self.written)


def normalize_tags(
    manifest: Path,
    screen_tsv: Path,
    clean_dir: Path,
    edits: Path | None,
    autotags: Path | None,
    out_dir: Path,
    out_tags: Path,
    out_captions: Path,
    *,
    tag: str,
    trigger: str,
    drop: Sequence[str],
    keep: Sequence[str],
    drop_costumes: bool,
    rename: Mapping[str, str],
    tag_list: str,
    drop_categories: Sequence[str],
    fold_implied: bool,
    implications: Mapping[str, Sequence[str]],
) -> dict[str, list[str]]:
    """Write one caption file for each kept picture, and two tables on them.

    Args:
        manifest: the raw folder's manifest.
        screen_tsv: decisions of `screening.screen_images`.
        clean_dir: output of `cleaning.clean_images`; its list of changes says where alpha was flattened.
        edits: hand-made edits; may be None or missing.
        autotags: output of `autotags.autotag_images`; None where there is no tagger.
        out_dir: replaced as a whole; `{stem}.txt` with one line, tags joined by ", ".
        out_tags, out_captions: tables, see `captiontables`.
        tag: the character's booru tag.
        trigger: what stands for it.
        drop: tag patterns dropped besides the shipped list.
        keep: tag patterns that are never dropped.
        drop_costumes: drop `name (costume) (series)` and the like, built from `tag`.
        rename: tag → another tag.
        tag_list: CSV of tags with categories and aliases; "" = none.
        drop_categories: names of categories dropped where the tag list or the pictures' side files tell them; with
            "copyright" also the series that stands in parentheses in `tag`.
        fold_implied: leave out a tag beside one that says more.
        implications: more of those: implied tag → tag patterns.

    Returns:
        caption tags by raw file name.

    Raises:
        UserError: a pattern, the tag list or the edits cannot be read.
    """
    raw = read_raw_folder(manifest)
    by_hand = read_edits(edits, raw.names)
    changes = read_changes(clean_dir)
    known = (read_tag_list(Path(tag_list)) if tag_list else TagList({}, {})).knowing(_side_categories(raw))
    implied = read_implications(implications) if fold_implied else None
    rules = make_rules(tag, trigger, drop, keep, drop_costumes, rename, known, drop_categories, implied)
    captions = [
        _caption(raw, name, autotags, rules, known, by_hand.get(name, Edit()), changes.get(name, []))
        for name in kept_files(screen_tsv)
    ]
    with atomic_folder(out_dir) as folder:
        for caption in captions:
            write_text(folder / f"{output_stem(caption.file)}.txt", caption.text + "\n")
    write_tag_table(out_tags, [(each.found, each.written, each.fates) for each in captions], known.category)
    write_caption_table(out_captions, [(each.file, each.source, each.written) for each in captions])
    _report(captions)
    named = sum(BY_TRIGGER in each.fates.values() for each in captions)
    for remark in judge_tag(tag, named, Counter(each for caption in captions for each in caption.found)):
        print(f"{remark.level}: {remark.title}. {remark.text}")
    return {caption.file: caption.written for caption in captions}


def _side_categories(raw: RawFolder) -> list[Mapping[str, Sequence[str]]]:
    """Tags by category of every picture that has a side file; one that cannot be read says nothing."""
    groups = []
    for file in raw.side_files.values():
        try:
            groups.append(read_side_file(raw.folder / file).categories)
        except UserError:
            continue
    return groups


def _caption(
    raw: RawFolder,
    name: str,
    autotags: Path | None,
    rules: CaptionRules,
    known: TagList,
    edit: Edit,
    changes: Sequence[Change],
) -> Caption:
    read = read_raw_tags(raw, name, autotags)
    sources = [word for word, there in (("file", read.written), ("tagger", read.automatic)) if there]
    found = tags.unique(map(known.canonical, read.tags))
    # a hand-made edit may name a tag by its alias, as the file does
    edit = replace(
        edit,
        add_tags=tuple(map(known.canonical, edit.add_tags)),
        drop_tags=(*edit.drop_tags, *map(known.canonical, edit.drop_tags)),
    )
    found = background_tags(edit.edit_tags(found), any(each.change == "alpha" for each in changes))
    # what was written by hand stays, and so does what no rule may drop
    gone = [tag for tag in gone_tags(found, changes) if tag not in edit.add_tags and not rules.protected(tag)]
    written, fates = rules.judge([tag for tag in found if tag not in gone])
    return Caption(name, " and ".join(sources) or "none", found, written, dict.fromkeys(gone, GONE) | fates)


def background_tags(found: Sequence[str], flattened: bool) -> list[str]:
    """The tags after cleaning: a flattened picture stands on white, and no picture is transparent any more.

    `transparent background` is replaced in its place; a flattened picture that names no background gets the tags too.
    """
    replacement = ON_WHITE if flattened else ()
    replaced = [new for tag in found for new in (replacement if tag == TRANSPARENT else (tag,))]
    if flattened and not any(tag.endswith(" background") for tag in replaced):
        replaced += ON_WHITE
    return tags.unique(replaced)


def _report(captions: Sequence[Caption]) -> None:
    lost = Counter(
        tag for each in captions for tag, why in each.fates.items() if not why.startswith((BY_TRIGGER, "renamed"))
    )
    most = ", ".join(f"{tag} {count}" for tag, count in lost.most_common(5)) or "nothing"
    automatic = sum(each.source == "tagger" for each in captions)
    print(
        f"wrote {len(captions)} captions" + (f", {automatic} of them by the tagger" if automatic else "")
        + f"; dropped {len(lost)} kinds of tags, most often: {most}"
    )  # fmt: skip
