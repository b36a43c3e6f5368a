"""The raw folder of a character, as its manifest lists it: which files are pictures, and whose tags are where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from loramake import manifest as manifests
from loramake.files import hash_value
from loramake.images import PICTURE_SUFFIXES

# Grabber's, gallery-dl's and kohya's; the first one found counts
TAG_SUFFIXES = (".txt", ".caption")
SIDE_SUFFIX = ".json"
# bytes; file systems end at 255, and the longest ending that a stage adds is .safetensors
_LONGEST = 240


@dataclass(frozen=True)
class RawFolder:
    """What lies in a raw folder.

    Attributes:
        folder: the folder itself.
        names: all file names, in natural order.
        tag_files: picture name → name of its tag file, for those that have one.
        side_files: picture name → name of its .json file (score, rating, tag categories), for those that have one.
    """

    folder: Path
    names: tuple[str, ...]
    tag_files: dict[str, str]
    side_files: dict[str, str] = field(default_factory=dict)

    @property
    def pictures(self) -> list[str]:
        """Names with a picture's suffix, whatever the content turns out to be."""
        return [name for name in self.names if is_picture_name(name)]

    @property
    def strays(self) -> list[str]:
        """Names that are neither a picture nor a picture's tag or side file."""
        used = {*self.tag_files.values(), *self.side_files.values()}
        return [name for name in self.names if not is_picture_name(name) and name not in used]


def is_picture_name(name: str) -> bool:
    """Whether a file name has the suffix of a picture; subfolders are listed as `name/` and are none."""
    return PurePath(name).suffix.lower() in PICTURE_SUFFIXES and not name.startswith(".") and not name.endswith("/")


def short_name(name: str) -> str:
    """The name; one so long that nothing could be added to it as its beginning and a digest, which tells it apart."""
    encoded = name.encode()
    if len(encoded) <= _LONGEST:
        return name
    return f"{encoded[: _LONGEST - 17].decode(errors='ignore')}-{hash_value(name)[:16]}"


def output_stem(name: str) -> str:
    """Under which the stages write what they make of a raw file."""
    return short_name(PurePath(name).stem)


def pair_tag_files(names: Iterable[str]) -> dict[str, str]:
    """Picture name → its tag file: `12.txt` (Grabber, kohya), else `12.jpg.txt` (gallery-dl), else `12.caption`."""
    names = list(names)
    pairs: dict[str, str] = {}
    for suffix in TAG_SUFFIXES:
        pairs = _pair(names, suffix) | pairs
    return pairs


def pair_side_files(names: Iterable[str]) -> dict[str, str]:
    """Picture name → its side file: `12.json`, or `12.jpg.json` (gallery-dl)."""
    return _pair(list(names), SIDE_SUFFIX)


def _pair(names: list[str], suffix: str) -> dict[str, str]:
    by_stem = {PurePath(name).stem: name for name in sorted(names) if PurePath(name).suffix.lower() == suffix}
    pairs = {}
    for name in filter(is_picture_name, names):
        found = by_stem.get(PurePath(name).stem) or by_stem.get(name)
        if found:
            pairs[name] = found
    return pairs


def read_raw_folder(manifest: Path) -> RawFolder:
    """The raw folder behind a manifest file (see `manifest.read`)."""
    folder, entries = manifests.read(manifest)
    names = [entry.name for entry in entries]
    return RawFolder(folder, tuple(names), pair_tag_files(names), pair_side_files(names))
