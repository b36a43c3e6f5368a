"""Cached latents: each picture encoded once per VAE and bucket setting. Loads torch only for what is missing."""

from __future__ import annotations

from pathlib import Path

from loramake.buckets import listed_buckets, square_options
from loramake.errors import UserError
from loramake.files import hash_value, link_or_copy
from loramake.latentfiles import FLIPPED, LatentFile, read_latent_file
from loramake.modelhash import content_hash
from loramake.placing import place_picture
from loramake.revisions import REVISIONS
from loramake.stamps import hash_files
from loramake.trainset import Picture, read_class_pictures, read_pictures


def cache_latents(
    dataset_dir: Path,
    out_dir: Path,
    cache_dir: Path,
    *,
    base_model: str,
    base_model_config: str,
    vae: str,
    device: str,
    resolution: int,
    enable_bucket: bool,
    min_bucket_reso: int,
    max_bucket_reso: int,
    bucket_reso_steps: int,
    bucket_no_upscale: bool,
    flip_aug: bool = False,
    reg_dir: Path | None = None,
    threads: int = 1,
) -> dict[str, int]:
    """Encode every picture of a dataset, or link what was encoded before.

    Args:
        dataset_dir: holds the `N_name` folders.
        out_dir: gets {N_name}/{stem}.safetensors (see `latentfiles`), regularisation pictures' below reg/,
            mirror images' below flipped/; anything else in it is removed.
        cache_dir: keeps encoded pictures by image, VAE and bucket settings.
        base_model, base_model_config, vae, device: see `models.load_sd1` and the config.
        resolution: side of the square whose area pictures train at, pixels; a multiple of 8.
        flip_aug: encode each picture's mirror image too.
        reg_dir: holds the `N_class` folders of regularisation pictures, where there are any.
        threads: CPU threads for hashing and encoding.

    Returns:
        How many pictures were "encoded" and how many "reused".

    Raises:
        UserError: no pictures, an unreadable model or picture, or a VAE that gives NaN.
    """
    dataset_dir, out_dir, cache_dir = Path(dataset_dir), Path(out_dir), Path(cache_dir)
    cache_dir.mkdir(parents=True, exist_ok=True)
    pictures = read_pictures(dataset_dir) + (read_class_pictures(reg_dir) if reg_dir else [])
    vae_hash = content_hash(vae or base_model, cache_dir / "models.json", setting="vae" if vae else "base_model")
    if not (vae or base_model):
        raise UserError("No base model is configured.", expected="a file or a folder", setting="base_model")
    hashes = _image_hashes(pictures, cache_dir, threads)
    options = square_options(
        resolution, enable_bucket, min_bucket_reso, max_bucket_reso, bucket_reso_steps, bucket_no_upscale
    )
    placing = {**options, "buckets": listed_buckets(options)}
    wanted, missing = {}, {}
    for picture, mirrored in [(p, m) for m in (False, True)[: 1 + flip_aug] for p in pictures]:
        made_of = [hashes[picture.key], vae_hash, options, REVISIONS["latents"], *([FLIPPED] if mirrored else [])]
        cached = cache_dir / f"{hash_value(made_of)[:32]}.safetensors"
        wanted[f"{FLIPPED}/{picture.key}" if mirrored else picture.key] = cached
        if cached not in missing and not _is_whole(cached):
            size, placement = place_picture(picture.path, placing)
            file = LatentFile(cached, hashes[picture.key], vae_hash, placement.bucket, size)
            missing[cached] = (picture, file, placement, mirrored)
    if missing:
        # torch takes a second to load: only where there is something to encode
        from loramake.vaeencode import encode_pictures

        encode_pictures(
            list(missing.values()),
            base_model=base_model,
            base_model_config=base_model_config,
            vae=vae,
            device=device,
            threads=threads,
        )
    _link_all(wanted, out_dir)
    summary = {"encoded": len(missing), "reused": len(wanted) - len(missing)}
    also = " and their mirror images" if flip_aug else ""
    print(f"latents of {len(pictures)} pictures{also}: {summary['encoded']} encoded, {summary['reused']} reused")
    return summary


def _image_hashes(pictures: list[Picture], cache_dir: Path, threads: int) -> dict[str, str]:
    hashes = {}
    for folder in sorted({p.key.rpartition("/")[0] for p in pictures}):
        paths = [p.path for p in pictures if p.key.rpartition("/")[0] == folder]
        found = hash_files(paths, cache_dir / "images" / f"{folder}.json", threads=threads)
        hashes |= {f"{folder}/{Path(name).stem}": digest for name, digest in found.items()}
    for picture in pictures:
        if picture.key not in hashes:
            raise UserError(
                "A picture cannot be read.", file=picture.path, setting="remove it, or drop it in the edits"
            )
    return hashes


def _is_whole(path: Path) -> bool:
    try:
        read_latent_file(path)
    except UserError:
        return False
    return True


def _link_all(wanted: dict[str, Path], out_dir: Path) -> None:
    """Make `out_dir` hold exactly the wanted files; a file that is already the right one is left alone."""
    targets = {out_dir / f"{key}.safetensors": source for key, source in wanted.items()}
    if out_dir.is_dir():
        for path in sorted(out_dir.rglob("*"), reverse=True):
            if path.is_dir():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path not in targets and path.name != ".snakemake_timestamp":
                path.unlink()
    for target, source in targets.items():
        if not (target.is_file() and target.samefile(source)):
            link_or_copy(source, target)
