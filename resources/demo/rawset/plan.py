"""Which pictures lie in the raw folder, under which number, and what they show.

Attributes are dealt like cards, each value a fixed number of times: 61 pictures chosen by chance alone would leave
some clothes or places out.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from drawing import SHIMAKAZE, Attributes

SEED = 1337

# position → what is wrong with it; each value is a function of rejects.py
REJECTED: dict[int, str] = {
    6: "two girls",
    13: "comic page",
    19: "truncated",
    24: "smaller copy",
    30: "multiple views",
    37: "greyscale",
    41: "web page",
    46: "recompressed copy",
    52: "animation",
    58: "small",
    63: "sketch",
    71: "same file",
}
STRAYS: dict[int, str] = {27: "untagged picture", 44: "video", 67: "tag file alone"}
LAST = 76  # 61 kept + 12 rejected + 3 strays

# how often each value is dealt; the ten repaired pictures have their own backgrounds
CLOTHES = {
    "sailor uniform": 34,
    "red dress": 3,
    "blue dress": 3,
    "green dress": 3,
    "white dress": 3,
    "black dress": 3,
    "yellow hoodie": 3,
    "pink hoodie": 3,
    "blue kimono": 3,
    "red kimono": 3,
}
BACKGROUNDS = {
    "beach": 5,
    "night sky": 5,
    "forest": 5,
    "city": 5,
    "classroom": 5,
    "snow": 6,
    "white background": 3,
    "grey background": 3,
    "blue background": 5,
    "pink background": 3,
    "green background": 3,
    "yellow background": 3,
}
EXPRESSIONS = {"smile": 15, "open mouth": 15, "blush": 13, "frown": 10, "closed eyes": 8}
POSES = {"standing": 14, "arms up": 12, "waving": 12, "hands on hips": 11, "sitting": 12}
PROPS = {"none": 25, "holding umbrella": 9, "holding book": 9, "balloon": 9, "holding flower": 9}
# of the 51 without repair
FRAMINGS = {"full body": 47, "cowboy shot": 3, "upper body": 1}
SIZES = {
    (448, 448): 13,
    (480, 448): 8,
    (448, 480): 7,
    (512, 480): 5,
    (480, 512): 4,
    (384, 576): 5,
    (400, 600): 3,
    (416, 624): 3,
    (576, 384): 2,
    (600, 400): 1,
}
SUFFIXES = {"jpg": 33, "png": 13, "webp": 5}

# repair, size, suffix, background; "" where nothing is painted behind her
REPAIRED: tuple[tuple[str, tuple[int, int], str, str], ...] = (
    ("transparent", (448, 448), "png", ""),
    ("transparent", (448, 480), "png", ""),
    ("transparent", (384, 576), "png", ""),
    ("transparent palette", (480, 480), "png", ""),
    ("wide", (1200, 360), "png", "pink background"),
    ("tall", (320, 1040), "jpg", "blue background"),
    ("speech bubble", (600, 400), "jpg", "yellow background"),
    ("speech bubble", (576, 384), "jpg", "grey background"),
    ("signature", (480, 448), "jpg", "white background"),
    ("signature", (448, 448), "png", "green background"),
)


@dataclass(frozen=True)
class Picture:
    """One picture that stays.

    Attributes:
        position: number in the folder, from 1.
        suffix: png, jpg or webp.
        size: (width, height) in pixels.
        seed: of the drawing.
        repair: what has to be mended, one of `REPAIRED`'s words; "" for nothing.
        attributes: what is drawn; the background does not show where it is transparent.
    """

    position: int
    suffix: str
    size: tuple[int, int]
    seed: int
    repair: str
    attributes: Attributes

    @property
    def name(self) -> str:
        """File name in the raw folder."""
        return f"{self.position}.{self.suffix}"


def deal(counts: dict, rng: random.Random) -> list:
    """Each key as often as its count says, in random order."""
    cards = [value for value, count in counts.items() for _ in range(count)]
    rng.shuffle(cards)
    return cards


def kept_positions() -> list[int]:
    """Numbers of the pictures that stay, ascending."""
    return [n for n in range(1, LAST + 1) if n not in REJECTED and n not in STRAYS]


def plan() -> list[Picture]:
    """The 61 pictures that stay, by position."""
    rng = random.Random(SEED)
    positions = kept_positions()
    rng.shuffle(positions)
    plain = len(positions) - len(REPAIRED)
    fields = {
        "clothes": deal(CLOTHES, rng),
        "expression": deal(EXPRESSIONS, rng),
        "pose": deal(POSES, rng),
        "prop": deal(PROPS, rng),
        "background": [slot[3] or "white background" for slot in REPAIRED] + deal(BACKGROUNDS, rng),
        "framing": ["full body"] * len(REPAIRED) + deal(FRAMINGS, rng),
    }
    repairs = [slot[0] for slot in REPAIRED] + [""] * plain
    sizes = [slot[1] for slot in REPAIRED] + deal(SIZES, rng)
    suffixes = [slot[2] for slot in REPAIRED] + deal(SUFFIXES, rng)
    pictures = []
    for i, position in enumerate(positions):
        looks = Attributes(**(SHIMAKAZE | {field: values[i] for field, values in fields.items()}))
        pictures.append(
            Picture(position, suffixes[i], sizes[i], SEED + position, repairs[i], uncovered(looks, repairs[i]))
        )
    return sorted(pictures, key=lambda picture: picture.position)


def uncovered(attributes: Attributes, repair: str) -> Attributes:
    """Without a prop where a bubble comes down beside her, so that only background lies under the bubble."""
    return replace(attributes, prop="none", pose="standing") if repair == "speech bubble" else attributes


def find(position: int) -> Picture:
    """The picture with this number.

    Raises:
        KeyError: no picture that stays has it.
    """
    return {picture.position: picture for picture in plan()}[position]
