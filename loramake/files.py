"""Atomic writes, content hashes and links."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from loramake.errors import UserError


def _plainly(error: OSError, folder: Path) -> Exception:
    """What a user can mend about a failed write, as a message; anything else as it is."""
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        what, expected = "No permission to write here.", "a folder you may write to"
        setting = f"chmod u+w {str(folder)!r}, or run from another folder"
    elif error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        what, expected = "The disk is full. What was finished stays.", "free space"
        setting = "delete what you can spare, then run the same command again"
    else:
        return error
    return UserError(what, file=folder, found=str(error.strerror), expected=expected, setting=setting)


@contextmanager
def atomic_path(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary name in `path`'s folder; on success flush it to disk and rename it to `path`.

    The temporary keeps the suffix, since image libraries choose the format by it.

    Args:
        path: the file to write.
        durable: False = not flushed, for one of very many cached files: after a power cut it may be there and empty.

    Raises:
        UserError: the folder cannot be written to, or the disk is full.
    """
    path = Path(path)
    temporary = path.with_name(f".{uuid.uuid4().hex[:12]}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if durable:
            with open(temporary, "rb") as handle:
                os.fsync(handle.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise _plainly(error, path.parent) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new empty folder beside `path`; on success it takes `path`'s place, with whatever was there removed.

    Raises:
        UserError: the folder above cannot be written to, or the disk is full.
    """
    path = Path(path)
    temporary = path.with_name(f".{uuid.uuid4().hex[:12]}.tmp")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if path.exists():
            shutil.rmtree(path)
        os.replace(temporary, path)
    except OSError as error:
        raise _plainly(error, path.parent) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Write UTF-8 text atomically, with "\\n" line ends on every system; `durable` as in `atomic_path`."""
    with atomic_path(path, durable=durable) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def write_if_changed(path: Path, text: str) -> bool:
    """Write `text` only where it differs from what is there; return whether it was written.

    An unchanged file keeps its time stamp, so nothing downstream runs again.
    """
    path = Path(path)
    if path.is_file() and path.read_bytes() == text.encode("utf-8"):
        return False
    write_text(path, text)
    return True


def to_json(value: object) -> str:
    """JSON with sorted keys and a final newline: equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def read_json(path: Path) -> object:
    """The value in a UTF-8 JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def hash_file(path: Path) -> str:
    """SHA-256 of a file's content, 64 hex digits."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def hash_value(value: object) -> str:
    """SHA-256 of a JSON-able value, independent of the order of its keys."""
    return hashlib.sha256(to_json(value).encode("utf-8")).hexdigest()


def check_writable(roots: Iterable[Path]) -> None:
    """Refuse output folders, two levels deep, that jobs could not write to; for a missing one its parent counts.

    Asked before anything runs: Snakemake itself, tripping over such a folder, shows a traceback.

    Raises:
        UserError: names the first such folder.
    """
    for root in map(Path, roots):
        for path in (root if root.exists() else root.parent, *root.glob("*/"), *root.glob("*/*/")):
            if not (path.is_dir() and os.access(path, os.W_OK | os.X_OK)):
                raise UserError(
                    "This is not a folder that can be written to.",
                    file=path.resolve(),
                    expected="a folder you may write to",
                    setting="its permissions, or run from another folder",
                )


def link_or_copy(source: Path, target: Path) -> None:
    """Make `target` a hard link to `source`, or a copy where the file system has no links. Replaces `target`."""
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{uuid.uuid4().hex[:12]}.tmp{target.suffix}")
    try:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)
        os.replace(temporary, target)
        # replacing a link by another link to the same file leaves the temporary in place
    finally:
        temporary.unlink(missing_ok=True)
