"""Pictures through the VAE's encoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from tqdm import tqdm

from loramake.buckets import Placement
from loramake.checkpoints import save_tensors
from loramake.devices import resolve_device
from loramake.errors import UserError
from loramake.images import load_rgb, resize_to_bucket
from loramake.latentfiles import TENSOR, LatentFile
from loramake.models import load_sd1
from loramake.outofmemory import explain_shortage
from loramake.remedies import list_encoding_remedies
from loramake.seeds import derived_seed
from loramake.trainset import Picture

Job = tuple[Picture, LatentFile, Placement, bool]  # the last: mirrored
_GPU_PIXELS = 8 * 512 * 512  # per batch; what a 6 GB card encodes in float32


def encode_pictures(
    jobs: Sequence[Job], *, base_model: str, base_model_config: str, vae: str, device: str, threads: int
) -> None:
    """Encode pictures and write each one's latents to its file.

    Encoding is float32 throughout: in half precision the VAE of some models gives NaN.

    Raises:
        UserError: unreadable model or picture, NaN, or too little memory.
    """
    torch.set_num_threads(threads)
    where = resolve_device(device)
    sides = [job[1].bucket for job in jobs]
    remedies = list_encoding_remedies(max(sides, key=lambda side: side[0] * side[1], default=(512, 512)))
    with explain_shortage("encoding pictures. What was encoded stays", where, remedies):
        model = load_sd1(base_model, config=base_model_config, vae=vae, device=where, parts=("vae",)).vae
        _encode_all(model, jobs, where)


def _encode_all(model: torch.nn.Module, jobs: Sequence[Job], where: torch.device) -> None:
    by_bucket: dict[tuple[int, int], list[Job]] = {}
    for job in jobs:
        by_bucket.setdefault(job[1].bucket, []).append(job)
    with tqdm(total=len(jobs), desc="latents", unit="img") as bar:
        for bucket, group in sorted(by_bucket.items()):
            # alone on a CPU: as fast, and a picture's latents then do not depend on its neighbours
            count = 1 if where.type == "cpu" else max(1, _GPU_PIXELS // (bucket[0] * bucket[1]))
            for start in range(0, len(group), count):
                _encode_batch(model, group[start : start + count], where)
                bar.update(len(group[start : start + count]))


@torch.inference_mode()
def _encode_batch(vae: torch.nn.Module, jobs: Sequence[Job], device: torch.device) -> None:
    pixels = []
    for picture, _, placement, mirrored in jobs:
        rgb = torch.tensor(resize_to_bucket(load_rgb(picture.path), placement))  # (h, w, 3) uint8
        rgb = rgb.flip(1) if mirrored else rgb
        pixels.append((rgb.permute(2, 0, 1).float() / 255.0 - 0.5) / 0.5)
    posterior = vae.encode(torch.stack(pixels).to(device)).latent_dist
    for (picture, file, _, mirrored), mean, std in zip(jobs, posterior.mean.cpu(), posterior.std.cpu(), strict=True):
        sample = posterior_sample(mean, std, file.image_hash + "/flipped" * mirrored)
        if not torch.isfinite(sample).all():
            raise UserError(
                "The VAE gives NaN for this picture.",
                file=picture.path,
                expected="finite latents",
                setting="vae (another VAE file)",
            )
        save_tensors(file.path, {TENSOR: sample}, file.metadata())


def posterior_sample(mean: torch.Tensor, std: torch.Tensor, image_hash: str) -> torch.Tensor:
    """One sample of the VAE's posterior, (4, h, w), unscaled; the draw depends on the image's content alone."""
    generator = torch.Generator().manual_seed(derived_seed(0, "latents", image_hash))
    return mean + std * torch.randn(mean.shape, generator=generator)
