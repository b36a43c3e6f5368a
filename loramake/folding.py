"""The dataset in kohya's layout: `{repeats}_{trigger}/` with a picture and its caption each, a folder a tier."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from loramake.edits import read_edits
from loramake.errors import UserError
from loramake.files import atomic_folder, link_or_copy
from loramake.gathering import folder_tiers
from loramake.manifest import natural_key
from loramake.rawfiles import RawFolder, is_picture_name, output_stem, read_raw_folder
from loramake.repeats import image_passes, tier_repeats
from loramake.screening import kept_files

# the tier of every picture of which the edits say nothing
NORMAL = "normal"
# what Windows and network drives do not take in a name, and kohya's own separators
_FORBIDDEN = frozenset('<>:"/\\|?*,')


def build_dataset(
    manifest: Path,
    screen_tsv: Path,
    clean_dir: Path,
    tags_dir: Path,
    edits: Path | None,
    out_dir: Path,
    *,
    trigger: str,
    repeats: int | str,
    target_steps: int,
    max_train_epochs: int,
    tiers: Mapping[str, float],
) -> list[Path]:
    """Put pictures and captions together; hard links, copies where the file system has none.

    Args:
        manifest: the raw folder's manifest.
        screen_tsv: decisions of `screening.screen_images`.
        clean_dir: cleaned pictures.
        tags_dir: `{stem}.txt` of each.
        edits: hand-made edits, which name the tier of a picture; may be None or missing.
        out_dir: replaced as a whole; gets a folder `{repeats}_{trigger}`, and `{repeats}_{trigger}_{tier}` for each
            other tier. kohya's trainer reads them as they are.
        trigger: label of the folders.
        repeats: a whole number, or "auto" for the guide's rule.
        target_steps: image passes aimed at by "auto".
        max_train_epochs: epochs of the training.
        tiers: tier → how often its pictures are shown against others; normal is 1 unless it says otherwise.

    Returns:
        the folders with the pairs, as they lie in `out_dir`.

    Raises:
        UserError: no pictures, a picture without caption, an unknown tier, or a trigger that is no folder name.
    """
    check_folder_name(trigger, "characters.<name>.trigger")
    pictures = sorted((file for file in clean_dir.iterdir() if is_picture_name(file.name)), key=_order)
    _check_pairs(pictures, clean_dir, tags_dir)
    raw = read_raw_folder(manifest)
    of_folders, folder_weights = folder_tiers(raw.folder, raw.names)
    weights = {NORMAL: 1.0, **tiers, **folder_weights}
    tier_of = _tiers(raw, screen_tsv, edits, weights, of_folders)
    groups: dict[str, list[Path]] = {}
    for picture in pictures:
        groups.setdefault(tier_of.get(picture.stem, NORMAL), []).append(picture)
    counts = {tier: len(group) for tier, group in groups.items()}
    numbers = tier_repeats(counts, weights, repeats, target_steps, max_train_epochs)
    # the tier in the name keeps folders apart whose repeats come out the same
    labels = {tier: f"{numbers[tier]}_{trigger}" + (f"_{tier}" if tier != NORMAL else "") for tier in groups}
    with atomic_folder(out_dir) as folder:
        for tier, group in groups.items():
            for picture in group:
                link_or_copy(picture, folder / labels[tier] / picture.name)
                link_or_copy(tags_dir / f"{picture.stem}.txt", folder / labels[tier] / f"{picture.stem}.txt")
    passes = 0
    for tier in sorted(groups, key=lambda tier: -numbers[tier]):
        each = image_passes(counts[tier], numbers[tier])
        passes += each
        print(f"{labels[tier]}: {counts[tier]} pairs x {numbers[tier]} repeats = {each} image passes an epoch")
    print(f"{passes} image passes an epoch, {passes * max_train_epochs} in {max_train_epochs} epochs")
    return [out_dir / labels[tier] for tier in groups]


def check_folder_name(name: str, setting: str) -> None:
    """Refuse a word that cannot stand in the name of a folder on every system.

    Raises:
        UserError: names `setting`.
    """
    wrong = sorted({sign for sign in name if sign in _FORBIDDEN or not sign.isprintable()})
    if wrong or not name.strip() or name != name.strip() or name.endswith("."):
        raise UserError(
            f"{setting} cannot be the name of a folder.", found=repr(name),
            expected=f"no {' '.join(sorted(_FORBIDDEN))}, no space or dot at its end", setting=setting,
        )  # fmt: skip


def _order(path: Path) -> tuple:
    return natural_key(path.name)


def _check_pairs(pictures: Iterable[Path], clean_dir: Path, tags_dir: Path) -> None:
    if not pictures:
        raise UserError(
            "There are no pictures to train on.", file=clean_dir, found="no files",
            expected="cleaned pictures", setting="look at the screening table for what was dropped",
        )  # fmt: skip
    for picture in pictures:
        if not (tags_dir / f"{picture.stem}.txt").is_file():
            raise UserError(
                "A picture has no caption.", file=picture, found=f"no {picture.stem}.txt in {tags_dir}",
                expected="one caption for each picture", setting=f"delete {tags_dir} and run again",
            )  # fmt: skip


def _tiers(
    raw: RawFolder, screen_tsv: Path, edits: Path | None, weights: Mapping[str, float], of_folders: Mapping[str, str]
) -> dict[str, str]:
    """Stem → tier of the kept pictures whose tier was written down, or is that of their repeat folder."""
    by_hand = read_edits(edits, raw.names)
    tiers = {}
    for name, edit in by_hand.items():
        if edit.tier and edit.tier not in weights:
            raise UserError(
                "The edits name a tier that has no weight.", file=edits, found=f"{name}: tier {edit.tier}",
                expected=", ".join(weights), setting="dataset.tiers",
            )  # fmt: skip
    for name in kept_files(screen_tsv):
        tier = by_hand[name].tier if name in by_hand else ""
        if tier := tier or of_folders.get(name, ""):
            tiers[output_stem(name)] = tier
    return tiers
