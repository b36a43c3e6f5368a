"""Regularisation pictures: the class without the character, in kohya's layout and apart from the dataset."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path, PurePath

from loramake import images, minors
from loramake.captionrules import junk_patterns
from loramake.cleanstore import COPIED
from loramake.errors import UserError
from loramake.files import atomic_folder
from loramake.folding import check_folder_name
from loramake.rawfiles import RawFolder, output_stem, read_raw_folder
from loramake.rawtags import read_raw_tags
from loramake.tagrules import parse_expressions
from loramake.workers import map_items


def build_regularisation(
    manifest: Path, out_dir: Path, *, reg_class: str, reg_repeats: int, threads: int = 1
) -> dict[str, str]:
    """Copy the readable pictures of a folder to `{reg_repeats}_{reg_class}/`, with a caption each that has tags.

    A picture without tags gets none: kohya's trainer and ours then take the class word from the folder's name.

    Args:
        manifest: of the folder with the pictures, which are only read.
        out_dir: replaced as a whole.
        reg_class: the class word, such as 1girl.
        reg_repeats: times each picture may be shown in an epoch.
        threads: pictures worked on at once.

    Returns:
        why a picture was left out, by file name.

    Raises:
        UserError: a class word that is no folder name, or no picture is left.
    """
    check_folder_name(reg_class, "characters.<name>.reg_class")
    raw = read_raw_folder(manifest)
    captions, left_out = _captions(raw)
    label = f"{reg_repeats}_{reg_class}"
    with atomic_folder(out_dir) as folder:
        (folder / label).mkdir(parents=True)
        for name, problem in map_items(
            lambda name: _put(raw.folder / name, folder / label), captions, threads=threads, title="regularisation"
        ):
            if problem:
                left_out[name] = problem
            elif captions[name]:
                (folder / label / f"{output_stem(name)}.txt").write_bytes((captions[name] + "\n").encode())
        kept = len(raw.pictures) - len(left_out)
        if not kept:
            raise UserError(
                "No regularisation picture is left.", file=raw.folder, found=_summary(left_out) or "no pictures",
                expected="pictures of the class", setting="characters.<name>.reg_dir, empty for none",
            )  # fmt: skip
    print(f"{label}: {kept} regularisation pictures; left out: {_summary(left_out) or 'none'}")
    return left_out


def _captions(raw: RawFolder) -> tuple[dict[str, str], dict[str, str]]:
    """Caption of each picture that may be used, and why others may not."""
    junk = parse_expressions(junk_patterns(), "the shipped list")
    captions: dict[str, str] = {}
    left_out: dict[str, str] = {}
    stems: dict[str, str] = {}
    for name in raw.pictures:
        read = read_raw_tags(raw, name)
        twin = stems.setdefault(PurePath(name).stem.casefold(), name)
        if minors.marks_sexualised_minor(read.every):
            left_out[name] = "its tags mark a sexualised minor"
        elif twin != name:
            left_out[name] = "another picture has its name"
        else:
            captions[name] = ", ".join(tag for tag in read.written if not any(rule.matches([tag]) for rule in junk))
    return captions, left_out


def _put(source: Path, folder: Path) -> str:
    """Copy a picture, or write it anew where a trainer could not take it as it is; why not, if it cannot be read."""
    try:
        header = images.read_header(source)
        suffix = COPIED.get(header.format)
        # decoded in any case: a damaged picture must not stop a training
        picture = images.flatten(images.load(source))
        if suffix and header.plain and not header.animated and not header.may_be_transparent:
            # never a link: the user's own file must not change with ours
            shutil.copyfile(source, folder / f"{output_stem(source.name)}{suffix}")
        else:
            picture.save(folder / f"{output_stem(source.name)}.png", compress_level=3)
    except images.PictureError as error:
        return error.what
    return ""


def _summary(left_out: dict[str, str]) -> str:
    return ", ".join(f"{why} {count}" for why, count in Counter(left_out.values()).most_common())
