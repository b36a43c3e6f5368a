"""Small pictures as data URIs, for pages that must stand alone; kept by content, so that each is made once."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

from PIL import Image, WebPImagePlugin

from loramake import images
from loramake.files import atomic_path
from loramake.stamps import hash_files
from loramake.workers import map_items

_SUFFIX = ".webp" if WebPImagePlugin.SUPPORTED else ".jpg"
_MIME = "image/webp" if WebPImagePlugin.SUPPORTED else "image/jpeg"
_QUALITY = 72


def make_thumbnails(pictures: Mapping[str, Path], side: int, cache_dir: Path, **options: object) -> dict[str, str]:
    """A data URI of each picture, by the same keys; see `thumbnail_files`."""
    return data_uris(thumbnail_files(pictures, side, cache_dir, **options))


def thumbnail_files(
    pictures: Mapping[str, Path],
    side: int,
    cache_dir: Path,
    *,
    threads: int,
    see_through: bool = False,
    quality: int = _QUALITY,
) -> dict[str, Path]:
    """A small file of each picture, upright, in sRGB.

    Args:
        pictures: any key → file.
        side: longest side in pixels; smaller pictures stay as they are.
        cache_dir: thumbnails of earlier runs of the same set; those no longer needed are removed.
        threads: pictures worked on at once.
        see_through: keep transparency, where the format of thumbnails has it; else they stand on white.
        quality: of the compression, 0…100; one for all calls with this folder.

    Returns:
        key → file; pictures that cannot be read are left out.
    """
    contents = _hash_all(pictures, cache_dir, threads)
    files = {key: cache_dir / f"{content}-{side}{_SUFFIX}" for key, content in contents.items()}
    missing = {file: pictures[key] for key, file in files.items() if not _is_whole(file)}

    def shrink(file: Path) -> None:
        _shrink(missing[file], side, file, see_through and _SUFFIX == ".webp", quality)

    for _ in map_items(shrink, missing, threads=threads, title="thumbnails"):
        pass
    for file in set(cache_dir.glob("*-*.*")) - set(files.values()):
        file.unlink(missing_ok=True)
    return {key: file for key, file in files.items() if file.is_file()}


def data_uris(thumbnails: Mapping[str, Path]) -> dict[str, str]:
    """Thumbnails as `data:image/…`, by the same keys."""
    return {key: _data_uri(file) for key, file in thumbnails.items()}


def _is_whole(file: Path) -> bool:
    # an empty file is what a power cut leaves
    return file.is_file() and file.stat().st_size > 0


def _hash_all(pictures: Mapping[str, Path], cache_dir: Path, threads: int) -> dict[str, str]:
    """Key → SHA-256; the files of one folder at a time, since an index holds those of one."""
    hashes = {}
    for number, folder in enumerate(sorted({path.parent for path in pictures.values()})):
        paths = [path for path in pictures.values() if path.parent == folder]
        found = hash_files(paths, cache_dir / f"contents.{number}.json", threads=threads)
        hashes |= {folder / name: content for name, content in found.items()}
    return {key: hashes[path] for key, path in pictures.items() if path in hashes}


def _shrink(source: Path, side: int, target: Path, see_through: bool, quality: int) -> None:
    try:
        # decoded a little larger than needed, so that averaging makes a clean small picture
        image = images.load(source, at_least=side)
    except images.PictureError:
        return
    image = image if see_through else images.flatten(image)
    image.thumbnail((side, side), Image.Resampling.BOX if min(image.size) > 4 * side else Image.Resampling.LANCZOS)
    with atomic_path(target, durable=False) as temporary:
        image.save(temporary, quality=quality, **({"method": 3} if _SUFFIX == ".webp" else {}))


def _data_uri(file: Path) -> str:
    return f"data:{_MIME};base64,{base64.b64encode(file.read_bytes()).decode('ascii')}"
