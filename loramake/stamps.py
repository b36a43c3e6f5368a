"""Content hashes of files, remembered with size and time so that unchanged files are not read again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from loramake.files import hash_file, read_json, to_json, write_if_changed
from loramake.workers import map_items


def hash_files(paths: Iterable[Path], index: Path, *, also: Iterable[Path] = (), threads: int) -> dict[str, str]:
    """SHA-256 of each file by its name; only files whose size or time differs from the index are read.

    Args:
        paths: files of one folder.
        index: JSON file {name: [size, mtime_ns, sha256]}, read if it exists and written afterwards; names that
            are not among `paths` leave it.
        also: indexes of the same folder that another stage wrote, only read.
        threads: files hashed at once.

    Returns:
        name → 64 hex digits; a file that cannot be read is left out.
    """
    indexes = [_read_index(each) for each in (index, *also)]
    entries: dict[str, list] = {}
    stale = []
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            continue
        stamp = [status.st_size, status.st_mtime_ns]
        entry = next((found for each in indexes if (found := each.get(path.name)) and found[:2] == stamp), None)
        if entry:
            entries[path.name] = entry
        else:
            stale.append((path, stamp))
    for (path, stamp), digest in map_items(lambda item: _hash(item[0]), stale, threads=threads, title="hash"):
        if digest:
            entries[path.name] = [*stamp, digest]
    write_if_changed(index, to_json(entries))
    return {name: entry[2] for name, entry in entries.items()}


def _read_index(index: Path) -> dict[str, list]:
    try:
        return read_json(index)
    except (OSError, ValueError):
        return {}  # a lost or damaged index costs one reading of the files


def _hash(path: Path) -> str | None:
    try:
        return hash_file(path)
    except OSError:
        return None
