"""The dataset report as HTML: what the figures are becomes what the page's template shows. No network, one file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loramake import plots
from loramake.advice import GOOD, NOTE, WARNING, Remark
from loramake.dossier import Record
from loramake.pages import percent, render_page, visible
from loramake.tokens import LENGTHS
from loramake.trainplan import TrainPlan
from loramake.variety import Group

# of a picture that loses less than a pixel or so, nobody would call it cropped
_WHOLE = 0.003

_FILTERS = {
    "loss": lambda share: "whole" if share < _WHOLE else f"{percent(share)} cut",
    "classes": lambda found: "\n".join(f"{name}:{visible(label)}" for name in found for label in found[name]),
    "bucket": lambda size: f"{size[0]}×{size[1]}",
}


@dataclass(frozen=True)
class CaptionLength:
    """A caption's length in tokens, and its tags of which training reads not all."""

    tokens: int
    cut: tuple[str, ...]


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
    captions: Mapping[str, CaptionLength],
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
        captions: by raw file name, of the kept files.
        pictures: by raw file name, as far as they are to be shown.
    """
    trained = [record for record in records if record.training]
    counts = [caption.tokens for caption in captions.values()]
    used = Counter(tag for record in trained for tag in set(record.training.caption.split(", ")))
    dropped = Counter(record.decision.rule for record in records if not record.training)
    shown = dict(
        character=character,
        records=records,
        remarks=sorted(remarks, key=lambda remark: (WARNING, NOTE, GOOD).index(remark.level)),
        warnings=sum(remark.level == WARNING for remark in remarks),
        kept=len(trained),
        dropped=dropped.most_common(),
        changed=[record for record in records if record.changes],
        groups=[group for group in groups.values() if group.counts or group.name != "rating"],
        plan=plan,
        length=length,
        longest=max(counts, default=0),
        over=[(limit, count) for limit in LENGTHS if (count := sum(tokens > limit for tokens in counts))],
        captions=captions,
        cut={name: caption for name, caption in captions.items() if caption.cut},
        frequencies=sorted(used.items(), key=lambda item: (-item[1], item[0])),
        token_plot=plots.histogram(counts, LENGTHS, unit="tokens", noun="captions"),
        crops=_by_bucket(trained, plan, pictures),
        hidden=sum(record.name not in pictures.after for record in trained),
        pictures=pictures,
    )
    return render_page("dataset", shown, _FILTERS)


def _by_bucket(trained: Sequence[Record], plan: TrainPlan, pictures: Pictures) -> list[tuple]:
    """Each bucket of the plan with its pictures that can be shown, those that lose most first."""
    shown = sorted(
        (record for record in trained if record.name in pictures.after), key=lambda each: -each.training.lost
    )
    pairs = ((b, [each for each in shown if each.training.placement.bucket == b.size]) for b in plan.buckets)
    return [(bucket, found) for bucket, found in pairs if found]
