"""Facts about each raw picture that screening needs: readable, size, perceptual hash, thumbnail. Kept by content."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from loramake import images, neardup
from loramake.files import atomic_path, read_json, to_json, write_if_changed
from loramake.revisions import REVISIONS
from loramake.stamps import hash_files
from loramake.workers import map_items

PREVIEW = 2 * neardup.THUMBNAIL  # pixels


@dataclass(frozen=True)
class Facts:
    """What is known of one picture.

    Attributes:
        content: SHA-256 of the file.
        problem: why it cannot be used at all; empty if it can.
        animated: more than one frame.
        width, height: upright size, pixels; 0 where unreadable.
        signature: what near-duplicates are found by.
        see_through: share of pixels one can see through, 0…1; None where nobody looked.
    """

    content: str
    problem: str = ""
    animated: bool = False
    width: int = 0
    height: int = 0
    signature: neardup.Signature = neardup.Signature(0, "")
    see_through: float | None = None

    @property
    def pixels(self) -> int:
        """Area in pixels."""
        return self.width * self.height

    @property
    def aspect(self) -> float:
        """Longer side / shorter side."""
        return max(self.width, self.height) / max(1, min(self.width, self.height))


def survey(folder: Path, names: Iterable[str], cache_dir: Path, *, threads: int) -> dict[str, Facts]:
    """Facts of each picture; only pictures of new content are decoded.

    Args:
        folder: where the pictures lie.
        names: their names.
        cache_dir: holds the facts and thumbnails of earlier runs; those of pictures that are gone are removed.
        threads: pictures decoded at once.
    """
    names = list(names)
    contents = hash_files((folder / name for name in names), cache_dir / "contents.json", threads=threads)
    known = known_facts(cache_dir)
    new: dict[str, str] = {}
    for name, content in contents.items():
        seen = known.get(content)
        if not seen or not (seen.problem or _is_drawn(cache_dir, content)):
            new.setdefault(content, name)

    def look(content: str) -> Facts:
        return _look(folder / new[content], content, cache_dir)

    try:
        for content, facts in map_items(look, new, threads=threads, title="look at pictures"):
            known[content] = facts
    finally:
        kept = {content: facts for content, facts in known.items() if content in set(contents.values())}
        _write_known(cache_dir, kept)
    for file in (*cache_dir.glob("thumbnails/*.png"), *cache_dir.glob("previews/*.jpg")):
        if file.stem not in kept:
            file.unlink(missing_ok=True)
    gone = Facts(content="", problem="the file is gone or cannot be read")
    return {name: known[contents[name]] if name in contents else gone for name in names}


def thumbnail_path(cache_dir: Path, content: str) -> Path:
    """Where the thumbnail of a picture of this content lies."""
    return cache_dir / "thumbnails" / f"{content}.png"


def preview_path(cache_dir: Path, content: str) -> Path:
    """Where a JPEG of this content lies, no side longer than PREVIEW pixels, on white."""
    return cache_dir / "previews" / f"{content}.jpg"


def read_thumbnail(cache_dir: Path, content: str) -> np.ndarray:
    """Thumbnail as uint8 (n, n, 3)."""
    with Image.open(thumbnail_path(cache_dir, content)) as image:
        return np.asarray(image.convert("RGB"))


def _is_drawn(cache_dir: Path, content: str) -> bool:
    paths = thumbnail_path(cache_dir, content), preview_path(cache_dir, content)
    # an empty file is what a power cut leaves
    return all(path.is_file() and path.stat().st_size for path in paths)


def _look(path: Path, content: str, cache_dir: Path) -> Facts:
    try:
        header = images.read_header(path)
        images.check_sums(path)
        image = images.load(path, at_least=PREVIEW)
    except images.PictureError as error:
        return Facts(content, problem=error.what)
    flat = images.flatten(image)
    small = neardup.make_thumbnail(flat)
    flat.thumbnail((PREVIEW, PREVIEW), Image.Resampling.BOX)
    with atomic_path(preview_path(cache_dir, content), durable=False) as temporary:
        flat.save(temporary, quality=88)
    with atomic_path(thumbnail_path(cache_dir, content), durable=False) as temporary:
        small.save(temporary)
    return Facts(content, "", header.animated, *header.size, neardup.sign(small), images.visible_alpha(image))


def known_facts(cache_dir: Path) -> dict[str, Facts]:
    """Facts of earlier runs by the content of their picture; none where the cache is lost or of another revision."""
    try:
        stored = read_json(cache_dir / "facts.json")
        if stored["revision"] != REVISIONS["screen"]:
            return {}
        return {content: _from_json(content, facts) for content, facts in stored["facts"].items()}
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # a lost or damaged cache costs one look at each picture


def _from_json(content: str, facts: dict) -> Facts:
    return Facts(content, **{**facts, "signature": neardup.Signature(**facts["signature"])})


def _write_known(cache_dir: Path, known: dict[str, Facts]) -> None:
    facts = {}
    for content, item in known.items():
        facts[content] = asdict(item)
        del facts[content]["content"]
    write_if_changed(cache_dir / "facts.json", to_json({"revision": REVISIONS["screen"], "facts": facts}))
