"""Pictures of a character from boorus into the raw folder, in Grabber's layout; what is there stays as it is."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from tqdm import tqdm

from loramake import boorus, gallerydl, intake, manifest
from loramake.errors import UserError
from loramake.files import to_json, write_text
from loramake.rawfiles import is_picture_name

# hidden, so that it is no part of the raw files, and inside, so that deleting the folder starts over
STATE = ".download"
# a search whose posts are nearly all refused ends after so many for each wanted one, and not before the second number
_LOOKED_AT = (20, 1000)
_SHOWN = 20


@dataclass(frozen=True)
class Search:
    """What is wanted of every booru, as the config has it.

    Attributes:
        tags: wanted tags.
        exclude: tag expressions that must not hold.
        order: "score" or "newest".
        limit: pictures of each booru.
        rating: allowed ratings.
    """

    tags: Sequence[str]
    exclude: Sequence[str]
    order: str
    limit: int
    rating: Sequence[str]


@dataclass(frozen=True)
class Haul:
    """What one booru brought.

    Attributes:
        site: its name.
        new: names of the pictures that are new in the raw folder.
        had: posts that were there from earlier runs, or from another booru.
        refused: rule → number of posts it kept from being fetched.
        lost: files that could not be fetched, each with the reason.
        failure: why the search could not go on, or "".
    """

    site: str
    new: list[str]
    had: int
    refused: Counter[str]
    lost: list[str]
    failure: str

    def line(self) -> str:
        """The haul in one line."""
        parts = [f"{len(self.new)} new", f"{self.had} already there"]
        if self.refused:
            rules = ", ".join(f"{rule} {count}" for rule, count in self.refused.most_common())
            parts.append(f"{self.refused.total()} refused ({rules})")
        parts += [f"{len(self.lost)} not to be had"] if self.lost else []
        parts += [f"stopped: {self.failure}"] if self.failure else []
        return f"{self.site}: " + ", ".join(parts)


def download_images(
    out_manifest: Path,
    *,
    character: str,
    digest: str,
    raw_dir: str,
    tag: str,
    sites: Sequence[str],
    tags: Sequence[str],
    exclude: Sequence[str],
    order: str,
    limit: int,
    rating: Sequence[str],
) -> list[Haul]:
    """Fetch what is new on each booru, then list the raw folder.

    Args:
        out_manifest: gets the raw folder's manifest, unless a booru failed.
        character: key of the character.
        digest: of these settings, for the manifest.
        raw_dir: raw folder; "" for raw/{character}.
        tag: the character's booru tag, searched for where `tags` is empty.
        sites: boorus, as `boorus.read_site` takes them.
        tags: as in `Search`, like all that follow.

    Raises:
        UserError: gallery-dl is missing; a booru could not be searched to the end (what it and the others brought
            is kept); or nothing was found at all.
    """
    gallerydl.check_installed()
    section = f"characters.{character}.download"
    places = boorus.read_sites(sites, f"{section}.sites")
    raw = Path(raw_dir or f"raw/{character}")
    state = raw / STATE
    _make_folder(state, f"characters.{character}.raw_dir")
    search = Search(tags or [tag], exclude, order, limit, rating)
    hauls = []
    with FileLock(state / "lock"):
        archive = state / "archive.sqlite3"
        pictures = [raw / entry.name for entry in manifest.scan(raw) if is_picture_name(entry.name)]
        if not pictures:
            archive.unlink(missing_ok=True)  # who deletes all of them wants them anew
        intake.remember(archive, pictures)
        for site in places:
            hauls.append(fetch(site, search, raw, archive))
            tqdm.write(hauls[-1].line())
    _report_lost(hauls)
    _check(hauls, section)
    write_text(out_manifest, manifest.raw_text(os.fspath(raw), character, download=digest))
    total = sum(len(haul.new) for haul in hauls)
    print(f"downloaded {total} new pictures into {raw}")
    return hauls


def fetch(site: boorus.Site, search: Search, raw: Path, archive: Path) -> Haul:
    """Fetch one booru's new pictures into the raw folder.

    Args:
        site: the booru.
        search: what is wanted.
        raw: the raw folder.
        archive: gallery-dl's archive.
    """
    state = archive.parent
    folder, journal, rules = state / site.folder, state / f"{site.folder}.tsv", state / f"{site.folder}.rules.json"
    folder.mkdir(exist_ok=True)
    intake.arrivals(folder, site.name, site.engine, [])
    terms, require = boorus.plan_search(site, search.tags, search.exclude, search.order, search.rating)
    wishes = {"ratings": list(search.rating), "exclude": list(search.exclude), "require": require}
    write_text(rules, to_json({"site": site.name, "engine": site.engine, "journal": os.fspath(journal), **wishes}))
    write_text(journal, "")
    looked_at = max(_LOOKED_AT[0] * search.limit, _LOOKED_AT[1])
    options = gallerydl.search_options(folder, archive, rules, limit=search.limit, looked_at=looked_at)
    login = gallerydl.logins(site, os.environ)
    with tqdm(total=search.limit, desc=site.name, unit="picture") as bar:
        file = state / "gallery-dl.json"
        outcome = gallerydl.run([site.search_page(terms)], options, file, login, bar.update)
    verdicts = [line.split("\t") for line in journal.read_text(encoding="utf-8").splitlines()]
    admitted = [int(number) for number, rule, _ in verdicts if not rule]
    found = intake.arrivals(folder, site.name, site.engine, admitted)
    found, lost = _sift(_with_pages(found, site, state, login), archive)
    new = intake.take_in(found, raw, state / "last_position")
    lost += outcome.failed_files
    failure = outcome.errors[0] if outcome.errors else ""
    if lost and not failure and len(lost) >= len(admitted):
        failure = f"none of its {len(lost)} files could be fetched: {lost[-1]}"
    refused = Counter(rule for _, rule, _ in verdicts if rule)
    had = max(len(admitted) - len(new) - len(lost), 0)
    return Haul(site.name, new, had, refused, lost, failure)


def _make_folder(folder: Path, setting: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            "The folder for the downloads cannot be made.",
            file=folder,
            found=error.strerror,
            expected="a folder you may write to",
            setting=setting,
        ) from error


def _with_pages(
    found: list[intake.Arrival], site: boorus.Site, state: Path, login: dict[str, str]
) -> list[intake.Arrival]:
    """The arrivals with tag categories; a booru whose search tells none is asked for the page of each new post."""
    pages = state / f"{site.folder}.pages"
    addresses = [site.post_page(arrival.post.id) for arrival in found if not arrival.post.has_categories]
    if not any(addresses):
        return found
    pages.mkdir(exist_ok=True)
    with tqdm(total=len(addresses), desc=f"{site.name} tag categories", unit="post") as bar:
        gallerydl.run(addresses, gallerydl.page_options(pages), state / "gallery-dl.json", login, bar.update)
    result = intake.add_categories(found, pages)
    for path in pages.iterdir():
        path.unlink()
    without = sum(not arrival.post.has_categories for arrival in result)
    if without:
        tqdm.write(f"{site.name}: {without} pages told no tag categories; all tags of those pictures count as general")
    return result


def _sift(found: list[intake.Arrival], archive: Path) -> tuple[list[intake.Arrival], list[str]]:
    """The arrivals that are pictures, and the others in words; these are deleted, and fetched again next time."""
    good, bad = [], []
    for arrival in found:
        reason = intake.problem(arrival)
        if reason:
            bad.append((arrival, f"{arrival.file.name}: {reason}"))
            arrival.file.unlink()
            arrival.side.unlink()
        else:
            good.append(arrival)
    intake.forget(archive, (arrival.post for arrival, _ in bad))
    return good, [text for _, text in bad]


def _report_lost(hauls: Sequence[Haul]) -> None:
    for haul in hauls:
        for text in haul.lost[:_SHOWN]:
            print(f"{haul.site}: not fetched: {text}")


def _check(hauls: Sequence[Haul], section: str) -> None:
    failed = [haul for haul in hauls if haul.failure]
    kept = sum(len(haul.new) for haul in hauls)
    if failed:
        raise UserError(
            f"The download from {', '.join(haul.site for haul in failed)} stopped. What was fetched stays.",
            found="; ".join(f"{haul.site}: {haul.failure}" for haul in failed),
            expected=f"answers from every booru; {kept} new pictures were taken in",
            setting=f"run the same command again, or take it out of {section}.sites",
        )
    if not any(haul.new or haul.had for haul in hauls):
        refused = sum((haul.refused for haul in hauls), Counter())
        raise UserError(
            "No picture was found.",
            found="; ".join(haul.line() for haul in hauls),
            expected="posts with these tags" if not refused else "posts that the rules let through",
            setting=f"{section}.tags, as the booru spells them, or {section}.rating and exclude",
        )
