"""Which raw files become training pictures, and why the others do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from loramake.contactsheet import Shown, draw_contact_sheet
from loramake.edits import Edit, read_edits
from loramake.errors import UserError
from loramake.rawfiles import RawFolder, read_raw_folder
from loramake.rawtags import RATINGS, read_raw_tags
from loramake.screenrules import RULES, Candidate, Decision, Limits, judge, judge_copies, judge_strays
from loramake.survey import Facts, preview_path, read_thumbnail, survey
from loramake.tables import read_table, write_table
from loramake.tagrules import parse_expressions

COLUMNS = ("file", "decision", "rule", "reason")
SUMMARY_COLUMNS = ("rule", "reason", "files")
# rules whose reasons differ from picture to picture: one line in the summary for all of them
_ONE_LINE = frozenset({"edits", "too small", "aspect", "duplicate", "near-duplicate", "same name", "minors"})


def screen_images(
    manifest: Path,
    edits: Path | None,
    out_tsv: Path,
    cache_dir: Path,
    *,
    reject_tags: Sequence[str],
    min_side: int,
    reject_aspect: float,
    near_duplicate_distance: int,
    require_tags: bool,
    ratings: Sequence[str] = RATINGS,
    autotags: Path | None = None,
    out_summary: Path | None = None,
    out_sheet: Path | None = None,
    threads: int = 1,
) -> list[Decision]:
    """Decide on every file of the raw folder and write the decisions, one row a file.

    Args:
        manifest: the raw folder's manifest.
        edits: hand-made edits; may be None or missing.
        out_tsv: table with the columns file, decision (keep or drop), rule, reason.
        cache_dir: facts, thumbnails and previews of earlier runs.
        reject_tags: tag expressions; a picture that fulfils one is dropped.
        min_side: shorter side must have this many pixels.
        reject_aspect: longer side / shorter side may not exceed this.
        near_duplicate_distance: bits of 64 in which two hashes may differ for a closer look; 0 = no near-duplicates.
        require_tags: a picture without tags, written or automatic, is dropped.
        ratings: a picture known to have another rating is dropped.
        autotags: output of `autotags.autotag_images`; None = no tagger.
        out_summary: table with the columns rule, reason, files; None = not written.
        out_sheet: PNG of all pictures with their reasons; None = not drawn.
        threads: pictures decoded at once.

    Raises:
        UserError: a rule or the edits cannot be read, or no picture is left (with the counts of each rule).
    """
    rules = parse_expressions(reject_tags, "screen.reject_tags")
    limits = Limits(rules, ratings, min_side, reject_aspect, require_tags)
    raw = read_raw_folder(manifest)
    by_hand = read_edits(edits, raw.names)
    facts = survey(raw.folder, raw.pictures, cache_dir, threads=threads)
    pictures = [
        Candidate(name, facts[name], read_raw_tags(raw, name, autotags), by_hand.get(name, Edit()))
        for name in raw.pictures
    ]
    decisions = _decide(raw, pictures, limits, near_duplicate_distance, cache_dir)
    if not any(each.keep for each in decisions):
        # the outputs of a failed job are deleted, and just then people want to see why
        out_tsv, out_sheet = cache_dir / "nothing_left.tsv", out_sheet and cache_dir / "nothing_left.png"
    rows = [[each.file, "keep" if each.keep else "drop", each.rule, each.reason] for each in decisions]
    write_table(out_tsv, COLUMNS, rows)
    if out_summary:
        write_table(out_summary, SUMMARY_COLUMNS, [[*row[:2], str(row[2])] for row in summarize(decisions)])
    if out_sheet:
        _draw(out_sheet, decisions, facts, cache_dir)
    missing = sum(each.rule == "missing tags" for each in decisions)
    if missing and autotags is None:
        print(f"without tags: {missing}; no tagger is configured that would look at them (autotag.model)")
    _report(decisions, raw.folder, out_tsv)
    return decisions


def _decide(
    raw: RawFolder, pictures: Sequence[Candidate], limits: Limits, distance: int, cache_dir: Path
) -> list[Decision]:
    """A decision on every file, in natural order."""
    decisions = judge_strays(raw)
    decisions |= {each.name: verdict for each in pictures if (verdict := judge(each, limits))}
    left = [each for each in pictures if each.name not in decisions]
    barred = [
        each
        for each in pictures
        if each.name in decisions and decisions[each.name].rule == "minors" and not each.facts.problem
    ]
    decisions |= judge_copies(left, barred, distance, lambda content: read_thumbnail(cache_dir, content))
    for each in left:
        if each.name not in decisions:
            why = ("edits", "kept by hand") if each.edit.keep else ("", each.known.note)
            decisions[each.name] = Decision(each.name, True, *why)
    return [decisions[name] for name in raw.names if name in decisions]


def _draw(out_sheet: Path, decisions: Sequence[Decision], facts: dict[str, Facts], cache_dir: Path) -> None:
    shown = []
    for each in decisions:
        known = facts.get(each.file)
        preview = preview_path(cache_dir, known.content) if known and not known.problem else None
        shown.append(Shown(each.file, each.keep, each.rule, each.reason, preview))
    draw_contact_sheet(out_sheet, shown, RULES)


def summarize(decisions: Sequence[Decision]) -> list[tuple[str, str, int]]:
    """How many files were kept (rule "kept", first) and how many each rule dropped, by reason where few differ."""
    counts = Counter((each.rule, "" if each.rule in _ONE_LINE else each.reason) for each in decisions if not each.keep)
    rows = [(*key, count) for key, count in counts.items()]
    rows.sort(key=lambda row: (RULES.index(row[0]), -row[2], row[1]))
    return [("kept", "", sum(each.keep for each in decisions)), *rows]


def read_summary(summary_tsv: Path) -> list[tuple[str, str, int]]:
    """The summary `screen_images` wrote, see `summarize`."""
    return [(rule, reason, int(files)) for rule, reason, files in read_table(summary_tsv, SUMMARY_COLUMNS)]


def read_decisions(screen_tsv: Path) -> list[Decision]:
    """The decisions `screen_images` wrote, in natural order of the files."""
    return [Decision(file, word == "keep", rule, why) for file, word, rule, why in read_table(screen_tsv, COLUMNS)]


def kept_files(screen_tsv: Path) -> list[str]:
    """Names of the kept pictures, in natural order."""
    return [decision.file for decision in read_decisions(screen_tsv) if decision.keep]


def _report(decisions: list[Decision], folder: Path, table: Path) -> None:
    """Print how many each rule dropped; a character without any picture is an error."""
    counts = Counter(each.rule for each in decisions if not each.keep)
    kept = sum(each.keep for each in decisions)
    summary = ", ".join(f"{rule} {count}" for rule, count in counts.most_common()) or "none"
    if not kept:
        raise UserError(
            "No usable picture is left.",
            file=folder,
            found=f"{len(decisions)} files; dropped by rule: {summary}; each with its reason in {table}",
            expected="at least one picture that passes all rules",
            setting="the rules under screen:, or keep: true in config/edits/",
        )
    print(f"kept {kept} of {len(decisions)} files; dropped: {summary}")
