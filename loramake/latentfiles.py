"""Cached latents as files: what each was made from, and whether it fits what is wanted now; no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from loramake.errors import UserError
from loramake.trainset import Picture
from loramake.weightheader import read_header

TENSOR = "latents"
FLIPPED = "flipped"  # folder of the mirrored images' latents; repeat folders begin with a number


@dataclass(frozen=True)
class LatentFile:
    """One picture's cached latents.

    Attributes:
        path: safetensors file with the tensor "latents", (4, h, w), float32, an unscaled posterior sample.
        image_hash: SHA-256 of the image file it was made from.
        vae_hash: SHA-256 of the VAE's (or whole model's) file.
        bucket: (width, height) it trains at, pixels.
        size: (width, height) of the image itself, pixels.
        flipped: file of the mirrored image's latents, where flip_aug asks for them.
    """

    path: Path
    image_hash: str
    vae_hash: str
    bucket: tuple[int, int]
    size: tuple[int, int]
    flipped: Path | None = None

    def metadata(self) -> dict[str, str]:
        """As it is stored in the file."""
        return {
            "loramake.image": self.image_hash,
            "loramake.vae": self.vae_hash,
            "loramake.bucket": f"{self.bucket[0]}x{self.bucket[1]}",
            "loramake.size": f"{self.size[0]}x{self.size[1]}",
        }


def _pair(text: str) -> tuple[int, int]:
    width, height = text.split("x")
    return int(width), int(height)


def read_latent_file(path: Path) -> LatentFile:
    """What a latents file says of itself.

    Raises:
        UserError: missing, truncated, or not written by the latents stage.
    """
    header, _ = read_header(path)
    stated = header.get("__metadata__", {})
    try:
        bucket, size = _pair(stated["loramake.bucket"]), _pair(stated["loramake.size"])
        return LatentFile(path, stated["loramake.image"], stated["loramake.vae"], bucket, size)
    except (KeyError, ValueError) as error:
        raise UserError(
            "These latents were not made by this workflow.",
            file=path,
            expected="a file written by cache_latents",
            setting="delete the folder; the latents are made again",
        ) from error


def match_latents(
    latents_dir: Path, pictures: Sequence[Picture], vae_hash: str, *, flip: bool = False
) -> list[LatentFile]:
    """The latents of each picture, in the order of `pictures`; with `flip` those of its mirror image too.

    Raises:
        UserError: a picture without latents, or latents made with another VAE.
    """
    matched = []
    for picture in pictures:
        file = _match(Path(latents_dir) / f"{picture.key}.safetensors", picture, vae_hash)
        if flip:
            mirrored = _match(Path(latents_dir) / FLIPPED / f"{picture.key}.safetensors", picture, vae_hash)
            file = replace(file, flipped=mirrored.path)
        matched.append(file)
    return matched


def _match(path: Path, picture: Picture, vae_hash: str) -> LatentFile:
    if not path.is_file():
        raise UserError(
            "A picture has no cached latents.",
            file=picture.path,
            expected=str(path),
            setting="delete the latents folder; the latents are made again",
        )
    file = read_latent_file(path)
    if file.vae_hash != vae_hash:
        raise UserError(
            "These latents were made with another VAE.",
            file=path,
            found=f"VAE {file.vae_hash[:10]}",
            expected=f"VAE {vae_hash[:10]}",
            setting="vae or base_model; or delete the latents folder",
        )
    return file
