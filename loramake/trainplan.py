"""How long a training will be: image passes and optimizer steps, by repeat folder and by bucket."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loramake.buckets import Size
from loramake.repeats import image_passes
from loramake.trainset import count_batches


@dataclass(frozen=True)
class Folder:
    """One repeat folder."""

    name: str
    pictures: int
    repeats: int

    @property
    def passes(self) -> int:
        """Image passes of an epoch."""
        return image_passes(self.pictures, self.repeats)


@dataclass(frozen=True)
class Bucket:
    """One training size: its pictures, and its image passes and optimizer steps of an epoch."""

    size: Size
    pictures: int
    passes: int
    steps: int


@dataclass(frozen=True)
class TrainPlan:
    """Image passes count pictures shown, optimizer steps count batches; the one is not the other by batch size."""

    folders: Sequence[Folder]
    buckets: Sequence[Bucket]
    batch_size: int
    epochs: int

    @property
    def passes(self) -> int:
        """Image passes of an epoch."""
        return sum(folder.passes for folder in self.folders)

    @property
    def steps(self) -> int:
        """Optimizer steps of an epoch."""
        return sum(bucket.steps for bucket in self.buckets)


def make_plan(shown: Iterable[tuple[str, int, Size]], batch_size: int, epochs: int) -> TrainPlan:
    """The plan of a dataset.

    Args:
        shown: repeat folder, repeats and bucket of each picture.
        batch_size: pictures of a batch, which never mixes buckets.
        epochs: of the training.
    """
    shown = list(shown)
    folders: dict[tuple[str, int], int] = {}
    by_bucket: dict[Size, list[int]] = {}
    for name, repeats, bucket in shown:
        folders[name, repeats] = folders.get((name, repeats), 0) + 1
        by_bucket.setdefault(bucket, []).append(repeats)
    buckets = [
        Bucket(size, len(times), sum(times), count_batches([size] * len(times), times, batch_size))
        for size, times in sorted(by_bucket.items())
    ]
    listed = [Folder(name, pictures, repeats) for (name, repeats), pictures in folders.items()]
    return TrainPlan(listed, buckets, batch_size, epochs)
