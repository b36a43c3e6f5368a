"""The dataset report as HTML: what the figures are becomes what the page's template shows. No network, one file."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

import jinja2
from markupsafe import Markup

from loramake import plots
from loramake.advice import GOOD, NOTE, WARNING, Remark
from loramake.dossier import Record
from loramake.tokens import LENGTHS
from loramake.trainplan import TrainPlan
from loramake.variety import Group

# of a picture that loses less than a pixel or so, nobody would call it cropped
_WHOLE = 0.003


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
    style, script = _read("page.css"), _read("page.js")
    trained = [record for record in records if record.training]
    counts = [caption.tokens for caption in captions.values()]
    used = Counter(tag for record in trained for tag in set(record.training.caption.split(", ")))
    dropped = Counter(record.decision.rule for record in records if not record.training)
    return _template().render(
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
        style=Markup(style),
        script=Markup(script),
        policy=_policy(script),
    )


def _by_bucket(trained: Sequence[Record], plan: TrainPlan, pictures: Pictures) -> list[tuple]:
    """Each bucket of the plan with its pictures that can be shown, those that lose most first."""
    shown = sorted(
        (record for record in trained if record.name in pictures.after), key=lambda each: -each.training.lost
    )
    pairs = ((b, [each for each in shown if each.training.placement.bucket == b.size]) for b in plan.buckets)
    return [(bucket, found) for bucket, found in pairs if found]


def _policy(script: str) -> str:
    """What a browser may do with the page: nothing from outside, and no script but its own."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def _read(name: str) -> str:
    return resources.files("loramake").joinpath("data/report", name).read_text(encoding="utf-8")


def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=False)
    environment.filters |= {
        "visible": visible,
        "number": "{:,}".format,
        "counted": counted,
        "percent": percent,
        "loss": lambda share: "whole" if share < _WHOLE else f"{percent(share)} cut",
        "classes": lambda found: "\n".join(f"{name}:{visible(label)}" for name in found for label in found[name]),
        "bucket": lambda size: f"{size[0]}×{size[1]}",
    }
    return environment.from_string(_read("page.html"))


def visible(text: str) -> str:
    """The text with what has no glyph (line ends, controls, marks that turn the direction) spelled out."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def counted(number: int | Sequence, noun: str) -> str:
    """1 picture, 2 pictures, 3,660 pictures; of a sequence its length."""
    number = number if isinstance(number, int) else len(number)
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def percent(share: float) -> str:
    """A share of 0…1 that does not round something to nothing, or nearly all to all."""
    if 0 < share < 0.005:
        return "<1%"
    return f"{min(share, 0.99) if share < 1 else share:.0%}"
