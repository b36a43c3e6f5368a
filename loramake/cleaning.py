"""Cleaned pictures: flattened on white, painted over and cropped by hand, cropped to a sane aspect; else untouched.

Each result is kept in a cache by the content of its source and what is to be done with it, so that one edited picture
of 300 costs the work of one.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath

from PIL import Image

from loramake import images, retouch
from loramake.edits import Box, Edit, read_edits
from loramake.errors import UserError
from loramake.files import atomic_folder, atomic_path, hash_value, link_or_copy, read_json, to_json, write_text
from loramake.rawfiles import read_raw_folder
from loramake.revisions import REVISIONS
from loramake.screening import kept_files
from loramake.stamps import hash_files
from loramake.tables import read_table, write_table
from loramake.workers import map_items

COLUMNS = ("file", "change", "detail")
CHANGES_FILE = "changes.tsv"
# what is written as it came; all else becomes PNG, since training must not see a second lossy compression
_COPIED = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}


@dataclass(frozen=True)
class Change:
    """One thing done to a picture: `alpha`, `colours`, `paint`, `crop`, `aspect`, and the figures of it."""

    change: str
    detail: str


@dataclass(frozen=True)
class Cleaned:
    """A picture in the cache."""

    file: Path
    changes: tuple[Change, ...]


def clean_images(
    manifest: Path,
    screen_tsv: Path,
    edits: Path | None,
    out_dir: Path,
    cache_dir: Path,
    *,
    max_aspect: float,
    alpha_visible_share: float,
    jpeg_quality: int,
    threads: int = 1,
) -> dict[str, tuple[Change, ...]]:
    """Clean every kept picture into `out_dir`, under its own stem, with `changes.tsv` beside.

    Args:
        manifest: the raw folder's manifest; raw files are only read.
        screen_tsv: decisions of `screening.screen_images`.
        edits: hand-made edits; may be None or missing.
        out_dir: replaced as a whole; its pictures are hard links into the cache.
        cache_dir: results of earlier runs; those no longer needed are removed.
        max_aspect: longer side / shorter side after cleaning.
        alpha_visible_share: share (0…1) of see-through pixels from which a picture counts as transparent.
        jpeg_quality: 1…100, for JPEGs that had to be changed.
        threads: pictures worked on at once.

    Returns:
        what was done, by raw file name.

    Raises:
        UserError: an edit does not fit its picture, or a file changed since screening and is unreadable now.
    """
    raw = read_raw_folder(manifest)
    names = kept_files(screen_tsv)
    by_hand = read_edits(edits, raw.names)
    contents = hash_files((raw.folder / name for name in names), cache_dir / "contents.json", threads=threads)
    settings = [REVISIONS["clean"], max_aspect, alpha_visible_share, jpeg_quality]
    keys = {name: _key(_content(contents, raw.folder, name), settings, by_hand.get(name, Edit())) for name in names}
    done = {name: found for name in names if (found := _recall(cache_dir, keys[name]))}

    def work(name: str) -> Cleaned:
        return _clean(
            raw.folder / name, cache_dir, keys[name], by_hand.get(name, Edit()),
            max_aspect=max_aspect, alpha_visible_share=alpha_visible_share, jpeg_quality=jpeg_quality,
        )  # fmt: skip

    stale = [name for name in names if name not in done]
    done.update(map_items(work, stale, threads=threads, title="clean"))

    with atomic_folder(out_dir) as folder:
        for name in names:
            link_or_copy(done[name].file, folder / f"{PurePath(name).stem}{done[name].file.suffix}")
        rows = [(name, change.change, change.detail) for name in names for change in done[name].changes]
        write_table(folder / CHANGES_FILE, COLUMNS, rows)
    _prune(cache_dir, set(keys.values()))
    touched = sum(bool(done[name].changes) for name in names)
    kinds = f"{touched} changed, {len(names) - touched} as they came"
    print(f"cleaned {len(names)} pictures: {kinds}; {len(stale)} worked on, the rest known")
    return {name: done[name].changes for name in names}


def read_changes(clean_dir: Path) -> dict[str, list[Change]]:
    """What `clean_images` did, by raw file name; pictures left alone are not listed."""
    found: dict[str, list[Change]] = {}
    for file, change, detail in read_table(clean_dir / CHANGES_FILE, COLUMNS):
        found.setdefault(file, []).append(Change(change, detail))
    return found


def _content(contents: dict[str, str], folder: Path, name: str) -> str:
    if name not in contents:
        raise UserError(
            "A picture that passed screening is gone.", file=folder / name, found="nothing",
            expected="the file that was screened", setting="run again: the folder is looked at anew",
        )  # fmt: skip
    return contents[name]


def _key(content: str, settings: list, edit: Edit) -> str:
    return f"{content[:32]}-{hash_value([settings, edit.crop, edit.paint])[:16]}"


def _recall(cache_dir: Path, key: str) -> Cleaned | None:
    """A finished result; its record is written last, so a record means that the picture is whole."""
    try:
        suffix, changes = read_json(cache_dir / f"{key}.json")
    except (OSError, ValueError):
        return None
    file = cache_dir / f"{key}{suffix}"
    return Cleaned(file, tuple(Change(*each) for each in changes)) if file.is_file() else None


def _prune(cache_dir: Path, used: set[str]) -> None:
    for file in cache_dir.iterdir():
        if "-" in file.name and file.stem not in used:
            file.unlink(missing_ok=True)


def _clean(
    source: Path,
    cache_dir: Path,
    key: str,
    edit: Edit,
    *,
    max_aspect: float,
    alpha_visible_share: float,
    jpeg_quality: int,
) -> Cleaned:
    """Clean one picture into the cache."""
    header = images.read_header(source)
    image, changes = None, []
    whole = header.plain and header.format in _COPIED and not header.animated
    # a JPEG that nothing is to be done to is never decoded
    if not whole or header.may_be_transparent or edit.crop or edit.paint or _aspect(header.size) > max_aspect:
        image, changes = _change(images.load(source), source, edit, max_aspect, alpha_visible_share)
        if not whole:
            what = f"{header.format}, first frame" if header.animated else f"{header.format}, upright in 8-bit sRGB"
            changes = [Change("colours", what), *changes]
    if not changes:
        file = cache_dir / f"{key}{_COPIED[header.format]}"
        with atomic_path(file) as temporary:
            shutil.copyfile(source, temporary)
    else:
        file = cache_dir / f"{key}{'.jpg' if header.format == 'JPEG' else '.png'}"
        _save(image, file, jpeg_quality)
    record = [file.suffix, [[each.change, each.detail] for each in changes]]
    write_text(cache_dir / f"{key}.json", to_json(record))
    return Cleaned(file, tuple(changes))


def _change(
    image: Image.Image, source: Path, edit: Edit, max_aspect: float, alpha_visible_share: float
) -> tuple[Image.Image, list[Change]]:
    """Everything that is to be done to a decoded picture: alpha, boxes painted over, hand crop, aspect."""
    changes = []
    seen_through = images.visible_alpha(image)
    if seen_through >= alpha_visible_share and seen_through > 0:
        changes.append(Change("alpha", f"{seen_through:.1%} see-through, now on white"))
    flat = images.flatten(image)
    _check_boxes(source, flat.size, edit)
    if edit.paint:
        flat = retouch.paint_over(flat, edit.paint)
        changes.append(Change("paint", _boxes_text(edit.paint)))
    if edit.crop:
        flat = flat.crop(edit.crop)
        changes.append(Change("crop", _boxes_text([edit.crop])))
    if _aspect(flat.size) > max_aspect:
        box = retouch.aspect_crop(flat, max_aspect)
        changes.append(Change("aspect", f"{flat.width}x{flat.height} to {box[2] - box[0]}x{box[3] - box[1]}"))
        flat = flat.crop(box)
    return flat, changes


def _aspect(size: tuple[int, int]) -> float:
    return max(size) / min(size)


def _boxes_text(boxes: Iterable[Box]) -> str:
    return " ".join(str(list(box)) for box in boxes)


def _check_boxes(source: Path, size: tuple[int, int], edit: Edit) -> None:
    for box in [*edit.paint, *([edit.crop] if edit.crop else [])]:
        if box[2] > size[0] or box[3] > size[1]:
            raise UserError(
                "A box of a hand-made edit reaches out of its picture.", file=source, found=list(box),
                expected=f"within {size[0]}x{size[1]} (upright)", setting=f"files: {source.name!r} in config/edits/",
            )  # fmt: skip


def _save(image: Image.Image, file: Path, jpeg_quality: int) -> None:
    with atomic_path(file) as temporary:
        if file.suffix == ".jpg":
            # full colour resolution: line art bleeds otherwise
            image.save(temporary, quality=jpeg_quality, subsampling=0)
        else:
            image.save(temporary, compress_level=3)
