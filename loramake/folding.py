"""The dataset in kohya's layout: `{repeats}_{trigger}/` with a picture and its caption each."""

from __future__ import annotations

from pathlib import Path

from loramake.errors import UserError
from loramake.files import atomic_folder, link_or_copy
from loramake.manifest import natural_key
from loramake.rawfiles import is_picture_name
from loramake.repeats import choose_repeats, image_passes

# what Windows and network drives do not take in a name, and kohya's own separators
_FORBIDDEN = frozenset('<>:"/\\|?*,')


def build_dataset(
    clean_dir: Path,
    tags_dir: Path,
    out_dir: Path,
    *,
    trigger: str,
    repeats: int | str,
    target_steps: int,
    max_train_epochs: int,
) -> Path:
    """Put pictures and captions together; hard links, copies where the file system has none.

    Args:
        clean_dir: cleaned pictures.
        tags_dir: `{stem}.txt` of each.
        out_dir: replaced as a whole; gets one folder `{repeats}_{trigger}`, which kohya's trainer reads as it is.
        trigger: label of the folder.
        repeats: a whole number, or "auto" for the guide's rule.
        target_steps: image passes aimed at by "auto".
        max_train_epochs: epochs of the training.

    Returns:
        the folder with the pairs, as it lies in `out_dir`.

    Raises:
        UserError: no pictures, a picture without caption, or a trigger that is no folder name.
    """
    _check_trigger(trigger)
    pictures = sorted((file for file in clean_dir.iterdir() if is_picture_name(file.name)), key=_order)
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
    number = choose_repeats(len(pictures), repeats, target_steps, max_train_epochs)
    label = f"{number}_{trigger}"
    with atomic_folder(out_dir) as folder:
        for picture in pictures:
            link_or_copy(picture, folder / label / picture.name)
            link_or_copy(tags_dir / f"{picture.stem}.txt", folder / label / f"{picture.stem}.txt")
    each, in_all = (image_passes(len(pictures), number, epochs) for epochs in (1, max_train_epochs))
    print(
        f"{label}: {len(pictures)} pairs x {number} repeats = {each} image passes an epoch, "
        f"{in_all} in {max_train_epochs} epochs"
    )
    return out_dir / label


def _order(path: Path) -> tuple:
    return natural_key(path.name)


def _check_trigger(trigger: str) -> None:
    wrong = sorted({sign for sign in trigger if sign in _FORBIDDEN or not sign.isprintable()})
    if wrong or not trigger.strip() or trigger != trigger.strip() or trigger.endswith("."):
        raise UserError(
            "The trigger cannot be the name of a folder.", found=repr(trigger),
            expected=f"no {' '.join(sorted(_FORBIDDEN))}, no space or dot at its end",
            setting="characters.<name>.trigger",
        )  # fmt: skip
