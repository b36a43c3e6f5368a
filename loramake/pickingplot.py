"""The pick as a picture: the score of every epoch and weight, and the figures through the picked cell; no torch."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

from loramake.files import atomic_path
from loramake.picking import Limits, Pick, Row

LINES = {
    "gain": ("tab:blue", "gain: loss gone on her pictures"),
    "likeness": ("tab:brown", "likeness of the cells to her"),
    "obedience": ("tab:olive", "prompts obeyed in the cells"),
    "trigger": ("tab:orange", "trigger: pull of her name"),
    "clothes": ("tab:green", "clothes tags obeyed"),
    "background": ("tab:purple", "background tags obeyed"),
}
TALLEST = 1.6  # figures of a LoRA that went astray would flatten the rest


def draw_pick(pick: Pick, rows: Sequence[Row], limits: Limits, out_png: Path, *, title: str) -> None:
    """Draw scores as a table, figures by epoch and figures by weight into one PNG.

    Args:
        rows: every epoch at every weight.
        title: what it is a pick of.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5.2), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    table, epochs, weights = figure.subplots(1, 3, width_ratios=(1.15, 1, 1))
    reason = textwrap.fill(pick.reason, 150)
    figure.suptitle(f"{title}: {pick.verdict}\n{reason}", x=0.01, ha="left", fontsize=9.5)
    _draw_table(table, pick, rows)
    across = [row for row in rows if row.weight == pick.weight]
    _draw_lines(epochs, [row.epoch for row in across], across, pick.epoch, limits, f"epoch (weight {pick.weight:g})")
    down = sorted((row for row in rows if row.epoch == pick.epoch), key=lambda row: row.weight)
    _draw_lines(weights, [row.weight for row in down], down, pick.weight, limits, f"weight (epoch {pick.epoch})")
    handles, labels = epochs.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6, fontsize="small", frameon=False)
    with atomic_path(out_png) as temporary:
        figure.set_dpi(110)
        canvas.print_png(temporary)


def _draw_table(axes: object, pick: Pick, rows: Sequence[Row]) -> None:
    epochs, weights = (sorted({getattr(row, key) for row in rows}) for key in ("epoch", "weight"))
    scores = {(row.epoch, row.weight): row for row in rows}
    shown = [[scores[epoch, weight].score for weight in weights] for epoch in epochs]
    highest = max(0.01, *(row.score for row in rows))
    axes.imshow(shown, cmap="Blues", vmin=0, vmax=1.25 * highest, aspect="auto")
    for down, epoch in enumerate(epochs):
        for across, weight in enumerate(weights):
            row = scores[epoch, weight]
            text = "broken" if row.broken or not row.is_finite else f"{row.score:.2f}"
            dark = row.score > 0.75 * highest
            axes.text(across, down, text, ha="center", va="center", fontsize=8, color="white" if dark else "0.2")
            if (epoch, weight) == (pick.epoch, pick.weight):
                box = {"fill": False, "edgecolor": "tab:red", "linewidth": 2.5}
                axes.add_patch(_rectangle(across, down, **box))
    axes.set_xticks(range(len(weights)), [f"{weight:g}" for weight in weights])
    axes.set_yticks(range(len(epochs)), [str(epoch) for epoch in epochs])
    axes.set_xlabel("weight")
    axes.set_ylabel("epoch")
    axes.set_title("score = gain x likeness x obedience", fontsize=9)


def _rectangle(across: int, down: int, **look: object) -> object:
    from matplotlib.patches import Rectangle

    return Rectangle((across - 0.5, down - 0.5), 1, 1, zorder=3, clip_on=False, **look)


def _draw_lines(
    axes: object, places: Sequence[float], rows: Sequence[Row], picked: float, limits: Limits, label: str
) -> None:
    for name, (colour, text) in LINES.items():
        values = [getattr(row, name) for row in rows]
        known = [float("nan") if value is None else min(TALLEST, max(-0.2, value)) for value in values]
        axes.plot(places, known, "o-", color=colour, label=text, markersize=3.5)
    axes.axvline(picked, color="tab:red", linewidth=2, alpha=0.5, label="picked")
    axes.axhline(limits.least_trigger, color="tab:orange", linewidth=0.8, linestyle=":", label="least trigger")
    axes.axhline(limits.least_control, color="0.4", linewidth=0.8, linestyle=":", label="least obedience at 0.9")
    axes.set_ylim(-0.22, TALLEST + 0.03)
    axes.set_xlabel(label)
    axes.grid(color="0.93")
