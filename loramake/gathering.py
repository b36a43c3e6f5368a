"""Raw pictures that lie in several of kohya's repeat folders, brought together without touching them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from loramake.errors import UserError
from loramake.repeats import parse_folder

# between the folder's name and the file's
JOINT = "+"


def gather(raw_dir: str, into: Path, *, link: bool = True) -> str:
    """The folder to read: `raw_dir` itself, or one of links to the files of its repeat folders.

    Only where all files of `raw_dir` lie in two or more folders named as kohya's trainer wants them, 6_shim and 3_shim.
    The link to 6_shim/1.png is called 6_shim+1.png; links of files that are gone are removed.

    Args:
        raw_dir: a character's raw folder; only read.
        into: where the links are kept.
        link: False = only say which folder it is.

    Raises:
        UserError: links cannot be made here.
    """
    folders = repeat_folders(Path(raw_dir))
    if len(folders) < 2:
        return raw_dir
    if not link:
        return into.as_posix()
    wanted = {
        f"{folder.name}{JOINT}{file.name}": os.path.relpath(file, into)
        for folder in folders
        for file in folder.iterdir()
        if file.is_file() and not file.name.startswith(".")
    }
    into.mkdir(parents=True, exist_ok=True)
    for old in into.iterdir():
        if not old.is_symlink() or wanted.get(old.name) != str(old.readlink()):
            old.unlink()
    for name, target in wanted.items():
        if not (into / name).is_symlink():
            _link(into / name, target, raw_dir)
    return into.as_posix()


def repeat_folders(raw_dir: Path) -> list[Path]:
    """Its folders that hold files, all named as kohya's are; none where other files or folders lie beside them."""
    if not raw_dir.is_dir():
        return []
    found = [path for path in sorted(raw_dir.iterdir()) if not path.name.startswith(".")]
    folders = [path for path in found if path.is_dir() and any(path.iterdir())]
    if any(path.is_file() for path in found) or not all(parse_folder(path.name) for path in folders):
        return []
    return folders


def folder_tiers(folder: Path, names: Iterable[str]) -> tuple[dict[str, str], dict[str, float]]:
    """What the repeats of gathered folders say of their pictures; nothing for a folder that `gather` has not made.

    The folder with the fewest repeats counts as normal; the others are tiers named by their repeats, x6, which weigh as
    much more.

    Args:
        folder: the raw folder as the manifest names it.
        names: of raw files.

    Returns:
        name → tier, of those that came from another folder than the least; and tier → weight.
    """
    repeats = {name: number for name in names if (number := _repeats(folder / name))}
    least = min(repeats.values(), default=1)
    tiers = {name: f"x{number}" for name, number in repeats.items() if number > least}
    return tiers, {tier: int(tier[1:]) / least for tier in tiers.values()}


def _repeats(link: Path) -> int | None:
    """Repeats of the folder that a link of `gather` leads to; None for any other file."""
    if not link.is_symlink():
        return None
    origin = link.readlink().parent.name
    parsed = parse_folder(origin)
    return parsed[0] if parsed and link.name.startswith(f"{origin}{JOINT}") else None


def _link(link: Path, target: str, raw_dir: str) -> None:
    try:
        link.symlink_to(target)
    except OSError as error:
        raise UserError(
            "The pictures lie in several repeat folders, and links to them cannot be made.", file=raw_dir,
            found=str(error.strerror), expected="all pictures and tag files in one folder",
            setting="move them together, or choose one by raw_dir",
        ) from error  # fmt: skip
