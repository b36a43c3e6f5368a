"""Lists of what lies outside the workflow: the raw pictures, the models, the hand-written edits.

A stage takes such a list as its input instead of the files: it changes when a file is added, removed, edited, touched
or replaced by an older one, and only then.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

from loramake.errors import UserError


class Entry(NamedTuple):
    """One file: its name inside the folder, size in bytes, time of modification in nanoseconds."""

    name: str
    size: int
    mtime_ns: int


def natural_key(name: str) -> tuple:
    """Sort key that puts 2.jpg before 10.jpg."""
    parts = re.split(r"(\d+)", name)
    return tuple((1, int(part), part) if part.isdigit() and part.isascii() else (0, 0, part) for part in parts), name


def scan(folder: Path | str) -> list[Entry]:
    """The files directly in a folder, in natural order; hidden ones are left out.

    A subfolder that holds files is listed as `name/`, so that nobody wonders where its pictures are.

    Raises:
        UserError: a name that is not valid UTF-8 and so cannot be written down.
    """
    entries = []
    for path in Path(folder).iterdir():
        # a leading .. is no sign of a hidden file but of a trick or a mistake, and gets its row
        if (path.name.startswith(".") and path.name[:2] != "..") or not (path.is_file() or _holds_files(path)):
            continue
        _check_name(path)
        if path.is_dir():
            entries.append(Entry(f"{path.name}/", 0, 0))
            continue
        status = path.stat()
        entries.append(Entry(path.name, status.st_size, status.st_mtime_ns))
    return sorted(entries, key=lambda entry: natural_key(entry.name))


def scan_tree(path: Path | str) -> list[Entry]:
    """One file, or all files under a folder by their relative names; an empty list where there is nothing."""
    path = Path(path)
    found = [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]
    entries = []
    for item in found:
        _check_name(item)
        name = item.name if item == path else item.relative_to(path).as_posix()
        entries.append(Entry(name, item.stat().st_size, item.stat().st_mtime_ns))
    return sorted(entries)


def has_files(raw_dir: str) -> bool:
    """Whether the folder is there and holds any file that `scan` would list."""
    return Path(raw_dir).is_dir() and bool(scan(raw_dir))


def _holds_files(folder: Path) -> bool:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return folder.is_dir() and any(files)


def _only_folder(raw_dir: Path) -> Path:
    """The one subfolder that all files of a folder lie in, as gallery-dl and kohya have it.

    Raises:
        UserError: they lie in several.
    """
    folders = sorted({path.parent for path in raw_dir.rglob("*") if path.is_file() and not path.name.startswith(".")})
    if len(folders) == 1:
        return folders[0]
    listed = ", ".join(folder.relative_to(raw_dir).as_posix() for folder in folders[:3])
    raise UserError(
        "The pictures lie in several subfolders.", file=raw_dir,
        found=listed + (f" and {len(folders) - 3} more" if len(folders) > 3 else ""),
        expected="all pictures and tag files in one folder, or in repeat folders such as 6_shim and 3_shim",
        setting="move them together, or choose one by raw_dir",
    )  # fmt: skip


def raw_text(raw_dir: str, character: str, key: str = "raw_dir", download: str = "") -> str:
    """The manifest of a character's raw folder, or of another folder of pictures that its setting `key` names.

    Args:
        raw_dir: the folder.
        character: key of the character, for messages.
        key: the setting that names the folder.
        download: digest of the settings that the folder was filled with; "" for one that is taken as it is.

    Raises:
        UserError: no such folder, no file in it, or files in several subfolders only.
    """
    setting = f"characters.{character}.{key}"
    if not raw_dir or not Path(raw_dir).is_dir():
        raise UserError(
            f"The folder of {character}'s pictures is not there.",
            file=raw_dir,
            found="nothing",
            expected="a folder of pictures with a tag file each",
            setting=setting,
        )
    entries = scan(raw_dir)
    if entries and all(entry.name.endswith("/") for entry in entries):
        raw_dir = _only_folder(Path(raw_dir)).as_posix()
        entries = scan(raw_dir)
    if not entries:
        raise UserError(
            f"The folder of {character}'s pictures is empty.",
            file=raw_dir,
            found="no files",
            expected="pictures with a tag file each, such as 1.jpg and 1.txt",
            setting=setting,
        )
    return to_text({"raw_dir": raw_dir} | ({"download": download} if download else {}), entries)


def read_download(path: Path | str) -> str:
    """The digest of the settings that a listed raw folder was filled with; "" where there is none, or no such list."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8")).get("download", "")
    except (OSError, ValueError, AttributeError):
        return ""


def model_text(path: str, setting: str, may_be_missing: bool = False) -> str:
    """The manifest of a model file or folder that a setting names.

    Args:
        may_be_missing: then there is a manifest without files, for something that is told later.

    Raises:
        UserError: the setting is empty, or there is nothing at its path.
    """
    if may_be_missing and not (path and scan_tree(path)):
        return to_text({"path": path}, [])
    if not path:
        raise UserError(
            f"{setting} is not set.", found='""', expected="the path of a model file or folder", setting=setting
        )
    entries = scan_tree(path)
    if not entries:
        raise UserError(
            "A file named in the config is not there.",
            file=path,
            found="nothing",
            expected="a file, or a folder in diffusers layout",
            setting=setting,
        )
    return to_text({"path": path}, entries)


def to_text(head: dict[str, str], entries: list[Entry]) -> str:
    """JSON of `head` and "files", a line a file: terse, since Snakemake compares contents only under 1 MB."""
    lines = ",\n".join(json.dumps(list(entry), ensure_ascii=False) for entry in entries)
    fields = "".join(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)},\n" for key, value in head.items())
    return "{" + fields + '"files": [\n' + lines + "\n]}\n"


def read(path: Path | str) -> tuple[Path, list[Entry]]:
    """The raw folder and its files, from a character's manifest."""
    data = json.loads(Path(path).read_text(encoding="utf-8"))
    return Path(data["raw_dir"]), [Entry(*row) for row in data["files"]]


def _check_name(path: Path) -> None:
    try:
        path.name.encode("utf-8")
    except UnicodeEncodeError:
        raise UserError("A file name is not valid UTF-8.", file=ascii(str(path)), setting="rename the file") from None
