"""Where the figure goes in the picture, and the boxes of its parts.

Figure units: x to the right of the middle line, y down; the crown is at about
-3, the chin at 45, the skirt hem at 70, the soles at 101.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from .attributes import Attributes
from .canvas import Affine, Box, Point, apply, compose, turn

BOTTOM = {"full body": 102.5, "cowboy shot": 91.0, "upper body": 66.0}
NECK = (0.0, 44.0)
EYE = (10.6, 28.5)  # middle of the right-hand eye
EYE_RADII = (6.3, 7.9)
HEADWEAR_BOX = {
    "hairband": (-24.0, -4.0, 24.0, 14.0),
    "hair bow": (-14.0, -11.5, 14.0, 5.0),
    "hair flower": (-28.0, 1.0, -12.0, 17.0),
    "star hair ornament": (-29.0, -1.0, -11.0, 17.0),
    "anchor hair ornament": (-32.0, -4.0, -10.0, 19.0),
}
# base (right-hand ear), tilt in degrees outwards, length, widest width
EARS: dict[str, tuple[Point, float, float, float]] = {
    "cat ears": ((15.5, 7.5), 24.0, 17.5, 18.0),
    "fox ears": ((15.0, 7.5), 20.0, 25.0, 19.0),
    "rabbit ears": ((10.0, 4.0), 7.0, 28.0, 11.5),
    "two-tone rabbit ears": ((12.0, 6.0), 24.0, 39.0, 15.0),
}
TOP = {"none": -4.0, "cat ears": -10.0, "fox ears": -17.0, "rabbit ears": -25.0, "two-tone rabbit ears": -32.0}


@dataclass(frozen=True)
class Layout:
    """Maps from figure units to final pixels, and the outline width in units."""

    body: Affine
    head: Affine  # the head's own tilt, in units, applied before ``body``
    line: float
    size: tuple[int, int]


def extent(attributes: Attributes) -> Box:
    """What the figure fills, in units."""
    a = attributes
    left = right = {"long hair": 32.0, "twintails": 41.0, "ponytail": 31.0, "bob cut": 30.0}.get(a.hair_style, 28.0)
    if a.hair_style == "ponytail":
        left = 42.0
    top = TOP[a.ears]
    if a.headwear == "hair bow":
        top = min(top, -12.0)
    if a.hair_style == "ponytail":
        top = min(top, -9.0)
    if a.pose in ("arms up", "waving"):
        left = max(left, 40.0)
    if a.pose == "arms up":
        right = max(right, 40.0)
    if a.prop == "balloon":
        right = max(right, 50.0)
        top = min(top, -7.0 if a.pose == "arms up" else top)
    elif a.prop == "holding umbrella":
        left, right, top = max(left, 34.0), max(right, 50.0), min(top, -20.0)
    elif a.prop != "none":
        right = max(right, 42.0)
    return (-left, top, right, BOTTOM[a.framing])


def layout(attributes: Attributes, size: tuple[int, int], seed: int) -> Layout:
    """Fits the figure into ``size`` pixels; scale, place and tilt follow the seed."""
    rng = random.Random(f"{seed} layout")
    width, height = size
    x0, y0, x1, y1 = extent(attributes)
    tall = attributes.ears == "two-tone rabbit ears"
    # Long ears take a quarter of the height already: shrinking the figure any
    # further would make her stripes too thin to see.
    share = rng.uniform(0.93, 0.985) if tall else rng.uniform(0.84, 0.98)
    scale = share * min(height / (y1 - y0), width / (x1 - x0))
    free_x = width - scale * (x1 - x0)
    free_y = height - scale * (y1 - y0)
    left = free_x / 2 + rng.uniform(-1, 1) * min(free_x / 2, width * 0.06)
    # a cut figure stands on the lower edge
    top = free_y * rng.uniform(0.35, 0.9) if attributes.framing == "full body" else free_y
    place = (scale, 0.0, left - scale * x0, 0.0, scale, top - scale * y0)
    body = compose(place, turn(rng.uniform(-2.5, 2.5), (0.0, 100.0)))
    head = turn(rng.uniform(-4.5, 4.5), NECK)
    line = rng.uniform(1.1, 1.6)
    return inside(Layout(body, head, line, size), attributes)


def inside(plan: Layout, attributes: Attributes) -> Layout:
    """``plan`` moved so that the ears stay in the picture."""
    if attributes.ears == "none":
        return plan
    width, height = plan.size
    whole = compose(plan.body, plan.head)
    boxes = [around(whole, ear_box(attributes.ears, side)) for side in (-1, 1)]
    edge = 1.0 + height * 0.008
    down = max(0.0, edge - min(box[1] for box in boxes))
    across = max(0.0, edge - boxes[0][0]) - max(0.0, boxes[1][2] - (width - edge))
    body = compose((1.0, 0.0, across, 0.0, 1.0, down), plan.body)
    return Layout(body, plan.head, plan.line, plan.size)


def ear_box(ears: str, side: int) -> Box:
    """The box of one ear in units before the head's tilt; ``side`` is -1 or 1."""
    base, tilt, length, width = EARS[ears]
    spin = turn(tilt, (0.0, 0.0))
    points = [
        apply(spin, (dx, dy))
        for dx, dy in (
            (-width / 2, -length * 0.3),
            (width / 2, -length * 0.3),
            (-width * 0.25, -length * 0.9),
            (width * 0.25, -length * 0.9),
            (0.0, -length),
            (-width * 0.3, 0.0),
            (width * 0.3, 0.0),
        )
    ]
    xs = [side * (base[0] + x) for x, _ in points]
    ys = [base[1] + y for _, y in points]
    return (min(xs), min(ys), max(xs), max(ys))


def around(affine: Affine, box: Box) -> Box:
    """The upright box around ``box`` after ``affine``."""
    x0, y0, x1, y1 = box
    corners = [apply(affine, p) for p in ((x0, y0), (x1, y0), (x0, y1), (x1, y1))]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return (min(xs), min(ys), max(xs), max(ys))


def clip(box: Box, size: tuple[int, int]) -> Box | None:
    """``box`` within the picture, or None where nothing of it shows."""
    x0, y0 = max(0.0, box[0]), max(0.0, box[1])
    x1, y1 = min(float(size[0]), box[2]), min(float(size[1]), box[3])
    return (x0, y0, x1, y1) if x1 - x0 >= 1 and y1 - y0 >= 1 else None


def geometry(attributes: Attributes, size: tuple[int, int] = (128, 128), seed: int = 0) -> dict[str, Box | None]:
    """Boxes (x0, y0, x1, y1) in pixels of the parts; None where absent or cut off."""
    plan = layout(attributes, size, seed)
    whole = compose(plan.body, plan.head)
    (ex, ey), (rx, ry) = EYE, EYE_RADII
    sitting = attributes.pose == "sitting"
    boxes: dict[str, Box | None] = {
        "head": around(whole, (-25.0, -3.0, 25.0, 45.0)),
        "left_eye": around(whole, (-ex - rx, ey - ry, -ex + rx, ey + ry)),
        "right_eye": around(whole, (ex - rx, ey - ry, ex + rx, ey + ry)),
        "left_ear": None,
        "right_ear": None,
        "headwear": None,
        "torso": around(plan.body, (-14.0, 45.0, 14.0, 70.0)),
        "legs": around(plan.body, (-27.0, 71.0, 27.0, 98.0) if sitting else (-14.0, 70.0, 14.0, 101.0)),
    }
    if attributes.ears != "none":
        boxes["left_ear"] = around(whole, ear_box(attributes.ears, -1))
        boxes["right_ear"] = around(whole, ear_box(attributes.ears, 1))
    if attributes.headwear != "none":
        boxes["headwear"] = around(whole, HEADWEAR_BOX[attributes.headwear])
    return {name: box and clip(box, size) for name, box in boxes.items()}
