"""The hand-written file config/edits/{character}.yaml: decisions on single pictures."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import yaml

from loramake import tags
from loramake.errors import UserError
from loramake.rawfiles import is_picture_name

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels of the upright raw picture

TEXT_MODES = ("ignore", "crop", "paint")  # what may become of text that is found in a picture
_KEYS = ("keep", "drop", "tier", "crop", "paint", "text", "tags")


@dataclass(frozen=True)
class Edit:
    """What was decided by hand for one picture.

    Attributes:
        keep: no screening rule but the minors rule and readability may drop it.
        drop: why it is dropped; None = it is not.
        tier: name of the group of pictures it belongs to; "" = the ordinary one.
        crop: the part to keep.
        paint: boxes to paint over.
        text: what becomes of text in place of clean.text; None = that.
        add_tags, drop_tags: normalized tags.
    """

    keep: bool = False
    drop: str | None = None
    tier: str = ""
    crop: Box | None = None
    paint: tuple[Box, ...] = ()
    text: str | None = None
    add_tags: tuple[str, ...] = ()
    drop_tags: tuple[str, ...] = ()

    def edit_tags(self, raw: list[str]) -> list[str]:
        """The tags with the hand-made changes, each once."""
        return tags.unique([tag for tag in raw if tag not in self.drop_tags] + list(self.add_tags))


class _OnceLoader(yaml.SafeLoader):
    """YAML in which a key may stand only once: a second `12.jpg:` would silently undo the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in keys:
            if keys.count(key) > 1:
                line = node.start_mark.line + 1
                raise yaml.YAMLError(f"{key!r} stands twice in the part that begins at line {line}")
        return super().construct_mapping(node, deep)


def read_edits(path: Path | None, names: Iterable[str]) -> dict[str, Edit]:
    """Edits by picture name; none for a path that is None, missing or empty.

    Args:
        path: the YAML file: `files: {"12.jpg": {keep: true, drop: "reason", tier: good, crop: [x0, y0, x1, y1],
            paint: [[x0, y0, x1, y1], …], text: ignore, tags: {add: […], drop: […]}}}`.
        names: the files in the raw folder.

    Raises:
        UserError: not YAML, an unknown key, a wrong value, or a name that is no picture of the raw folder.
    """
    if path is None or not Path(path).is_file():
        return {}
    text = tags.decode(Path(path).read_bytes())
    try:
        content = yaml.load(text, Loader=_OnceLoader)
    except yaml.YAMLError as error:
        found = " ".join(str(error).split())
        raise _wrong(path, "The edits cannot be read as YAML.", found, 'files: {"12.jpg": {keep: true}}') from error
    content = {} if content is None else content
    if not isinstance(content, dict) or set(content) - {"files"}:
        found = sorted(map(str, set(content) - {"files"})) if isinstance(content, dict) else content
        raise _wrong(path, "The edits begin with another key.", found, "one key, files:")
    files = content.get("files") or {}
    if not isinstance(files, dict):
        raise _wrong(path, "`files:` is no mapping.", files, 'lines like "12.jpg": {keep: true}')
    known = dict.fromkeys(names)
    for name in files:
        _check_name(path, name, known)
    return {name: _read_one(path, name, value) for name, value in files.items()}


def _check_name(path: Path, name: object, known: Mapping[str, None]) -> None:
    """Refuse a name that is no picture of the raw folder; say which is nearest."""
    if name in known and is_picture_name(name):
        return
    pictures = [each for each in known if is_picture_name(each)]
    # 12.txt and 12.png both mean 12.jpg
    same_stem = [each for each in pictures if PurePath(each).stem == PurePath(str(name)).stem]
    near = same_stem or difflib.get_close_matches(str(name), pictures, n=1)
    hint = f"a picture of the raw folder{f', such as {near[0]}' if near else ''}"
    what = "The edits name a file that is no picture." if name in known else "The edits name a file that is not there."
    raise _wrong(path, what, name, hint)


def _wrong(path: Path, what: str, found: object, expected: str) -> UserError:
    return UserError(what, file=path, found=found, expected=expected, setting=f"edit {path}")


def _read_one(path: Path, name: str, value: object) -> Edit:
    value = {} if value is None else value
    if not isinstance(value, dict):
        raise _wrong(path, f"The edit of {name} is no mapping.", value, "{keep: true}, {drop: reason} and the like")
    for key in value:
        if key not in _KEYS:
            raise _wrong(path, f"The edit of {name} has an unknown key.", key, _one_of(_KEYS, key))
    keep, drop, changes = value.get("keep", False), value.get("drop"), value.get("tags") or {}
    if not isinstance(keep, bool):
        raise _wrong(path, f"keep of {name} is neither true nor false.", keep, "true")
    if drop is not None and (not isinstance(drop, str) or not drop.strip()):
        raise _wrong(path, f"drop of {name} gives no reason.", drop, 'a reason in words, such as drop: "bad hands"')
    if keep and drop:
        raise _wrong(path, f"{name} is both kept and dropped.", value, "keep or drop")
    if not isinstance(changes, dict) or set(changes) - {"add", "drop"}:
        raise _wrong(path, f"tags of {name} are wrong.", changes, "{add: [a, b], drop: [c]}")
    tier = value.get("tier", "")
    if type(tier) not in (str, int) or not str(tier).strip() and "tier" in value:
        raise _wrong(path, f"tier of {name} is no name.", tier, "a name of dataset.tiers")
    paint = value.get("paint") or []
    if not isinstance(paint, list) or (paint and not isinstance(paint[0], list)):
        raise _wrong(path, f"paint of {name} is no list of boxes.", paint, "[[x0, y0, x1, y1], …]")
    text = value.get("text")
    if text not in (None, *TEXT_MODES):
        raise _wrong(path, f"text of {name} is unknown.", text, " or ".join(TEXT_MODES))
    return Edit(
        keep=keep,
        drop=drop.strip() if drop else None,
        tier=str(tier).strip(),
        crop=_read_box(path, f"crop of {name}", value["crop"]) if value.get("crop") else None,
        paint=tuple(_read_box(path, f"paint of {name}", box) for box in paint),
        text=text,
        add_tags=_read_tag_list(path, f"tags.add of {name}", changes.get("add")),
        drop_tags=_read_tag_list(path, f"tags.drop of {name}", changes.get("drop")),
    )


def _one_of(words: Sequence[str], found: object) -> str:
    """The words that would have been right, the nearest named first."""
    near = difflib.get_close_matches(str(found), words, n=1)
    return f"{near[0]}? One of {', '.join(words)}" if near else ", ".join(words)


def _read_box(path: Path, what: str, value: object) -> Box:
    numbers = isinstance(value, list) and len(value) == 4 and all(type(side) is int for side in value)
    if not numbers or not (0 <= value[0] < value[2] and 0 <= value[1] < value[3]):
        raise _wrong(path, f"{what} is no box.", value, "[left, top, right, bottom] in whole pixels from 0 up")
    return tuple(value)


def _read_tag_list(path: Path, what: str, value: object) -> tuple[str, ...]:
    value = [] if value is None else value
    # YAML reads the tag 2girls as text, but 3 or 1980 as a number
    if not isinstance(value, list) or not all(type(tag) in (str, int) for tag in value):
        raise _wrong(path, f"{what} are no tags.", value, "[a tag, another tag]")
    return tuple(tags.unique(tags.normalize(part) for tag in value for part in str(tag).split(",")))
