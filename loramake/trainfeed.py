"""Batches of an epoch: latents from memory, captions tokenised, noise drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from threading import Lock

import torch

from loramake.latentfiles import LatentFile
from loramake.latentstore import LatentStore
from loramake.noise import draw
from loramake.recipe import Recipe
from loramake.stepping import Batch
from loramake.tokens import choose_length, cut_tags, text_ids, windows
from loramake.trainset import Item, Picture, count_batches, epoch_batches, epoch_caption, is_flipped
from loramake.workers import compute_ahead


class Feed:
    """Makes the batches of each epoch; what it makes depends on seed, epoch and item alone.

    Args:
        recipe: batch size, seed, caption settings.
        pictures: with captions and repeats.
        latents: the cached latents of each picture, mirrored ones too where flip_aug asks for them.
        tokenizer: CLIP's.
        scaling_factor: of the VAE.
        device: where the latents are kept and the batches go.
        number, count: which of how many processes this is, each of which takes its own batches of every step.
    """

    def __init__(
        self,
        recipe: Recipe,
        pictures: Sequence[Picture],
        latents: Sequence[LatentFile],
        tokenizer: object,
        scaling_factor: float,
        device: torch.device,
        number: int = 0,
        count: int = 1,
    ) -> None:
        self.recipe, self.pictures, self.tokenizer, self.device = recipe, pictures, tokenizer, device
        self.number, self.count = number, count
        # the tokenizers library refuses two threads at once
        self._tokenizing = Lock()
        self.buckets = [file.bucket for file in latents]
        self.latents = LatentStore(latents, scaling_factor, device)
        repeats = [p.repeats for p in pictures]
        self.showings = sum(repeats)
        self.batches_per_epoch = count_batches(self.buckets, repeats, recipe.train_batch_size)
        self.max_token_length = self._choose_length()

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of an epoch; the last one takes what is left."""
        return -(-self.batches_per_epoch // self.batches_per_step)

    @property
    def batches_per_step(self) -> int:
        """Batches of an optimizer step, those of all processes together."""
        return self.recipe.gradient_accumulation_steps * self.count

    def batch_shapes(self) -> list[tuple[int, tuple[int, int]]]:
        """Pictures and size (width, height in pixels) of every kind of batch, the largest first."""
        showings: dict[tuple[int, int], int] = {}
        for picture, bucket in zip(self.pictures, self.buckets, strict=True):
            showings[bucket] = showings.get(bucket, 0) + picture.repeats
        size = self.recipe.train_batch_size
        shapes = {(min(size, total), bucket) for bucket, total in showings.items()}
        shapes |= {(total % size, bucket) for bucket, total in showings.items() if total % size}
        return sorted(shapes, key=lambda shape: (-shape[0] * shape[1][0] * shape[1][1], shape))

    def steps(self, epoch: int) -> Iterator[list[Batch]]:
        """This process's batches of each optimizer step of an epoch (from 1), in order.

        Batches of coming steps are made in background threads where max_data_loader_n_workers asks for them. What a
        batch holds hangs on nothing but seed, epoch and items, so neither their number nor their pace matters.
        """
        order = epoch_batches(
            self.buckets,
            [p.repeats for p in self.pictures],
            batch_size=self.recipe.train_batch_size,
            seed=self.recipe.seed,
            epoch=epoch,
        )
        size = self.batches_per_step
        groups = [order[start : start + size] for start in range(0, len(order), size)]
        # the last group may leave nothing for some processes
        own = [group[self.number :: self.count] for group in groups]
        flat = (items for group in own for items in group)
        workers = self.recipe.max_data_loader_n_workers
        with closing(compute_ahead(partial(self._batch, epoch=epoch), flat, threads=workers)) as batches:
            for group in own:
                yield [next(batches) for _ in group]

    def _batch(self, items: Sequence[Item], epoch: int) -> Batch:
        keys = [f"{self.pictures[item.index].key}/{item.repeat}" for item in items]
        ids = [self._windows(item, key, epoch) for item, key in zip(items, keys, strict=True)]
        latents = torch.stack([self._latents(item, key, epoch) for item, key in zip(items, keys, strict=True)])
        shape = tuple(latents.shape[1:])
        drawn = [draw(self.recipe.seed, epoch, key, shape, self.recipe.noise_offset) for key in keys]
        noise = torch.stack([noise for noise, _ in drawn])
        timesteps = torch.tensor([timestep for _, timestep in drawn])
        return Batch(
            torch.tensor(ids).to(self.device, non_blocking=True),
            latents,
            noise.to(self.device, non_blocking=True),
            timesteps.to(self.device, non_blocking=True),
            self._weights(items),
        )

    def _latents(self, item: Item, key: str, epoch: int) -> torch.Tensor:
        mirrored = self.recipe.flip_aug and is_flipped(self.recipe.seed, epoch, key)
        return self.latents.get(item.index, mirrored=mirrored)

    def _weights(self, items: Sequence[Item]) -> torch.Tensor | None:
        """Each sample's weight: prior_loss_weight for regularisation pictures, else 1; None where all are 1."""
        prior = self.recipe.prior_loss_weight
        weights = [prior if self.pictures[item.index].regularisation else 1.0 for item in items]
        return None if set(weights) == {1.0} else torch.tensor(weights, device=self.device)

    def _windows(self, item: Item, key: str, epoch: int) -> list[list[int]]:
        recipe = self.recipe
        caption = epoch_caption(
            self.pictures[item.index].caption,
            keep_tokens=recipe.keep_tokens,
            shuffle=recipe.shuffle_caption,
            dropout_rate=recipe.caption_dropout_rate,
            tag_dropout_rate=recipe.caption_tag_dropout_rate,
            seed=recipe.seed,
            epoch=epoch,
            item=key,
            dropout_every_n_epochs=recipe.caption_dropout_every_n_epochs,
        )
        with self._tokenizing:
            ids = text_ids(self.tokenizer, caption)
        return windows(ids, self.max_token_length)

    def plain_ids(self, index: int) -> torch.Tensor:
        """Token ids of a picture's whole caption, (1, n, 77), on the device."""
        return self.caption_ids(self.pictures[index].caption)

    def caption_ids(self, caption: str) -> torch.Tensor:
        """Token ids of a caption cut to the run's length, (1, n, 77), on the device."""
        return torch.tensor([windows(text_ids(self.tokenizer, caption), self.max_token_length)]).to(self.device)

    def _choose_length(self) -> int:
        counts = [len(text_ids(self.tokenizer, p.caption)) for p in self.pictures]
        length = choose_length(self.recipe.max_token_length, counts)
        cut = [p for p, count in zip(self.pictures, counts, strict=True) if count > length]
        print(f"captions of up to {max(counts)} tokens, max_token_length {length}, {len(cut)} cut")
        for picture in cut:
            print(f"  {picture.key} loses: {', '.join(cut_tags(self.tokenizer, picture.caption, length))}")
        return length
