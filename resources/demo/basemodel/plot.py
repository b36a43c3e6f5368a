"""A picture of the loss curves."""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, MARGIN = 300, 180, 44  # of one panel, px
INK, FAINT, LINE = (30, 32, 40), (214, 217, 224), (24, 110, 200)


def read_curves(log: Path) -> dict[str, list[tuple[int, float]]]:
    """(step, loss) by stage, in the order of the log."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for row in log.read_text(encoding="utf-8").splitlines()[1:]:
        stage, step, loss = row.split("\t")
        curves.setdefault(stage, []).append((int(step), float(loss)))
    return {stage: sorted(points) for stage, points in curves.items()}


def _panel(draw: ImageDraw.ImageDraw, left: int, stage: str, points: list[tuple[int, float]]) -> None:
    """One stage: loss on a logarithmic scale over steps."""
    font = ImageFont.load_default(12)
    low, high = math.log(min(p[1] for p in points)), math.log(max(p[1] for p in points))
    across, down = WIDTH - MARGIN - 12, HEIGHT - 2 * MARGIN + 16
    x0, y0 = left + MARGIN, 34

    def place(step: int, loss: float) -> tuple[float, float]:
        share = (math.log(loss) - low) / max(high - low, 1e-9)
        return x0 + across * step / points[-1][0], y0 + down * (1 - share)

    draw.text((x0, 10), f"{stage}: {points[-1][0]} steps", font=font, fill=INK)
    for loss in (math.exp(low), math.exp((low + high) / 2), math.exp(high)):
        y = place(0, loss)[1]
        draw.line((x0, y, x0 + across, y), fill=FAINT)
        draw.text((x0 - 5, y), f"{loss:.2f}", font=font, fill=INK, anchor="rm")
    draw.line([place(*point) for point in points], fill=LINE, width=2)
    draw.text((x0 + across, y0 + down + 4), "steps", font=font, fill=INK, anchor="ra")


def draw_curves(log: Path, picture: Path) -> None:
    """Draw one panel a stage, side by side, into a PNG."""
    curves = {stage: points for stage, points in read_curves(log).items() if len(points) > 1}
    sheet = Image.new("RGB", (WIDTH * len(curves), HEIGHT), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (stage, points) in enumerate(curves.items()):
        _panel(draw, index * WIDTH, stage, points)
    sheet.save(picture)
