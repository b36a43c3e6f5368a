"""Metadata of a run, gathered from what it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loramake.latentfiles import LatentFile
from loramake.metadata import ModelFile, training_metadata
from loramake.modelhash import content_hash, legacy_hash
from loramake.recipe import Recipe
from loramake.trainset import Picture


def describe_run(
    recipe: Recipe,
    pictures: Sequence[Picture],
    latents: Sequence[LatentFile],
    *,
    base_model: str,
    vae: str,
    fingerprint: str,
    precision: str,
    max_token_length: int,
    batches_per_epoch: int,
    steps_per_epoch: int,
    prediction_type: str,
    zero_terminal_snr: bool,
    optimizer: str,
    hashes: Path,
) -> dict[str, str]:
    """Metadata that all epochs of a run share.

    Args:
        fingerprint: of the run; the session id derives from it.
        hashes: where content hashes of model files are remembered (`modelhash.content_hash`).
    """

    def named(path: str) -> ModelFile:
        return ModelFile(Path(path).name, legacy_hash(path), content_hash(path, hashes))

    return training_metadata(
        recipe,
        pictures,
        [file.bucket for file in latents],
        [file.size for file in latents],
        base=named(base_model),
        vae=named(vae) if vae else None,
        session=str(int(fingerprint[:8], 16)),
        precision=precision,
        max_token_length=max_token_length,
        batches_per_epoch=batches_per_epoch,
        steps_per_epoch=steps_per_epoch,
        prediction_type=prediction_type,
        zero_terminal_snr=zero_terminal_snr,
        optimizer=optimizer,
    )
