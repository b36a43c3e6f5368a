"""Complete downloads move into the raw folder, named as Grabber does: `{position}.{ext}`, with tags and side file."""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from loramake import images
from loramake.files import read_json, to_json, write_text
from loramake.posts import Post, read_categories, read_post


@dataclass(frozen=True)
class Arrival:
    """A post whose file lies complete in its site's folder."""

    post: Post
    file: Path
    side: Path


def arrivals(folder: Path, site: str, engine: str, order: Sequence[int]) -> list[Arrival]:
    """What gallery-dl has left in a site's folder, as listed by the booru; half of a pair is deleted.

    Args:
        folder: of the site.
        site: its name.
        engine: its kind.
        order: post numbers in the order they were listed; others come first.
    """
    found = []
    for side in folder.glob("*.json"):
        try:
            fields = read_json(side)
            post = read_post(fields, site, engine)
            file = side.with_suffix(f".{post.extension}")
        except (ValueError, AttributeError):
            file, post = None, None  # cut short by a kill
        if file and post.id and re.fullmatch(r"[a-z0-9]+", post.extension) and file.is_file():
            found.append(Arrival(post, file, side))
        else:
            side.unlink()
    kept = {path for arrival in found for path in (arrival.file, arrival.side)}
    for path in folder.iterdir():
        # partial downloads stay, to be resumed
        if path.is_file() and path not in kept and path.suffix != ".part":
            path.unlink()
    rank = {number: place for place, number in enumerate(order, start=1)}
    return sorted(found, key=lambda arrival: (rank.get(arrival.post.id, 0), arrival.post.id))


def add_categories(found: Iterable[Arrival], pages: Path) -> list[Arrival]:
    """The arrivals with the tag categories of their pages, for those whose page was read."""
    result = []
    for arrival in found:
        try:
            tags = read_categories(read_json(pages / arrival.side.name))
        except (OSError, ValueError, AttributeError):
            tags = arrival.post.tags
        # the page may have lost or gained a tag since the search; only categories are taken from it
        known = {tag for names in arrival.post.tags.values() for tag in names}
        tags = {category: [tag for tag in names if tag in known] for category, names in tags.items()}
        told = {tag for names in tags.values() for tag in names}
        tags["general"] += [tag for names in arrival.post.tags.values() for tag in names if tag not in told]
        result.append(replace(arrival, post=replace(arrival.post, tags=tags)))
    return result


def problem(arrival: Arrival) -> str:
    """Why a fetched file is of no use, in a few words; "" where it is the booru's file, or reads as a picture."""
    if _md5(arrival.file) == arrival.post.md5:
        return ""
    try:
        # some boorus hand out a recompressed file under the original's checksum
        images.load(arrival.file).close()
    except images.PictureError as error:
        return error.what
    return ""


def take_in(found: Sequence[Arrival], raw: Path, counter: Path) -> list[str]:
    """Move files into the raw folder under new positions; return their names there.

    A position is never given twice, not even after its picture was deleted: edits name pictures by it.

    Args:
        found: what to move, in order.
        raw: the raw folder.
        counter: file that holds the last position given.
    """
    position = max([_last(counter), *(int(path.stem) for path in raw.iterdir() if re.fullmatch(r"\d{1,9}", path.stem))])
    names = []
    for arrival in found:
        position += 1
        write_text(counter, f"{position}\n")
        # the picture comes last: until it is there, the next run takes the post in again
        write_text(raw / f"{position}.txt", arrival.post.tag_line())
        write_text(raw / f"{position}.json", to_json(arrival.post.side_file()))
        name = f"{position}.{arrival.post.extension}"
        os.replace(arrival.file, raw / name)
        arrival.side.unlink()
        names.append(name)
    return names


def remember(archive: Path, files: Iterable[Path]) -> None:
    """Add pictures that lie in the raw folder to gallery-dl's archive, so that they are not fetched once more."""
    with closing(sqlite3.connect(archive)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS archive (entry TEXT PRIMARY KEY) WITHOUT ROWID")
        database.executemany("INSERT OR IGNORE INTO archive (entry) VALUES (?)", [(_md5(path),) for path in files])


def forget(archive: Path, posts: Iterable[Post]) -> None:
    """Take posts out of the archive, so that the next run fetches them again."""
    with closing(sqlite3.connect(archive)) as database, database:
        database.executemany("DELETE FROM archive WHERE entry = ?", [(post.md5,) for post in posts])


def _last(counter: Path) -> int:
    try:
        return int(counter.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0


def _md5(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
