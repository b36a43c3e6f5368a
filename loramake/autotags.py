"""Tags from a tagger, for pictures that came without. One file a picture, in the format of the raw tag files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import numpy as np

from loramake import images
from loramake.files import atomic_folder, hash_value, read_json, to_json, write_text
from loramake.modelhash import content_hash
from loramake.rawfiles import RawFolder, read_raw_folder, short_name
from loramake.rawtags import read_raw_tags
from loramake.revisions import REVISIONS
from loramake.stamps import hash_files
from loramake.tagger import Scores, Tagger, on_white_square, read_labels
from loramake.tags import read_tags, unique
from loramake.workers import map_items

# scores from here up are remembered, so that another threshold needs no second look at the picture
FLOOR = 0.05


def autotag_images(
    manifest: Path,
    out_dir: Path,
    cache_dir: Path,
    *,
    model: str,
    tags: str,
    general_threshold: float,
    character_threshold: float,
    batch_size: int,
    pictures: str,
    device: str = "auto",
    threads: int = 1,
) -> dict[str, list[str]]:
    """Tag the pictures that have no tags of their own, or all.

    Args:
        manifest: the raw folder's manifest.
        out_dir: replaced as a whole; gets `{file name}.txt` with one line for each picture looked at.
        cache_dir: scores of earlier runs by picture and model; those of pictures no longer asked for are removed.
        model: a WD-style .onnx file (see `tagger.Tagger`).
        tags: its selected_tags.csv.
        general_threshold, character_threshold: 0.05…1; tags of at least this probability are written.
        batch_size: pictures the model looks at at once.
        pictures: "missing" = those without tags, "all".
        device: see `tagger.Tagger`.
        threads: pictures decoded at once, and CPU threads of the model.

    Returns:
        tags by raw file name.

    Raises:
        UserError: the model or its list cannot be used. Unreadable pictures are left to screening.
    """
    raw = read_raw_folder(manifest)
    wanted = raw.pictures if pictures == "all" else untagged(raw)
    cache_dir.mkdir(parents=True, exist_ok=True)
    contents = hash_files((raw.folder / name for name in wanted), cache_dir / "contents.json", threads=threads)
    index = cache_dir / "models.json"
    recipe = hash_value(
        [REVISIONS["autotag"], content_hash(model, index, setting="autotag.model"),
         content_hash(tags, index, setting="autotag.tags")]
    )[:16]  # fmt: skip
    files = {name: cache_dir / f"{content[:32]}-{recipe}.json" for name, content in contents.items()}
    # equal pictures share a file; one look is enough
    stale = {file: raw.folder / name for name, file in reversed(files.items()) if _recall(file) is None}
    if stale:
        # not loaded where everything is known
        tagger = Tagger(Path(model), read_labels(Path(tags)), device=device, threads=threads)
        _look(tagger, stale, batch_size, threads)
    found = {name: _recall(file) for name, file in files.items()}
    chosen = {
        name: choose_tags(scores, general_threshold, character_threshold) for name, scores in found.items() if scores
    }
    _write(chosen, out_dir)
    _prune(cache_dir, set(contents.values()))
    failed = len(wanted) - len(chosen)
    print(
        f"tagged {len(chosen)} of {len(raw.pictures)} pictures, {len(stale)} looked at, the rest known or with tags of "
        f"their own" + (f"; {failed} unreadable" if failed else "")
    )
    return chosen


def untagged(raw: RawFolder) -> list[str]:
    """The pictures without tags: no tag file, or nothing in it."""
    return [name for name in raw.pictures if not read_raw_tags(raw, name).written]


def read_autotags(folder: Path | None) -> dict[str, list[str]]:
    """What `autotag_images` wrote: tags by `rawfiles.short_name` of the raw file; nothing where there is no folder."""
    if folder is None or not Path(folder).is_dir():
        return {}
    return {file.name[: -len(".txt")]: read_tags(file) for file in Path(folder).glob("*.txt")}


def choose_tags(scores: Scores, general_threshold: float, character_threshold: float) -> list[str]:
    """Characters and general tags from their threshold up, best first; last the likeliest rating, `rating:general`."""
    rating = [f"rating:{tag}" for tag in list(scores.rating)[:1]]
    characters = [tag for tag, score in scores.character.items() if score >= character_threshold]
    general = [tag for tag, score in scores.general.items() if score >= general_threshold]
    return unique([*characters, *general, *rating])


def _look(tagger: Tagger, stale: Mapping[Path, Path], batch_size: int, threads: int) -> None:
    """Score pictures and remember each batch as soon as it is done."""

    def prepare(file: Path) -> np.ndarray | None:
        try:
            picture = images.flatten(images.load(stale[file], at_least=tagger.side))
        except images.PictureError:
            return None
        return on_white_square(np.asarray(picture), tagger.side)

    prepared = map_items(prepare, stale, threads=threads, title="tag")
    readable = ((file, picture) for file, picture in prepared if picture is not None)
    for batch in _batches(readable, tagger.batch or batch_size):
        found = tagger.score(np.stack([picture for _, picture in batch]), FLOOR)
        for (file, _), scores in zip(batch, found, strict=True):
            known = {kind: list(items.items()) for kind, items in asdict(scores).items()}
            # not flushed, picture by picture: one that a power cut has emptied is looked at again
            write_text(file, to_json(known), durable=False)


def _batches(items: Iterator, size: int) -> Iterator[list]:
    while batch := list(islice(items, size)):
        yield batch


def _recall(file: Path) -> Scores | None:
    try:
        return Scores(**{kind: dict(items) for kind, items in read_json(file).items()})
    except (OSError, ValueError, TypeError, AttributeError):
        return None  # never looked at, unreadable, or damaged: it is looked at


def _write(chosen: Mapping[str, list[str]], out_dir: Path) -> None:
    with atomic_folder(out_dir) as folder:
        for name, found in chosen.items():
            (folder / f"{short_name(name)}.txt").write_bytes((", ".join(found) + "\n").encode())


def _prune(cache_dir: Path, contents: set[str]) -> None:
    kept = {content[:32] for content in contents}
    for file in cache_dir.glob("*-*.json"):
        if file.name.partition("-")[0] not in kept:
            file.unlink(missing_ok=True)
