"""How much planted text cleaning removes from held-out drawings, and how many clean drawings it touches.

python benchmarks/text_detection.py --fonts FOLDER... [--count 100] [--first 1000] [--sheet sheet.png]

Fonts: any folders with the families named in textpictures.py; on Debian `apt install fonts-comic-neue fonts-humor-sans
fonts-vlgothic fonts-tomsontalks fonts-kiloji fonts-breip fonts-femkeklaver fonts-dkg-handwriting fonts-isabella
fonts-dancingscript fonts-dejavu`, and from PyPI font-amatic-sc, font-fredoka-one, font-intuitive, font-caladea,
font-roboto, font-hanken-grotesk, font-source-serif-pro.

A planted thing counts as removed when at least 80 % of the pixels it changed were painted over or cropped off. The
damage is what is left of it: the colour difference to the drawing without it, against that before cleaning.
Pictures with seeds from --first on were never looked at while the limits were chosen.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import textpictures
from PIL import Image
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from loramake import cleansheet, repairs, textboxes  # noqa: E402
from loramake.edits import Edit  # noqa: E402

RULES = repairs.TextRules("paint", 0.002, 0.15, 0.06)  # the schema's defaults
ENOUGH = 0.8  # of a thing's pixels


def treated(done: repairs.Repaired) -> np.ndarray:
    """Which pixels of the picture before were painted over or cropped off, bool (height, width)."""
    before = np.asarray(done.before.convert("RGB"))
    left, top, right, bottom = done.kept
    gone = np.ones(before.shape[:2], dtype=bool)
    gone[top:bottom, left:right] = (before[top:bottom, left:right] != np.asarray(done.after)).any(axis=2)
    return gone


def clean(image: Image.Image, detect: textboxes.Detector) -> repairs.Repaired:
    """One picture through cleaning."""
    return repairs.repair(
        image, Path("drawing"), Edit(), max_aspect=3.0, alpha_visible_share=0.001, text=RULES, lines=detect
    )


def damage(done: repairs.Repaired, clean_image: Image.Image) -> np.ndarray:
    """Colour difference (height, width) of the cleaned picture to the drawing; 0 where it was cropped off."""
    drawing, result = np.asarray(clean_image).astype(int), np.asarray(clean_image).astype(int)
    left, top, right, bottom = done.kept
    result[top:bottom, left:right] = np.asarray(done.after)
    return np.abs(result - drawing).sum(axis=2)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--fonts", type=Path, nargs="+", required=True)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--first", type=int, default=1000)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    fonts, detect = textpictures.find_fonts(options.fonts), textboxes.open_detector()
    planted, removed, touched, pairs = Counter(), Counter(), 0, []
    harm, harm_before = Counter(), Counter()
    with tempfile.TemporaryDirectory() as folder:
        for seed in tqdm(range(options.first, options.first + options.count), unit="img"):
            sample = textpictures.make_sample(seed, fonts)
            done = clean(sample.image, detect)
            changed, gone = np.asarray(textpictures.changed_mask(sample)) > 0, treated(done)
            left_over = damage(done, sample.clean)
            error_before = np.abs(np.asarray(sample.image).astype(int) - np.asarray(sample.clean)).sum(axis=2)
            missed = []
            for thing in sample.planted:
                left, top, right, bottom = thing.whole
                where = np.s_[max(0, top - 2) : bottom + 2, max(0, left - 2) : right + 2]
                planted[thing.kind] += 1
                harm[thing.kind] += int(left_over[where].sum())
                harm_before[thing.kind] += int(error_before[where].sum())
                found = (gone[where] & changed[where]).sum() >= ENOUGH * changed[where].sum()
                removed[thing.kind] += int(found)
                missed += [] if found else [f"missed {thing.kind} {list(thing.whole)}"]
            pairs.append(_pair(Path(folder), f"{seed}", done, missed))
            done = clean(textpictures.clean_picture(seed + 100_000), detect)
            if done.touched:
                touched += 1
                pairs.append(_pair(Path(folder), f"{seed + 100_000} (clean)", done, []))
        if options.sheet:
            cleansheet.draw_sheet(pairs, options.sheet)
    for kind, count in sorted(planted.items()):
        print(f"{kind}: {removed[kind]} of {count} removed, damage {harm[kind] / harm_before[kind]:.2f}")
    print(f"recall {removed.total() / planted.total():.3f} (wanted 0.9); {touched} of {options.count} clean touched")


def _pair(folder: Path, title: str, done: repairs.Repaired, missed: list[str]) -> cleansheet.Pair:
    file = folder / f"{title}.png"
    cleansheet.draw_pair(done).save(file)
    return cleansheet.Pair(title, [*missed, *(f"{each.change}: {each.detail}" for each in done.changes)], file)


if __name__ == "__main__":
    main()
