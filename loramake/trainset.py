"""What a run trains on: repeat folders, captions and cached latents; order and captions of every epoch. No torch."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from loramake.errors import UserError
from loramake.seeds import derived_seed

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})


@dataclass(frozen=True)
class Picture:
    """One image of a repeat folder.

    Attributes:
        key: folder and stem, "6_shim/12": its name in everything derived from it.
        path: the image file.
        caption: first line of its .txt file, stripped; the folder's name where there is none, as kohya's.
        repeats: times it is shown in an epoch.
        regularisation: of the class and not of the character: its loss counts `prior_loss_weight`.
        folder_repeats: what its folder's name says; `repeats` where nothing has changed them.
    """

    key: str
    path: Path
    caption: str
    repeats: int
    regularisation: bool = False
    folder_repeats: int = 0

    @property
    def folder(self) -> str:
        return self.key.split("/")[-2]


class Item(NamedTuple):
    """One showing of a picture in an epoch: index into the pictures, and which of its repeats."""

    index: int
    repeat: int


def natural_key(name: str) -> list[tuple[int, int | str]]:
    """Sorts "2.png" before "10.png"."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", name) if part]


def _folder_repeats(name: str) -> int | None:
    head = name.split("_", 1)[0]
    return int(head) if head.isascii() and head.isdigit() else None


def read_pictures(dataset_dir: Path) -> list[Picture]:
    """All pictures of the `N_name` folders in natural order; other folders are reported and passed over.

    Raises:
        UserError: no pictures.
    """
    pictures = []
    for folder in sorted((p for p in Path(dataset_dir).iterdir() if p.is_dir()), key=lambda p: natural_key(p.name)):
        repeats = _folder_repeats(folder.name)
        if repeats is None:
            print(f"{folder.name}: passed over, its name does not begin with a number of repeats")
            continue
        for path in sorted(folder.iterdir(), key=lambda p: natural_key(p.name)):
            if path.suffix.lower() in IMAGE_SUFFIXES and repeats:
                caption = _read_caption(path.with_suffix(".txt"), folder.name.split("_", 1)[-1])
                pictures.append(Picture(f"{folder.name}/{path.stem}", path, caption, repeats))
    if not pictures:
        raise UserError(
            "There is nothing to train on.",
            file=dataset_dir,
            expected="folders named like 6_shim with images and .txt files",
            setting="the screening rules, or add pictures",
        )
    return pictures


def read_class_pictures(reg_dir: Path) -> list[Picture]:
    """Regularisation pictures, of the class in general: the `N_class` folders of `reg_dir`; keys begin with "reg/"."""
    return [
        replace(p, key=f"reg/{p.key}", regularisation=True, folder_repeats=p.repeats) for p in read_pictures(reg_dir)
    ]


def share_showings(found: Sequence[Picture], showings: int) -> list[Picture]:
    """Regularisation pictures with repeats that show them as often in an epoch as the character.

    As kohya's trainer: pictures are taken with their folder's repeats until the character's showings are reached, then
    each is shown once more, in turn, until they are. Pictures that are not reached are left out.

    Args:
        found: from `read_class_pictures`.
        showings: the character's in an epoch.
    """
    repeats, total = [0] * len(found), 0
    while found and total < showings:
        for place, picture in enumerate(found):
            more = 1 if repeats[place] else picture.repeats
            repeats[place] += more
            total += more
            if total >= showings:
                break
    if unused := repeats.count(0):
        print(f"{unused} of {len(found)} regularisation pictures are not used: there are more than the character's")
    return [replace(p, repeats=times) for p, times in zip(found, repeats, strict=True) if times]


def hold_out(identities: Sequence[str], share: float, seed: int) -> set[int]:
    """Which pictures are kept from training to validate with: `share` of them, rounded, at least one, never all.

    The choice hangs on the pictures themselves: another one more changes it little.

    Args:
        identities: content hash of each picture; equal ones stay together, or validation would see what was trained.
        share: 0…1; 0 holds out none.
    """
    ranked = sorted(set(identities), key=lambda identity: derived_seed(seed, "validation", identity))
    if share <= 0 or len(ranked) < 2:
        return set()
    chosen = set(ranked[: min(max(1, round(share * len(ranked))), len(ranked) - 1)])
    return {place for place, identity in enumerate(identities) if identity in chosen}


def is_flipped(seed: int, epoch: int, item: str) -> bool:
    """Whether an item is mirrored in an epoch, with flip_aug: one time in two."""
    return random.Random(derived_seed(seed, "flip", epoch, item)).random() < 0.5


def _read_caption(path: Path, otherwise: str) -> str:
    if not path.is_file():
        return otherwise
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    return lines[0].strip() if lines else ""


def epoch_batches(
    buckets: Sequence[object], repeats: Sequence[int], *, batch_size: int, seed: int, epoch: int
) -> list[list[Item]]:
    """The batches of one epoch, in order.

    Each picture enters its bucket `repeats` times; batches never mix buckets, the short one of each is kept; the
    order within buckets and of the batches is new in every epoch.

    Args:
        buckets: bucket of each picture, any sortable value.
        repeats: showings of each picture.
        epoch: counted from 1.
    """
    shuffle = random.Random(derived_seed(seed, "order", epoch)).shuffle
    batches = []
    for bucket in sorted(set(buckets)):
        items = [Item(i, r) for i, b in enumerate(buckets) if b == bucket for r in range(repeats[i])]
        shuffle(items)
        batches += [items[start : start + batch_size] for start in range(0, len(items), batch_size)]
    shuffle(batches)
    return batches


def count_batches(buckets: Iterable[object], repeats: Iterable[int], batch_size: int) -> int:
    """Optimizer steps of an epoch: Σ over buckets of ⌈showings / batch size⌉."""
    totals: dict[object, int] = {}
    for bucket, times in zip(buckets, repeats, strict=True):
        totals[bucket] = totals.get(bucket, 0) + times
    return sum(-(-total // batch_size) for total in totals.values())


def epoch_caption(
    caption: str,
    *,
    keep_tokens: int,
    shuffle: bool,
    dropout_rate: float,
    tag_dropout_rate: float,
    seed: int,
    epoch: int,
    item: str,
    dropout_every_n_epochs: int = 0,
) -> str:
    """The caption of one item in one epoch: shuffled and thinned as kohya's trainer does.

    Args:
        keep_tokens: leading tags that stay in place and are never dropped.
        shuffle: shuffle the other tags.
        dropout_rate: probability, 0…1, that the whole caption is empty.
        tag_dropout_rate: probability, 0…1, that a tag is left out.
        item: names the item within the epoch, e.g. picture and repeat.
        dropout_every_n_epochs: in each so many epochs all captions are empty; 0 = never.
    """
    if dropout_every_n_epochs and epoch % dropout_every_n_epochs == 0:
        return ""
    draw = random.Random(derived_seed(seed, "caption", epoch, item))
    if dropout_rate > 0 and draw.random() < dropout_rate:
        return ""
    if not shuffle and tag_dropout_rate <= 0:
        return caption
    tags = [tag.strip() for tag in caption.split(",")]
    kept, rest = tags[:keep_tokens], tags[keep_tokens:]
    if shuffle:
        draw.shuffle(rest)
    if tag_dropout_rate > 0:
        rest = [tag for tag in rest if draw.random() >= tag_dropout_rate]
    return ", ".join(kept + rest)
