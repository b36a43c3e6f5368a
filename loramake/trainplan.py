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
    """One training size: its pictures, and its image passes and batches of an epoch."""

    size: Size
    pictures: int
    passes: int
    batches: int


@dataclass(frozen=True)
class TrainPlan:
    """How long a training is, in pictures shown (image passes), batches, and optimizer steps.

    Attributes:
        batches_per_step: of an optimizer step: gradient_accumulation_steps times num_processes.
        max_steps: length in optimizer steps where the config gives one, else 0.
    """

    folders: Sequence[Folder]
    buckets: Sequence[Bucket]
    batch_size: int
    max_epochs: int
    batches_per_step: int = 1
    max_steps: int = 0

    @property
    def passes(self) -> int:
        """Image passes of an epoch."""
        return sum(folder.passes for folder in self.folders)

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        return sum(bucket.batches for bucket in self.buckets)

    @property
    def steps(self) -> int:
        """Optimizer steps of an epoch, the last of which takes what batches are left."""
        return -(-self.batches // self.batches_per_step)

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole training."""
        return self.max_steps or self.steps * self.max_epochs

    @property
    def epochs(self) -> int:
        """Epochs of the whole training, a last one that max_steps cuts short included."""
        return -(-self.total_steps // self.steps)

    @property
    def total_passes(self) -> int:
        """Image passes of the whole training; of a last epoch cut short: about."""
        return round(self.passes * self.total_steps / self.steps)


def make_plan(
    shown: Iterable[tuple[str, int, Size]],
    batch_size: int,
    epochs: int,
    *,
    batches_per_step: int = 1,
    max_steps: int = 0,
) -> TrainPlan:
    """The plan of a dataset.

    Args:
        shown: repeat folder, repeats and bucket of each picture.
        batch_size: pictures of a batch, which never mixes buckets.
        epochs: of the training, where max_steps does not end it.
        batches_per_step, max_steps: see `TrainPlan`.
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
    return TrainPlan(listed, buckets, batch_size, epochs, batches_per_step, max_steps)
