"""Which raw files become training pictures, and why the others do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath

from loramake import minors, neardup, tags
from loramake.edits import Edit, read_edits
from loramake.errors import UserError
from loramake.rawfiles import RawFolder, read_raw_folder
from loramake.survey import Facts, read_thumbnail, survey
from loramake.tables import read_table, write_table

COLUMNS = ("file", "decision", "rule", "reason")

_VIDEOS = frozenset({".mp4", ".webm", ".mkv", ".avi", ".mov", ".swf", ".m4v", ".flv"})
_ARCHIVES = frozenset({".zip", ".rar", ".7z", ".gz", ".tar", ".cbz"})


@dataclass(frozen=True)
class Decision:
    """What becomes of one raw file.

    Attributes:
        file: its name in the raw folder.
        keep: whether it enters the dataset.
        rule: the rule that decided, a short name; empty where none dropped it.
        reason: the same in words, with what was found.
    """

    file: str
    keep: bool
    rule: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Candidate:
    """A picture on its way through the rules."""

    name: str
    facts: Facts
    tags: list[str]
    edit: Edit


def screen_images(
    manifest: Path,
    edits: Path | None,
    out_tsv: Path,
    cache_dir: Path,
    *,
    reject_tags: list[str],
    min_side: int,
    reject_aspect: float,
    near_duplicate_distance: int,
    require_tags: bool,
    threads: int = 1,
) -> list[Decision]:
    """Decide on every file of the raw folder and write the decisions, one row a file.

    Args:
        manifest: the raw folder's manifest.
        edits: hand-made edits; may be None or missing.
        out_tsv: table with the columns file, decision (keep or drop), rule, reason.
        cache_dir: facts and thumbnails of earlier runs.
        reject_tags: tag expressions; a picture that fulfils one is dropped.
        min_side: shorter side must have this many pixels.
        reject_aspect: longer side / shorter side may not exceed this.
        near_duplicate_distance: bits of 64 in which two hashes may differ for a closer look; 0 = no near-duplicates.
        require_tags: a picture without tags is dropped.
        threads: pictures decoded at once.

    Raises:
        UserError: a rule or the edits cannot be read, or no picture is left (with the counts of each rule).
    """
    rules = tags.parse_expressions(reject_tags, "screen.reject_tags")
    raw = read_raw_folder(manifest)
    by_hand = read_edits(edits, raw.names)
    facts = survey(raw.folder, raw.pictures, cache_dir, threads=threads)
    tag_files = {name: tags.read_tags(raw.folder / file) for name, file in raw.tag_files.items()}

    decisions = [_stray(raw, name) for name in raw.strays]
    left = []
    for name in raw.pictures:
        picture = Candidate(name, facts[name], tag_files.get(name, []), by_hand.get(name, Edit()))
        verdict = _judge(picture, rules, min_side, reject_aspect, require_tags)
        decisions += [verdict] if verdict else []
        left += [] if verdict else [picture]
    dropped = _duplicates(left, near_duplicate_distance, lambda content: read_thumbnail(cache_dir, content))
    decisions += dropped.values()
    decisions += [Decision(each.name, True, *_kept_why(each)) for each in left if each.name not in dropped]

    place = {name: index for index, name in enumerate(raw.names)}
    decisions.sort(key=lambda decision: place[decision.file])
    rows = ([each.file, "keep" if each.keep else "drop", each.rule, each.reason] for each in decisions)
    write_table(out_tsv, COLUMNS, rows)
    _report(decisions, raw.folder)
    return decisions


def read_decisions(screen_tsv: Path) -> list[Decision]:
    """The decisions `screen_images` wrote, in natural order of the files."""
    return [Decision(file, word == "keep", rule, why) for file, word, rule, why in read_table(screen_tsv, COLUMNS)]


def kept_files(screen_tsv: Path) -> list[str]:
    """Names of the kept pictures, in natural order."""
    return [decision.file for decision in read_decisions(screen_tsv) if decision.keep]


def _kept_why(picture: Candidate) -> tuple[str, str]:
    return ("edits", "kept by hand") if picture.edit.keep else ("", "")


def _stray(raw: RawFolder, name: str) -> Decision:
    suffix = PurePath(name).suffix.lower()
    if suffix == ".txt":
        return Decision(name, False, "stray", "a tag file without picture")
    if suffix in _VIDEOS:
        return Decision(name, False, "stray", "a video")
    kind = "an archive" if suffix in _ARCHIVES else f"no picture ({suffix or 'no suffix'})"
    return Decision(name, False, "stray", kind)


def _judge(
    picture: Candidate, rules: Iterable[tags.TagExpression], min_side: int, reject_aspect: float, require_tags: bool
) -> Decision | None:
    """The first rule that drops this picture, looked at alone; None if none does."""

    def drop(rule: str, reason: str) -> Decision:
        return Decision(picture.name, False, rule, reason)

    facts, edit = picture.facts, picture.edit
    # before everything a user may decide, on the tags as they came
    if minors.marks_sexualised_minor(picture.tags):
        return drop("minors", "its tags mark a sexualised minor")
    if facts.problem:
        return drop("unreadable", facts.problem)
    if edit.drop:
        return drop("edits", edit.drop)
    if edit.keep:
        return None
    if facts.animated:
        return drop("animated", "more than one frame")
    edited = edit.edit_tags(picture.tags)
    if require_tags and not edited:
        return drop("missing tags", "no tag file, or nothing in it")
    for rule in rules:
        if rule.matches(edited):
            return drop("tags", rule.text)
    if min(facts.width, facts.height) < min_side:
        return drop("too small", f"{facts.width}x{facts.height}, the shorter side needs {min_side}")
    if facts.aspect > reject_aspect:
        return drop("aspect", f"{facts.width}x{facts.height} is {facts.aspect:.1f}:1, the limit is {reject_aspect:g}:1")
    return None


def _duplicates(pictures: list[Candidate], distance: int, thumbnail: Callable[[str], object]) -> dict[str, Decision]:
    """Copies among the pictures that passed: same bytes, same drawing, or a name that another one has taken.

    The picture kept by hand wins, then the largest, then the first. Nothing kept by hand is dropped for its looks.
    """
    order = sorted(pictures, key=lambda each: (not each.edit.keep, -each.facts.pixels))
    dropped: dict[str, Decision] = {}
    first: dict[str, str] = {}
    for each in order:
        winner = first.setdefault(each.facts.content, each.name)
        if winner != each.name and not each.edit.keep:
            dropped[each.name] = Decision(each.name, False, "duplicate", f"the same file as {winner}")
    left = {each.name: each for each in order if each.name not in dropped}
    contents = {name: each.facts.content for name, each in left.items()}
    signatures = {name: each.facts.signature for name, each in left.items()}
    copies = neardup.find_copies(list(left), signatures, lambda name: thumbnail(contents[name]), distance)
    for name, winner in copies.items():
        if not left[name].edit.keep:
            dropped[name] = Decision(name, False, "near-duplicate", f"a copy of {winner}")
    stems: dict[str, str] = {}
    for name in (name for name in left if name not in dropped):
        # case twins too: they are one file on Windows and macOS
        winner = stems.setdefault(PurePath(name).stem.casefold(), name)
        if winner != name:
            dropped[name] = Decision(name, False, "same name", f"{winner} would have the same tag file")
    return dropped


def _report(decisions: list[Decision], folder: Path) -> None:
    """Print how many each rule dropped; a character without any picture is an error."""
    counts = Counter(each.rule for each in decisions if not each.keep)
    kept = sum(each.keep for each in decisions)
    summary = ", ".join(f"{rule} {count}" for rule, count in counts.most_common()) or "none"
    if not kept:
        raise UserError(
            "No usable picture is left.",
            file=folder,
            found=f"{len(decisions)} files; dropped by rule: {summary}",
            expected="at least one picture that passes all rules",
            setting="the rules under screen:, or keep: true in config/edits/",
        )
    print(f"kept {kept} of {len(decisions)} files; dropped: {summary}")
