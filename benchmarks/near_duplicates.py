"""How well near-duplicates are told from alike drawings: precision and recall, beside ImageHash's pHash.

    python benchmarks/near_duplicates.py --drawings 60 [--first 1000] [--photographs FOLDER] [--json FILE]

Each original is paired with copies (resized, recompressed, cut by up to 5 % on each side) and with what is none
(flipped, another hue, another expression, pose or colour of the same character). Photographs have no poses: flips and
hues only.
The thresholds of pHash are tried on the same pairs, and its best one is shown, which favours it.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml
from PIL import Image, ImageOps

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "resources" / "demo")]

from drawing import VALUES, draw, shimakaze_attributes  # noqa: E402

from loramake.neardup import find_copies, make_thumbnail, sign  # noqa: E402

LONGEST = 640  # px of a photograph
LEAST = 256  # px of a copy's shorter side: the default of screen.min_side, below which a copy is dropped anyway


def encoded(image: Image.Image, form: str, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, form, quality=quality)
    return Image.open(buffer).convert("RGB")


def cut(image: Image.Image, rng: random.Random) -> Image.Image:
    """Up to 5 % off each side, and 5 % off at least one."""
    shares = [rng.uniform(0, 0.05) for _ in range(4)]
    shares[rng.randrange(4)] = 0.05
    width, height = image.size
    left, top, right, bottom = shares
    return image.crop(
        (round(width * left), round(height * top), width - round(width * right), height - round(height * bottom))
    )


def scaled(image: Image.Image, rng: random.Random) -> Image.Image:
    """To anything between the least size and half as large again."""
    share = rng.uniform(min(1.0, LEAST / min(image.size)), 1.5)
    return image.resize([max(1, round(side * share)) for side in image.size], Image.Resampling.BICUBIC)


def other_hue(image: Image.Image, rng: random.Random) -> Image.Image:
    """All hues turned by 40 to 180 degrees."""
    hue, *rest = image.convert("HSV").split()
    turned = (np.asarray(hue).astype(int) + rng.randrange(28, 128)) % 256
    return Image.merge("HSV", [Image.fromarray(turned.astype(np.uint8)), *rest]).convert("RGB")


COPIES: dict[str, Callable[[Image.Image, random.Random], Image.Image]] = {
    "resized": scaled,
    "recompressed": lambda image, rng: encoded(image, rng.choice(("JPEG", "WEBP")), rng.randrange(40, 90)),
    "cut": cut,
    "cut, resized, recompressed": lambda image, rng: encoded(scaled(cut(image, rng), rng), "JPEG", 70),
}
ALTERED: dict[str, Callable[[Image.Image, random.Random], Image.Image]] = {
    "flipped": lambda image, rng: ImageOps.mirror(image),
    "other hue": other_hue,
}
REDRAWN = ("expression", "pose", "hair_color", "clothes", "background")


def drawings(count: int, first: int = 0) -> Iterator[tuple[Image.Image, dict[str, Image.Image]]]:
    """Pictures of the demo's character, each with drawings of the same seed that differ in one attribute."""
    rng = random.Random(5 + first)
    for seed in range(first, first + count):
        attributes = shimakaze_attributes(rng)
        size = rng.choice(((384, 480), (416, 416), (480, 384)))
        others = {}
        for field in REDRAWN:
            value = rng.choice([each for each in VALUES[field] if each != getattr(attributes, field)])
            others[field] = draw(replace(attributes, **{field: value}), size, seed)
        yield draw(attributes, size, seed), others


def photographs(folder: Path | None) -> Iterator[tuple[Image.Image, dict[str, Image.Image]]]:
    """Colour photographs of a folder, no side over LONGEST."""
    for path in sorted(folder.iterdir()) if folder else ():
        try:
            image = Image.open(path)
            if image.mode in ("RGB", "CMYK", "YCbCr") and min(image.size) >= 128:
                image = image.convert("RGB")
                image.thumbnail((LONGEST, LONGEST))
                yield image, {}
        except OSError:
            continue


def pairs(count: int, first: int, folder: Path | None) -> Iterator[tuple[str, bool, Image.Image, Image.Image]]:
    """(kind, whether a copy, original, variant)."""
    rng = random.Random(6 + first)
    for source, originals in (("drawing", drawings(count, first)), ("photograph", photographs(folder))):
        for original, others in originals:
            for kind, change in COPIES.items():
                yield f"{source}: {kind}", True, original, change(original, rng)
            # a hue that was turned shows in coloured pictures only
            grey = np.asarray(original.convert("HSV"))[..., 1].mean() < 30
            for kind, change in ALTERED.items():
                if kind == "other hue" and grey:
                    continue
                yield f"{source}: {kind}", False, original, change(original, rng)
            for kind, other in others.items():
                yield f"{source}: other {kind.replace('_', ' ')}", False, original, other


def is_copy(original: Image.Image, variant: Image.Image, distance: int) -> bool:
    """What loramake says of the two."""
    thumbnails = {name: make_thumbnail(image) for name, image in (("a", original), ("b", variant))}
    signatures = {name: sign(thumbnail) for name, thumbnail in thumbnails.items()}
    return bool(find_copies(["a", "b"], signatures, lambda name: np.asarray(thumbnails[name]), distance))


def scores(said: list[bool], truth: list[bool]) -> tuple[float, float]:
    """Precision and recall, 0…1."""
    hits = sum(one and other for one, other in zip(said, truth, strict=True))
    return hits / max(1, sum(said)), hits / max(1, sum(truth))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--drawings", type=int, default=60)
    parser.add_argument(
        "--first", type=int, default=0, help="seed of the first drawing; the limits were set on 0 to 13"
    )
    parser.add_argument("--photographs", type=Path)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    schema = yaml.safe_load((ROOT / "config" / "schema.yaml").read_text(encoding="utf-8"))
    distance = schema["properties"]["screen"]["properties"]["near_duplicate_distance"]["default"]
    try:
        from imagehash import phash
    except ImportError:
        phash = None
    kinds, truth, said, bits, seconds = [], [], [], [], 0.0
    for kind, copy, original, variant in pairs(chosen.drawings, chosen.first, chosen.photographs):
        started = time.process_time()
        answer = is_copy(original, variant, distance)
        seconds += time.process_time() - started
        kinds.append(kind)
        truth.append(copy)
        said.append(answer)
        if phash:
            bits.append(int(phash(original) - phash(variant)))
    rows = {}
    for kind in dict.fromkeys(kinds):
        answers = [answer for answer, each in zip(said, kinds, strict=True) if each == kind]
        rows[kind] = [sum(answers), len(answers)]
        print(f"{kind:45} called a copy: {sum(answers):4} of {len(answers)}")
    result = {"pairs": rows, "loramake": scores(said, truth), "cpu_ms_per_pair": 1000 * seconds / max(1, len(said))}
    print(
        "loramake: precision {:.3f}, recall {:.3f}".format(*result["loramake"]),
        f"{result['cpu_ms_per_pair']:.1f} ms a pair",
    )
    if phash:
        options = {limit: scores([each <= limit for each in bits], truth) for limit in range(0, 21, 2)}
        best = max(options, key=lambda limit: sum(options[limit]))
        result["imagehash"] = {str(limit): each for limit, each in options.items()}
        print("ImageHash pHash, at most {} bits: precision {:.3f}, recall {:.3f}".format(best, *options[best]))
    if chosen.json:
        chosen.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
