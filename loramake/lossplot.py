"""The loss log as a picture: loss, validation loss and learning rates over optimizer steps; no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loramake.files import atomic_path

_LINES = 60  # points over which the smooth curve looks back, at most


def read_log(path: Path) -> dict[str, list[float]]:
    """The columns of a tab-separated log of numbers; empty where there is no such file."""
    if not Path(path).is_file():
        return {}
    head, *rows = Path(path).read_text(encoding="utf-8").splitlines()
    columns = zip(*(map(float, row.split("\t")) for row in rows), strict=True)
    return dict(zip(head.split("\t"), map(list, columns), strict=False))


def smooth(values: Sequence[float], window: int) -> list[float]:
    """The mean of each value and the ones before it, `window` in all; fewer at the beginning."""
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    starts = [max(0, place - window) for place in range(1, len(sums))]
    return [(sums[place] - sums[start]) / (place - start) for place, start in enumerate(starts, 1)]


def draw_losses(loss_log: Path, validation_log: Path, out_png: Path) -> None:
    """Draw both logs, losses above and learning rates below, into a PNG.

    Args:
        loss_log: loss.tsv of a run.
        validation_log: validation.tsv, which may be missing.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    log, checks = read_log(loss_log), read_log(validation_log)
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    steps, losses, epochs = (log.get(key, []) for key in ("step", "loss", "epoch"))
    window = max(1, min(_LINES, len(steps) // 10))
    upper.plot(steps, losses, color="0.8", linewidth=0.7, label="loss of each step")
    upper.plot(steps, smooth(losses, window), color="tab:blue", label=f"mean of {window} steps")
    ends = [step for step, epoch, following in zip(steps, epochs, epochs[1:], strict=False) if following != epoch]
    for axis in (upper, lower):
        for step in ends:
            axis.axvline(step, color="0.9", linewidth=0.8, zorder=0)
    if checks:
        label = "validation, end of each epoch"
        upper.plot(checks["step"], checks["validation_loss"], "o-", color="tab:orange", label=label)
    # single steps far above the rest would flatten the curves
    ranked = sorted(losses)
    if ranked:
        upper.set_ylim(0, max(ranked[int(0.98 * (len(ranked) - 1))] * 1.2, *checks.get("validation_loss", [0])) or 1)
    upper.set_ylabel("loss")
    upper.legend(loc="upper right", fontsize="small")
    lower.plot(steps, log.get("unet_lr", []), color="tab:blue", label="U-Net")
    lower.plot(steps, log.get("text_encoder_lr", []), color="tab:green", label="text encoder")
    lower.set_ylim(bottom=0)
    lower.set_ylabel("learning rate")
    lower.set_xlabel("optimizer step (grey lines: epochs)")
    lower.legend(loc="upper right", fontsize="small")
    with atomic_path(out_png) as temporary:
        figure.set_dpi(110)
        canvas.print_png(temporary)
