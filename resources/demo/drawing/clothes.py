"""Dresses, hoodies, kimono and the sailor uniform."""

from __future__ import annotations

from .attributes import Attributes
from .body import ARM_WIDTH, arm_path, paint_hand
from .canvas import Canvas, Point, ribbon, smooth
from .palette import PALETTE, RGB, Look, darker, lighter

WHITE = (250, 250, 252)


def mirror(points: list[Point]) -> list[Point]:
    """A right-hand edge (top to bottom) closed with its mirror image."""
    return [*points, *[(-x, y) for x, y in points[::-1]]]


def hem_half(pose: str) -> float:
    """Half the width of a skirt's hem in units."""
    return 21.0 if pose == "sitting" else 18.0


def skirt(canvas: Canvas, pose: str, fill: RGB, fold: RGB, top: float = 57.0) -> None:
    """A flared skirt from ``top`` to the hem at 71, with three folds."""
    half = hem_half(pose)
    edge = smooth([(9.0, top), (13.0, top + 5.0), (half, 70.0)], False, 3)
    hem = smooth([(half, 70.0), (half * 0.5, 72.4), (0.0, 71.4), (-half * 0.5, 72.4), (-half, 70.0)], False, 3)
    canvas.polygon([*edge, *hem, *[(-x, y) for x, y in edge[::-1]]], fill)
    for x in (-0.5, 0.0, 0.5):
        canvas.curve([(x * 12.0, top + 6.0), (x * half, 70.4)], 1.4, fold)


def paint_torso(canvas: Canvas, attributes: Attributes, look: Look) -> None:
    """Everything worn on the trunk, over the legs and under the arms."""
    kind = attributes.clothes.split()[-1]
    canvas.polygon(mirror([(4.2, 42.0), (4.2, 48.0)]), look.skin)
    {"dress": dress, "hoodie": hoodie, "kimono": kimono, "uniform": uniform}[kind](canvas, attributes.pose, look)


def dress(canvas: Canvas, pose: str, look: Look) -> None:
    """A bodice with a collar, a sash and a flared skirt."""
    skirt(canvas, pose, look.cloth, look.cloth_dark)
    canvas.polygon(mirror([(5.0, 45.2), (10.8, 47.5), (9.4, 59.0)]), look.cloth)
    canvas.polygon(mirror([(9.8, 57.0), (10.2, 60.4)]), look.cloth_dark, canvas.line * 0.7)
    collar = WHITE if sum(look.cloth) < 690 else look.cloth_dark
    for side in (-1, 1):
        canvas.polygon([(0.0, 46.6), (side * 7.4, 45.2), (side * 5.6, 51.0)], collar, canvas.line * 0.8)


def hoodie(canvas: Canvas, pose: str, look: Look) -> None:
    """A roomy top with hood, pocket and drawstrings over short trousers."""
    half = hem_half(pose) - 5.0
    canvas.polygon(mirror([(half - 0.6, 66.0), (half - 0.2, 73.6), (1.0, 73.6)]), PALETTE["trim"]["shorts"])
    for side in (-1, 1):  # the hood lies on the shoulders
        canvas.ellipse(side * 7.5, 47.5, 7.6, 4.4, look.cloth_dark)
    body = smooth([(6.0, 45.5), (11.6, 48.5), (12.8, 58.0), (half + 1.0, 68.0)], False, 3)
    canvas.polygon(mirror(body), look.cloth)
    canvas.polygon(mirror([(half + 0.8, 66.8), (half, 70.6)]), look.cloth_dark)
    canvas.polygon(mirror([(5.0, 58.5), (8.4, 64.4)]), look.cloth_dark, canvas.line * 0.6)
    for side in (-1, 1):
        canvas.curve([(side * 2.6, 48.0), (side * 3.0, 54.5)], 1.5, WHITE)


def kimono(canvas: Canvas, pose: str, look: Look) -> None:
    """A short kimono: crossed collar, wide sash with a cord."""
    half = hem_half(pose) - 3.5
    body = smooth([(5.0, 45.2), (11.2, 47.5), (10.4, 57.0), (half, 71.6)], False, 3)
    canvas.polygon(mirror(body), look.cloth)
    canvas.curve([(1.5, 62.0), (5.0, 71.0)], 1.6, look.cloth_dark)
    for points in ([(6.0, 45.4), (-4.4, 57.0)], [(-6.0, 45.4), (4.4, 57.0)]):
        canvas.curve(points, 3.6)
        canvas.curve(points, 2.2, WHITE)
    canvas.polygon(mirror([(11.4, 55.2), (11.8, 63.0)]), PALETTE["trim"]["obi"])
    canvas.polygon(mirror([(11.4, 58.0), (11.4, 60.2)]), PALETTE["trim"]["obi cord"], 0.0)


def uniform(canvas: Canvas, pose: str, look: Look) -> None:
    """White top, blue collar and pleated skirt, red neckerchief."""
    blue = PALETTE["trim"]["sailor blue"]
    skirt(canvas, pose, blue, darker(blue, 0.5), 58.0)
    canvas.polygon(mirror([(5.0, 45.2), (10.8, 47.5), (10.0, 61.0)]), look.cloth)
    for side in (-1, 1):
        canvas.polygon(
            [(side * 1.0, 54.0), (side * 10.6, 50.6), (side * 8.4, 45.0), (side * 4.0, 45.0)], blue, canvas.line * 0.8
        )
    red = PALETTE["trim"]["neckerchief"]
    for side in (-1, 1):
        canvas.polygon([(0.0, 52.6), (side * 6.0, 57.6), (side * 2.0, 59.6)], red, canvas.line * 0.7)
    canvas.ellipse(0.0, 53.2, 2.6, 2.2, red, canvas.line * 0.7)


def paint_arms(canvas: Canvas, attributes: Attributes, look: Look) -> None:
    """Arms with their sleeves and hands."""
    kind = attributes.clothes.split()[-1]
    holding = attributes.prop != "none"
    for side in (-1, 1):
        path = arm_path(attributes.pose, side, holding)
        shoulder, elbow, hand = path
        if kind in ("dress", "uniform"):
            canvas.limb(smooth(path, False, 4)[:-1], ARM_WIDTH - 0.8, look.skin)
            paint_hand(canvas, hand, look)
            cuff = between(shoulder, elbow, 0.62)
            if kind == "uniform":
                canvas.limb([shoulder, cuff], ARM_WIDTH + 1.6, look.cloth)
                tip = between(shoulder, elbow, 0.9)
                canvas.polygon(
                    ribbon([cuff, tip], [ARM_WIDTH + 2.4] * 2), PALETTE["trim"]["sailor blue"], canvas.line * 0.8
                )
            else:
                middle = between(shoulder, elbow, 0.25)
                canvas.ellipse(*middle, 5.6, 5.2, look.cloth)
        elif kind == "hoodie":
            paint_hand(canvas, hand, look)
            wrist = between(elbow, hand, 0.42)
            canvas.limb([shoulder, elbow, wrist], ARM_WIDTH + 1.4, look.cloth)
        else:
            kimono_sleeve(canvas, path, look)


def between(a: Point, b: Point, share: float) -> Point:
    """The point ``share`` (0..1) of the way from ``a`` to ``b``."""
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share)


def kimono_sleeve(canvas: Canvas, path: list[Point], look: Look) -> None:
    """A sleeve that widens to the wrist, with a pale lining at its mouth."""
    shoulder, elbow, hand = path
    paint_hand(canvas, hand, look)
    wrist = between(elbow, hand, 0.72)
    canvas.polygon(ribbon([shoulder, elbow, wrist], [8.6, 11.0, 14.5]), look.cloth)
    canvas.polygon(
        ribbon([between(elbow, hand, 0.5), wrist], [13.2, 14.5]), lighter(look.cloth, 0.5), canvas.line * 0.7
    )
