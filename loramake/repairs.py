"""What is to be done to one decoded picture, in order: alpha, areas painted over, crops, aspect."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from loramake import images, retouch
from loramake.edits import Box, Edit
from loramake.errors import UserError
from loramake.textboxes import Line
from loramake.textregions import Region, find_regions

LEFT = "left"  # a change that is none: what was seen, and why it stayed
TEXT_CHANGES = ("text", "text crop")  # writing was painted over, or cut off


@dataclass(frozen=True)
class Change:
    """One thing done to a picture and the figures of it.

    `change` is `alpha`, `colours`, `paint` and `crop` (by hand), `text` (painted over), `text crop`, `aspect`, or
    `left` for text that was seen and stayed.
    """

    change: str
    detail: str


@dataclass(frozen=True)
class TextRules:
    """What becomes of text; see `clean.text…` in config/schema.yaml for the values."""

    mode: str
    min_share: float
    max_share: float
    crop_share: float


@dataclass
class Repaired:
    """A picture after its repairs, and where they lie in the picture before.

    Attributes:
        before, after: mode RGB, or RGBA before.
        changes: in the order they were made.
        painted: boxes that were painted over.
        kept: the part that was kept.
    """

    before: Image.Image
    after: Image.Image
    kept: Box
    changes: list[Change] = field(default_factory=list)
    painted: list[Box] = field(default_factory=list)

    @property
    def touched(self) -> bool:
        """Whether the picture differs from what it was."""
        return any(each.change != LEFT for each in self.changes)


def repair(
    image: Image.Image,
    source: Path,
    edit: Edit,
    *,
    max_aspect: float,
    alpha_visible_share: float,
    text: TextRules,
    lines: Callable[[np.ndarray], Sequence[Line]],
) -> Repaired:
    """Do all that is to be done to a decoded picture; its size only shrinks by crops, never by scaling.

    Args:
        image: mode RGB or RGBA, upright.
        source: its file, for messages.
        edit: by hand; its boxes are in the pixels of `image`.
        max_aspect: longer side / shorter side at the end.
        alpha_visible_share: share of see-through pixels, 0…1, from which a picture counts as transparent.
        text: what becomes of text.
        lines: finds text in uint8 (height, width, 3); called only where text is to be removed.

    Raises:
        UserError: a box of the edit reaches out of the picture.
    """
    flat = images.flatten(image)
    work = Repaired(image, flat, (0, 0, *flat.size))
    seen_through = images.visible_alpha(image)
    if seen_through >= alpha_visible_share and seen_through > 0:
        work.changes.append(Change("alpha", f"{seen_through:.1%} see-through, now on white"))
    _check_boxes(source, flat.size, edit)
    if edit.paint:
        work.after = retouch.paint_over(work.after, edit.paint)
        work.painted += edit.paint
        work.changes.append(Change("paint", boxes_text(edit.paint)))
    if text.mode != "ignore":
        _remove_text(work, edit, text, lines)
    if edit.crop:
        work.kept = edit.crop
        work.changes.append(Change("crop", boxes_text([edit.crop])))
    work.after = work.after.crop(work.kept) if work.kept != (0, 0, *flat.size) else work.after
    if aspect(work.after.size) > max_aspect:
        _crop_aspect(work, max_aspect)
    return work


def aspect(size: tuple[int, int]) -> float:
    """Longer side / shorter side."""
    return max(size) / min(size)


def boxes_text(boxes: Iterable[Box]) -> str:
    """Boxes as they are written in the edits."""
    return " ".join(str(list(box)) for box in boxes)


def boxes_in(detail: str) -> list[Box]:
    """The boxes that stand in the detail of a change, in their order."""
    found = re.findall(r"\[(\d+), (\d+), (\d+), (\d+)\]", detail)
    return [tuple(map(int, box)) for box in found]


def named_kinds(change: Change) -> set[str]:
    """The kinds of regions that stand in the detail of a change; see `Region.kind`."""
    return set(re.findall(r"(\w+) \[", change.detail)) - {"to"}


def _remove_text(work: Repaired, edit: Edit, rules: TextRules, lines: Callable[[np.ndarray], Sequence[Line]]) -> None:
    """Crop text off where that costs little, paint the rest over; all of it stays where it is too much."""
    pixels = np.asarray(work.after)
    # hand-painted boxes hold no text any more; what a hand crop takes away need not be painted
    whole = edit.crop or work.kept
    total = pixels.shape[0] * pixels.shape[1]
    regions = [each for each in find_regions(pixels, lines(np.asarray(images.flatten(work.before))))
               if each.area >= rules.min_share * total and retouch.within(each, whole)
               and not any(_covers(box, each.box) for box in edit.paint)]  # fmt: skip
    if not regions:
        return
    kept = work.kept if edit.crop else retouch.edge_crop(work.after, regions, rules.crop_share)
    inside = [each for each in regions if retouch.within(each, kept)]
    cut = [each for each in regions if not retouch.within(each, kept)]
    share = sum(int(each.strokes.sum()) for each in inside) / total
    if inside and rules.mode == "crop":
        work.changes.append(Change(LEFT, f"text not near an edge: {_named(inside)}"))
    elif share > rules.max_share:
        work.changes.append(
            Change(LEFT, f"text on {share:.0%} of the picture, too much to paint over: {_named(inside)}")
        )
    elif inside:
        work.after = retouch.paint_over(work.after, inside)
        work.painted += [each.box for each in inside]
        work.changes.append(Change("text", _named(inside)))
    if cut:
        work.kept = kept
        work.changes.append(Change("text crop", f"to {list(kept)}, for {_named(cut)}"))


def _named(regions: Iterable[Region]) -> str:
    return ", ".join(f"{each.kind} {list(each.box)}" for each in regions)


def _covers(outer: Box, inner: Box) -> bool:
    """Whether most of `inner` lies in `outer`."""
    width = min(outer[2], inner[2]) - max(outer[0], inner[0])
    height = min(outer[3], inner[3]) - max(outer[1], inner[1])
    area = (inner[2] - inner[0]) * (inner[3] - inner[1])
    return width > 0 and height > 0 and width * height > 0.5 * area


def _crop_aspect(work: Repaired, max_aspect: float) -> None:
    before, box = work.after.size, retouch.aspect_crop(work.after, max_aspect)
    left, top = work.kept[:2]
    work.kept = (left + box[0], top + box[1], left + box[2], top + box[3])
    work.after = work.after.crop(box)
    detail = f"{before[0]}x{before[1]} to {work.after.width}x{work.after.height}, {list(work.kept)}"
    work.changes.append(Change("aspect", detail))


def _check_boxes(source: Path, size: tuple[int, int], edit: Edit) -> None:
    for box in [*edit.paint, *([edit.crop] if edit.crop else [])]:
        if box[2] > size[0] or box[3] > size[1]:
            raise UserError(
                "A box of a hand-made edit reaches out of its picture.", file=source, found=list(box),
                expected=f"within {size[0]}x{size[1]} (upright)", setting=f"files: {source.name!r} in config/edits/",
            )  # fmt: skip
