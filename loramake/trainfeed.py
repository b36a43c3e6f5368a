"""Batches of an epoch: latents from memory, captions tokenised, noise drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from loramake.checkpoints import SafetensorsFile
from loramake.latentfiles import TENSOR, LatentFile
from loramake.noise import draw
from loramake.recipe import Recipe
from loramake.stepping import Batch
from loramake.tokens import choose_length, cut_tags, text_ids, windows
from loramake.trainset import Item, Picture, count_batches, epoch_batches, epoch_caption


class Feed:
    """Makes the batches of each epoch; what it makes depends on seed, epoch and item alone.

    Args:
        recipe: batch size, seed, caption settings.
        pictures: with captions and repeats.
        latents: the cached latents of each picture.
        tokenizer: CLIP's.
        scaling_factor: of the VAE.
        device: where the latents are kept and the batches go.
    """

    def __init__(
        self,
        recipe: Recipe,
        pictures: Sequence[Picture],
        latents: Sequence[LatentFile],
        tokenizer: object,
        scaling_factor: float,
        device: torch.device,
    ) -> None:
        self.recipe, self.pictures, self.tokenizer, self.device = recipe, pictures, tokenizer, device
        self.buckets = [file.bucket for file in latents]
        # all of them stay in memory: 64 KB each at 512 px
        self.latents = [
            (SafetensorsFile(file.path).get(TENSOR) * scaling_factor).to(device, torch.float32) for file in latents
        ]
        repeats = [p.repeats for p in pictures]
        self.showings = sum(repeats)
        self.batches_per_epoch = count_batches(self.buckets, repeats, recipe.train_batch_size)
        self.max_token_length = self._choose_length()

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch (from 1), in order."""
        recipe = self.recipe
        order = epoch_batches(
            self.buckets,
            [p.repeats for p in self.pictures],
            batch_size=recipe.train_batch_size,
            seed=recipe.seed,
            epoch=epoch,
        )
        for items in order:
            yield self._batch(items, epoch)

    def _batch(self, items: Sequence[Item], epoch: int) -> Batch:
        keys = [f"{self.pictures[item.index].key}/{item.repeat}" for item in items]
        ids = [self._windows(item, key, epoch) for item, key in zip(items, keys, strict=True)]
        latents = torch.stack([self.latents[item.index] for item in items])
        shape = tuple(latents.shape[1:])
        drawn = [draw(self.recipe.seed, epoch, key, shape, self.recipe.noise_offset) for key in keys]
        noise = torch.stack([noise for noise, _ in drawn])
        timesteps = torch.tensor([timestep for _, timestep in drawn])
        return Batch(
            torch.tensor(ids).to(self.device, non_blocking=True),
            latents,
            noise.to(self.device, non_blocking=True),
            timesteps.to(self.device, non_blocking=True),
        )

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
        )
        return windows(text_ids(self.tokenizer, caption), self.max_token_length)

    def _choose_length(self) -> int:
        counts = [len(text_ids(self.tokenizer, p.caption)) for p in self.pictures]
        length = choose_length(self.recipe.max_token_length, counts)
        cut = [p for p, count in zip(self.pictures, counts, strict=True) if count > length]
        print(f"captions of up to {max(counts)} tokens, max_token_length {length}, {len(cut)} cut")
        for picture in cut:
            print(f"  {picture.key} loses: {', '.join(cut_tags(self.tokenizer, picture.caption, length))}")
        return length
