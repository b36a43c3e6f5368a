"""The dataset report as HTML: what the figures are becomes what the page's template shows. No network, one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loramake import plots
from loramake.advice import GOOD, NOTE, WARNING, Remark
from loramake.captionrules import BY_TRIGGER
from loramake.captiontables import CaptionRow, TagRow
from loramake.dossier import Record
from loramake.pages import percent, render_page, visible
from loramake.tokens import LENGTHS
from loramake.trainplan import TrainPlan
from loramake.variety import Group

# of a picture that loses less than a pixel or so, nobody would call it cropped
_WHOLE = 0.003


def placed(box: Sequence[float]) -> str:
    """The CSS that puts an element at left, top, width, height, each 0…1 of its parent."""
    return ";".join(f"{key}:{side:.2%}" for key, side in zip(("left", "top", "width", "height"), box, strict=True))


_FILTERS = {
    "placed": placed,
    "loss": lambda share: "whole" if share < _WHOLE else f"{percent(share)} cut",
    "classes": lambda found: "\n".join(f"{name}:{visible(label)}" for name in found for label in found[name]),
    "bucket": lambda size: f"{size[0]}×{size[1]}",
}


@dataclass(frozen=True)
class Tables:
    """What the stages counted.

    Attributes:
        summary: rule, reason, files, as `screening.summarize` gives them.
        tags: one row a tag.
        captions: one row a kept picture, by its raw file name.
    """

    summary: Sequence[tuple[str, str, int]]
    tags: Sequence[TagRow]
    captions: Mapping[str, CaptionRow]


@dataclass(frozen=True)
class Pictures:
    """Data URIs by raw file name: of the list, before cleaning, after cleaning."""

    thumbnails: Mapping[str, str]
    before: Mapping[str, str]
    after: Mapping[str, str]


def render(
    character: str,
    records: Sequence[Record],
    remarks: Sequence[Remark],
    groups: Mapping[str, Group],
    plan: TrainPlan,
    length: int,
    tables: Tables,
    pictures: Pictures,
) -> str:
    """The page.

    Args:
        character: heading.
        records: all raw files.
        remarks: on the set; shown by level.
        groups: from `variety.measure`.
        plan: of the training.
        length: tokens of a caption that training reads.
        tables: what screening and tagging counted.
        pictures: by raw file name, as far as they are to be shown.
    """
    trained = [record for record in records if record.training]
    counts = [row.length.tokens for row in tables.captions.values()]
    used = [row for row in tables.tags if row.captions]
    left_out = [row for row in tables.tags if row.left_out not in ("", BY_TRIGGER) and row.pictures > row.captions]
    shown = dict(
        character=character,
        records=records,
        remarks=sorted(remarks, key=lambda remark: (WARNING, NOTE, GOOD).index(remark.level)),
        warnings=sum(remark.level == WARNING for remark in remarks),
        kept=len(trained),
        dropped=_by_rule(tables.summary),
        changed=[record for record in records if record.changes],
        groups=[group for group in groups.values() if group.counts or group.name != "rating"],
        plan=plan,
        length=length,
        longest=max(counts, default=0),
        over=[(limit, count) for limit in LENGTHS if (count := sum(tokens > limit for tokens in counts))],
        captions=tables.captions,
        cut={name: row.length for name, row in tables.captions.items() if row.length.cut[length]},
        frequencies=[(row.tag, row.captions) for row in sorted(used, key=lambda row: (-row.captions, row.tag))],
        left_out=sorted(left_out, key=lambda row: (row.captions - row.pictures, row.tag)),
        token_plot=plots.histogram(counts, LENGTHS, unit="tokens", noun="captions"),
        crops=_by_bucket(trained, plan, pictures),
        hidden=sum(record.name not in pictures.after for record in trained),
        pictures=pictures,
    )
    return render_page("dataset", shown, _FILTERS)


def _by_rule(summary: Sequence[tuple[str, str, int]]) -> list[tuple[str, int, list[tuple[str, int]]]]:
    """Rule, files that it dropped, and their reasons where a few tell all; the rule that dropped most first."""
    reasons: dict[str, list[tuple[str, int]]] = {}
    for rule, reason, files in summary:
        if rule != "kept":
            reasons.setdefault(rule, []).append((reason, files))
    rows = [(rule, sum(n for _, n in found), [pair for pair in found if pair[0]]) for rule, found in reasons.items()]
    return sorted(rows, key=lambda row: -row[1])


def _by_bucket(trained: Sequence[Record], plan: TrainPlan, pictures: Pictures) -> list[tuple]:
    """Each bucket of the plan with its pictures that can be shown, those that lose most first."""
    shown = sorted(
        (record for record in trained if record.name in pictures.after), key=lambda each: -each.training.lost
    )
    pairs = ((b, [each for each in shown if each.training.placement.bucket == b.size]) for b in plan.buckets)
    return [(bucket, found) for bucket, found in pairs if found]
