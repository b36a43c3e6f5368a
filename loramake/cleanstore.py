"""Cleaned pictures, kept by the content they came from and by what was to be done to them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from loramake import cleansheet
from loramake.files import atomic_path, read_json, to_json, write_text
from loramake.repairs import LEFT, Change, Repaired

# what is written as it came; all else becomes PNG, since training must not see a second lossy compression
COPIED = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}


@dataclass(frozen=True)
class Cleaned:
    """A picture in the cache; `pair` is its picture before and after, None where it is as it came."""

    file: Path
    changes: tuple[Change, ...]
    pair: Path | None


def recall(cache_dir: Path, key: str) -> Cleaned | None:
    """A finished result; its record is written last and knows the size, so a record means that the picture is whole."""
    try:
        suffix, size, changes = read_json(cache_dir / f"{key}.json")
        file = cache_dir / f"{key}{suffix}"
        whole = file.stat().st_size == size
    except (OSError, ValueError, TypeError):
        return None
    pair = _pair_file(cache_dir, key)
    found = Cleaned(file, tuple(Change(*each) for each in changes), pair if pair.is_file() else None)
    changed = any(each.change != LEFT for each in found.changes)
    return found if whole and changed == bool(found.pair) else None


def store(source: Path, format: str, cache_dir: Path, key: str, jpeg_quality: int, done: Repaired | None) -> Cleaned:
    """Write the picture, its pair where it was changed, and last its record; not flushed, since the size is checked."""
    changes = tuple(done.changes) if done else ()
    pair = _pair_file(cache_dir, key) if done and done.touched else None
    if pair:
        file = cache_dir / f"{key}{'.jpg' if format == 'JPEG' else '.png'}"
        _save(done.after, file, jpeg_quality)
        with atomic_path(pair, durable=False) as temporary:
            cleansheet.draw_pair(done).save(temporary, quality=90)
    else:
        file = cache_dir / f"{key}{COPIED[format]}"
        with atomic_path(file, durable=False) as temporary:
            shutil.copyfile(source, temporary)
    entry = [file.suffix, file.stat().st_size, [[each.change, each.detail] for each in changes]]
    write_text(cache_dir / f"{key}.json", to_json(entry), durable=False)
    return Cleaned(file, changes, pair)


def _save(image: Image.Image, file: Path, jpeg_quality: int) -> None:
    with atomic_path(file, durable=False) as temporary:
        if file.suffix == ".jpg":
            # full colour resolution: line art bleeds otherwise
            image.save(temporary, quality=jpeg_quality, subsampling=0)
        else:
            image.save(temporary, compress_level=3)


def prune(cache_dir: Path, keys: set[str], contents: set[str]) -> None:
    """Remove what no picture needs: results of other `keys`, text lines of other `contents`."""
    for pattern, used in (("*-*", keys), ("pairs/*", keys), ("text/*", contents)):
        for file in cache_dir.glob(pattern):
            if file.stem not in used:
                file.unlink(missing_ok=True)


def _pair_file(cache_dir: Path, key: str) -> Path:
    return cache_dir / "pairs" / f"{key}.jpg"
