"""Cleaned pictures: on white, text and hand-named boxes painted over, cropped to a sane aspect; else untouched.

Each result is kept in a cache by the content of its source and what is to be done with it, so that one edited picture
of 300 costs the work of one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from loramake import cleansheet, cleanstore, images, textboxes
from loramake.cleanstore import Cleaned
from loramake.edits import Edit, read_edits
from loramake.errors import UserError
from loramake.files import atomic_folder, hash_value, link_or_copy
from loramake.rawfiles import output_stem, read_raw_folder
from loramake.repairs import Change, TextRules, aspect, repair
from loramake.revisions import REVISIONS
from loramake.screening import kept_files
from loramake.stamps import hash_files
from loramake.survey import known_facts
from loramake.tables import read_table, write_table
from loramake.workers import map_items

COLUMNS = ("file", "change", "detail")
CHANGES_FILE = "changes.tsv"


@dataclass(frozen=True)
class Job:
    """How pictures are cleaned, the same for all; see `clean_images` for the values."""

    max_aspect: float
    alpha_visible_share: float
    jpeg_quality: int
    text: TextRules


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
    text: str = "ignore",
    text_min_share: float = 0.002,
    text_max_share: float = 0.15,
    text_crop_share: float = 0.06,
    sheet: Path | None = None,
    survey_dir: Path | None = None,
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
        text: "ignore", "crop" (only what can be cut off at an edge), "paint" (the rest is painted over).
        text_min_share: smaller text stays, share of the picture's area, 0…1.
        text_max_share: a picture of which more would be painted over stays, share of its area, 0…1.
        text_crop_share: an edge is cut off for text where all cuts cost no more of the area than this, 0…1.
        sheet: PNG with every changed picture before and after; None draws none.
        survey_dir: cache of `screening.screen_images`, whose hashes and facts then need no second look.
        threads: pictures worked on at once.

    Returns:
        what was done, by raw file name.

    Raises:
        UserError: an edit does not fit its picture, a file changed since screening and is unreadable now, or the text
            detector is not installed.
    """
    raw = read_raw_folder(manifest)
    names = kept_files(screen_tsv)
    by_hand = read_edits(edits, raw.names)
    indexes = [survey_dir / "contents.json"] if survey_dir else []
    paths = [raw.folder / name for name in names]
    contents = hash_files(paths, cache_dir / "contents.json", also=indexes, threads=threads)
    rules = TextRules(text, text_min_share, text_max_share, text_crop_share)
    job = Job(max_aspect, alpha_visible_share, jpeg_quality, rules)
    keys = {name: _key(_content(contents, raw.folder, name), job, by_hand.get(name, Edit())) for name in names}
    done = {name: found for name in names if (found := cleanstore.recall(cache_dir, keys[name]))}
    stale = [name for name in names if name not in done]
    facts = known_facts(survey_dir) if survey_dir and stale else {}
    # opened by the first picture that needs it
    detector = cache(textboxes.open_detector)

    def work(name: str) -> Cleaned:
        known = facts.get(contents[name])
        return _clean(
            raw.folder / name, cache_dir, keys[name], by_hand.get(name, Edit()), job,
            record=cache_dir / "text" / f"{contents[name][:32]}.json", detector=detector,
            see_through=known.see_through if known else None,
        )  # fmt: skip

    done.update(map_items(work, stale, threads=threads, title="clean"))
    _link(done, names, out_dir)
    if sheet:
        _link_sheet(done, names, cache_dir, sheet)
    cleanstore.prune(cache_dir, set(keys.values()), {contents[name][:32] for name in names})
    touched = sum(done[name].pair is not None for name in names)
    kinds = f"{touched} changed, {len(names) - touched} as they came"
    print(f"cleaned {len(names)} pictures: {kinds}; {len(stale)} worked on, the rest known")
    return {name: done[name].changes for name in names}


def read_changes(clean_dir: Path) -> dict[str, list[Change]]:
    """What `clean_images` did, by raw file name; pictures left alone are not listed."""
    found: dict[str, list[Change]] = {}
    for file, change, detail in read_table(clean_dir / CHANGES_FILE, COLUMNS):
        found.setdefault(file, []).append(Change(change, detail))
    return found


def _link(done: Mapping[str, Cleaned], names: Sequence[str], out_dir: Path) -> None:
    with atomic_folder(out_dir) as folder:
        for name in names:
            link_or_copy(done[name].file, folder / f"{output_stem(name)}{done[name].file.suffix}")
        rows = [(name, change.change, change.detail) for name in names for change in done[name].changes]
        write_table(folder / CHANGES_FILE, COLUMNS, rows)


def _link_sheet(done: Mapping[str, Cleaned], names: Sequence[str], cache_dir: Path, sheet: Path) -> None:
    """The sheet of what was changed; drawn anew only where something on it changed."""
    pairs = [cleansheet.Pair(name, _texts(done[name].changes), done[name].pair) for name in names if done[name].pair]
    shown = [[pair.title, pair.texts, pair.file.name] for pair in pairs]
    file = cache_dir / "sheet" / f"{hash_value([REVISIONS['clean'], shown])[:32]}.png"
    if not file.is_file():
        cleansheet.draw_sheet(pairs, file)
    for other in set(file.parent.iterdir()) - {file}:
        other.unlink(missing_ok=True)
    link_or_copy(file, sheet)


def _texts(changes: Sequence[Change]) -> list[str]:
    return [f"{each.change}: {each.detail}" for each in changes]


def _content(contents: dict[str, str], folder: Path, name: str) -> str:
    if name not in contents:
        raise UserError(
            "A picture that passed screening is gone.", file=folder / name, found="nothing",
            expected="the file that was screened", setting="run again: the folder is looked at anew",
        )  # fmt: skip
    return contents[name]


def _key(content: str, job: Job, edit: Edit) -> str:
    settings = [REVISIONS["clean"], job.max_aspect, job.alpha_visible_share, job.jpeg_quality, edit.crop, edit.paint]
    mode = edit.text or job.text.mode
    if mode != "ignore":
        shares = [job.text.min_share, job.text.max_share, job.text.crop_share]
        settings += [mode, *shares, textboxes.detector_name()]
    return f"{content[:32]}-{hash_value(settings)[:16]}"


def _clean(
    source: Path,
    cache_dir: Path,
    key: str,
    edit: Edit,
    job: Job,
    *,
    record: Path,
    detector: Callable[[], textboxes.Detector],
    see_through: float | None,
) -> Cleaned:
    """Clean one picture into the cache; one that nothing is to be done to is never decoded."""
    header = images.read_header(source)
    whole = header.plain and header.format in cleanstore.COPIED and not header.animated
    mode = edit.text or job.text.mode
    # screening has decoded it before; what it saw decides whether alpha needs a look
    opaque = not header.may_be_transparent or (see_through is not None and see_through < job.alpha_visible_share)
    needed = not whole or not opaque or edit.crop or edit.paint or aspect(header.size) > job.max_aspect
    done = None
    if needed or mode != "ignore":
        done = repair(
            images.load(source), source, edit,
            max_aspect=job.max_aspect, alpha_visible_share=job.alpha_visible_share, text=replace(job.text, mode=mode),
            lines=lambda rgb: textboxes.remember_lines(record, rgb, detector()),
        )  # fmt: skip
        if not whole:
            what = f"{header.format}, first frame" if header.animated else f"{header.format}, upright in 8-bit sRGB"
            done.changes.insert(0, Change("colours", what))
    return cleanstore.store(source, header.format, cache_dir, key, job.jpeg_quality, done)
