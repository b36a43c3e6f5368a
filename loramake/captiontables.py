"""Two tables on the captions, to look at and for the report: one row a tag, one row a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loramake.tables import read_table, write_table
from loramake.tokens import LENGTHS, CaptionLength, measure_caption, shipped_tokenizer

TAG_COLUMNS = ("tag", "pictures", "captions", "category", "left out")
CAPTION_COLUMNS = ("file", "source", "tags", "tokens", *(f"beyond {length}" for length in LENGTHS), "caption")


@dataclass(frozen=True)
class TagRow:
    """One tag.

    Attributes:
        tag: as in the captions, else normalized.
        pictures: kept pictures that have it, before the caption rules.
        captions: captions that have it.
        category: general, artist, …; empty where nothing tells it.
        left_out: why it is not in the captions of pictures that have it; empty where it is.
    """

    tag: str
    pictures: int
    captions: int
    category: str
    left_out: str


@dataclass(frozen=True)
class CaptionRow:
    """One picture.

    Attributes:
        file: the raw picture's name.
        source: where its tags are from: file, tagger, file and tagger, or none.
        tags: in its caption.
        length: in tokens, and what each maximum length would cut.
        caption: the line that training reads, unshuffled.
    """

    file: str
    source: str
    tags: int
    length: CaptionLength
    caption: str


def write_tag_table(
    path: Path,
    captions: Sequence[tuple[Sequence[str], Sequence[str], Mapping[str, str]]],
    category: Callable[[str], str],
) -> None:
    """Write how often each tag is found and written, the most frequent first.

    Args:
        captions: found tags, written tags and why a found one is not written, of each picture.
        category: a tag's category, or "".
    """
    found = Counter(tag for tags, _, _ in captions for tag in tags)
    written = Counter(tag for _, tags, _ in captions for tag in tags)
    fates: dict[str, str] = {}
    for *_, reasons in captions:
        fates = reasons | fates
    names = sorted(found | written, key=lambda tag: (-max(found[tag], written[tag]), tag))
    rows = ([tag, str(found[tag]), str(written[tag]), category(tag), fates.get(tag, "")] for tag in names)
    write_table(path, TAG_COLUMNS, rows)


def read_tag_table(path: Path) -> list[TagRow]:
    """What `write_tag_table` wrote."""
    return [TagRow(row[0], int(row[1]), int(row[2]), row[3], row[4]) for row in read_table(path, TAG_COLUMNS)]


def write_caption_table(path: Path, captions: Sequence[tuple[str, str, Sequence[str]]]) -> None:
    """Write how long each caption is, and what 75, 150 and 225 tokens would cut. Prints the gist.

    Args:
        captions: raw file name, source and written tags of each picture.
    """
    tokenizer = shipped_tokenizer()
    rows, lengths = [], []
    for file, source, tags in captions:
        text = ", ".join(tags)
        length = measure_caption(tokenizer, text)
        lengths.append(length)
        cut = [", ".join(length.cut[limit]) for limit in LENGTHS]
        rows.append([file, source, str(len(tags)), str(length.tokens), *cut, text])
    write_table(path, CAPTION_COLUMNS, rows)
    if lengths:
        _report(lengths)


def read_caption_table(path: Path) -> list[CaptionRow]:
    """What `write_caption_table` wrote."""
    rows = []
    for file, source, tags, tokens, *cut, caption in read_table(path, CAPTION_COLUMNS):
        lost = {limit: text.split(", ") if text else [] for limit, text in zip(LENGTHS, cut, strict=True)}
        rows.append(CaptionRow(file, source, int(tags), CaptionLength(int(tokens), lost), caption))
    return rows


def _report(lengths: Sequence[CaptionLength]) -> None:
    counts = [length.tokens for length in lengths]
    cuts = []
    for limit in LENGTHS:
        longer = sum(count > limit for count in counts)
        cuts.append(f"{limit} would cut {longer or 'none'}")
        if not longer:
            break
    print(f"captions of {min(counts)} to {max(counts)} tokens: {', '.join(cuts)}")
