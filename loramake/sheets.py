"""Lays the cells of a grid out as one labelled picture; knows no torch.

One panel a prompt; in it a row an epoch and a column a weight, the seeds side by side. The base model's pictures
(weight 0) stand in every row, so that each row can be compared with them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from loramake import files, lettering, pngtext
from loramake.cells import weight_text
from loramake.errors import UserError

MOST_PIXELS = 40_000_000  # of all cells together; more are shown smaller
LONGEST_SIDE = 12_000  # px of cells along one side
WANTED_ASPECT = 1.6  # of the sheet: that of a screen

PAPER, CARD, LINE, INK, FAINT, CHIP = "#eef0f3", "#ffffff", "#d9dde3", "#1b1f27", "#697282", "#e9edf5"


@dataclass(frozen=True)
class Grid:
    """What `cells.json` says: axis values and the file of (epoch, weight, prompt number, seed number)."""

    folder: Path
    epochs: Sequence[int]
    weights: Sequence[float]
    prompts: Sequence[str]
    seeds: Sequence[int]
    cells: Mapping[tuple[int | None, float, int, int], str]
    settings: Mapping[str, object]

    def path(self, epoch: int, weight: float, prompt: int, seed: int) -> Path:
        """The picture of a place; weight 0 is one picture for all epochs."""
        return self.folder / self.cells[None if weight == 0 else epoch, weight, prompt, seed]

    @property
    def files(self) -> list[Path]:
        """All its pictures."""
        return [self.folder / name for name in self.cells.values()]


@dataclass(frozen=True)
class Layout:
    """Sizes in px of a shown cell, text, gaps and a panel; wrapped text; how many panels stand side by side."""

    cell: tuple[int, int]
    text: float
    gap: int
    margin: int
    label: int
    prompt_lines: Sequence[Sequence[str]]
    subtitle: Sequence[str]
    panel: tuple[int, int]
    across: int

    @property
    def head(self) -> int:
        """Height of the heading."""
        return round(self.text * (3.6 + 1.35 * len(self.subtitle)))

    def group_width(self, seeds: int) -> int:
        """Width of one weight's pictures of all seeds."""
        return seeds * self.cell[0] + (seeds - 1) * self.seed_gap

    @property
    def seed_gap(self) -> int:
        return max(1, self.gap // 4)

    @property
    def header(self) -> int:
        """Height of the line of weights and that of seeds."""
        return round(self.text * 2.6)


def assemble_grid(cells_dir: Path, out_png: Path, *, title: str = "") -> None:
    """Draw the sheet of a folder of cells.

    Args:
        cells_dir: pictures and `cells.json`, from `rendering.render_cells`.
        out_png: the sheet, with the webui's PNG text for the whole grid.
        title: heading; "" = character and variant, the names of the folder and of the one above it.

    Raises:
        UserError: a cell that is missing or damaged.
    """
    grid = read_grid(cells_dir)
    heading = title or f"{Path(cells_dir).parent.name} · {Path(cells_dir).name}"
    layout = _lay_out(grid)
    rows = math.ceil(len(grid.prompts) / layout.across)
    width = layout.margin + layout.across * (layout.panel[0] + layout.margin)
    height = layout.head + rows * (layout.panel[1] + layout.margin)
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    _draw_heading(draw, layout, width, heading)
    for place in range(len(grid.prompts)):
        left = layout.margin + place % layout.across * (layout.panel[0] + layout.margin)
        top = layout.head + place // layout.across * (layout.panel[1] + layout.margin)
        _draw_panel(sheet, draw, grid, layout, place, (left, top))
    with files.atomic_path(out_png) as temporary:
        temporary.write_bytes(pngtext.encode_png(sheet, _whole_text(grid)))
    print(f"sheet of {len(grid.epochs)} epochs x {len(grid.weights)} weights, {width}x{height} px: {out_png}")


def read_grid(cells_dir: Path) -> Grid:
    """Read `cells.json`.

    Raises:
        UserError: no cells here.
    """
    path = Path(cells_dir) / "cells.json"
    if not path.is_file():
        raise UserError("There are no cells here.", file=path, expected="cells.json", setting="render the cells first")
    index = files.read_json(path)
    axes = index["axes"]
    cells = {(row["epoch"], row["weight"], row["prompt"], row["seed"]): row["file"] for row in index["cells"]}
    return Grid(Path(cells_dir), axes["epoch"], axes["weight"], axes["prompt"], axes["seed"], cells, index["settings"])


def _open_cell(path: Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError) as error:
        raise UserError(
            "A cell is missing or damaged.", file=path, found=error, expected="a picture", setting="remove its folder"
        ) from error


def _lay_out(grid: Grid) -> Layout:
    """Choose sizes: cells as they are unless the sheet grew too large, text in proportion to the whole."""
    cell = _open_cell(grid.folder / next(iter(grid.cells.values()))).size
    rows, columns = len(grid.epochs), len(grid.weights) * len(grid.seeds)
    panels = len(grid.prompts)

    def off(across: int) -> float:
        """How far the aspect is from the wanted one; empty places count."""
        down = math.ceil(panels / across)
        aspect = across * columns * cell[0] * 1.06 / (down * rows * cell[1] * 1.12)
        return abs(math.log(aspect / WANTED_ASPECT)) + 0.3 * (across * down - panels)

    across = min(range(1, panels + 1), key=off)
    wide, high = across * columns * cell[0], math.ceil(panels / across) * rows * cell[1]
    share = min(1.0, math.sqrt(MOST_PIXELS / (wide * high)), LONGEST_SIDE / max(wide, high))
    shown = (max(1, round(cell[0] * share)), max(1, round(cell[1] * share)))
    # one size of text for the whole sheet: readable with the sheet scaled to a screen, never taller than half a cell
    text = max(12.0, min(max(wide, high * WANTED_ASPECT) * share / 95, shown[1] * 0.5))
    gap = max(4, round(text * 0.35))
    label = round(max(lettering.width(str(epoch), text * 1.25) for epoch in (*grid.epochs, 88)) + text * 1.4)
    label = max(label, round(lettering.width("epoch", text) + text))
    seed_gap = max(1, gap // 4)
    group = len(grid.seeds) * shown[0] + (len(grid.seeds) - 1) * seed_gap
    inner = label + len(grid.weights) * (group + gap) - gap
    pad = round(text * 0.9)
    width = max(inner + 2 * pad, round(text * 14))
    lines = [lettering.wrap(lettering.readable(prompt), text, width - 2 * pad, most=3) for prompt in grid.prompts]
    title_height = round(max(map(len, lines)) * text * 1.3 + text * 0.7)
    height = 2 * pad + title_height + round(text * 2.6) + rows * (shown[1] + gap) - gap
    whole = across * (width + pad) - pad
    subtitle = lettering.wrap(lettering.readable(_subtitle(grid, share)), text, whole, most=4)
    return Layout(shown, text, gap, pad, label, lines, subtitle, (width, height), across)


def _draw_heading(draw: ImageDraw.ImageDraw, layout: Layout, width: int, heading: str) -> None:
    size, room = layout.text, width - 2 * layout.margin
    text, fitting = lettering.fit(lettering.readable(heading), size * 1.9, room)
    lettering.write(draw, (layout.margin, size * 1.9), text, fitting, INK, bold=True)
    for number, line in enumerate(layout.subtitle):
        lettering.write(draw, (layout.margin, size * (3.7 + 1.35 * number)), line, size, FAINT)


def _draw_panel(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, grid: Grid, layout: Layout, place: int, corner: tuple[int, int]
) -> None:
    """One prompt: its text, the axes, the pictures."""
    left, top = corner
    width, height = layout.panel
    size, pad, gap = layout.text, layout.margin, layout.gap
    draw.rounded_rectangle(
        (left, top, left + width - 1, top + height - 1), size * 0.5, CARD, LINE, max(1, round(size / 16))
    )
    for number, line in enumerate(layout.prompt_lines[place]):
        lettering.write(draw, (left + pad, top + pad + size * (0.6 + 1.3 * number)), line, size, INK, bold=True)
    pictures_top = top + height - pad - len(grid.epochs) * (layout.cell[1] + gap) + gap
    pictures_left = left + pad + layout.label
    header_top = pictures_top - layout.header
    # the corner names both axes: the weights' to the right of it, the epochs' below
    lettering.write(draw, (left + pad, header_top + size * 0.65), "weight", size * 0.85, FAINT)
    lettering.write(draw, (left + pad, header_top + size * 1.9), "epoch", size * 0.85, FAINT)
    group = layout.group_width(len(grid.seeds))
    for column, weight in enumerate(grid.weights):
        _draw_column_label(draw, grid, layout, weight, (pictures_left + column * (group + gap), header_top))
    for row, epoch in enumerate(grid.epochs):
        y = pictures_top + row * (layout.cell[1] + gap)
        text, fitting = lettering.fit(str(epoch), size * 1.25, layout.label - gap)
        lettering.write(draw, (pictures_left - size * 0.6, y + layout.cell[1] / 2), text, fitting, INK, anchor="rm")
        for column, weight in enumerate(grid.weights):
            for seed in range(len(grid.seeds)):
                x = pictures_left + column * (group + gap) + seed * (layout.cell[0] + layout.seed_gap)
                picture = _open_cell(grid.path(epoch, weight, place + 1, seed + 1))
                if picture.size != layout.cell:
                    picture = picture.resize(layout.cell, Image.Resampling.LANCZOS)
                sheet.paste(picture, (x, y))


def _draw_column_label(
    draw: ImageDraw.ImageDraw, grid: Grid, layout: Layout, weight: float, corner: tuple[int, int]
) -> None:
    """The weight on a band as wide as its pictures, and the seed above each picture."""
    left, top = corner
    size, group = layout.text, layout.group_width(len(grid.seeds))
    draw.rounded_rectangle((left, top, left + group - 1, top + size * 1.3), size * 0.3, CHIP)
    text = weight_text(weight) + (" (no LoRA)" if weight == 0 else "")
    text, fitting = lettering.fit(text, size, group - layout.gap)
    lettering.write(draw, (left + group / 2, top + size * 0.65), text, fitting, INK, anchor="mm", bold=True)
    longest = max((f"seed {seed}" for seed in grid.seeds), key=len)
    words = "seed " if lettering.width(longest, size * 0.7) <= layout.cell[0] - layout.gap else ""
    for number, seed in enumerate(grid.seeds):
        middle = left + number * (layout.cell[0] + layout.seed_gap) + layout.cell[0] / 2
        text, fitting = lettering.fit(f"{words}{seed}", size * 0.7, layout.cell[0] - layout.gap)
        lettering.write(draw, (middle, top + size * 1.95), text, fitting, FAINT, anchor="mm")


def _subtitle(grid: Grid, share: float) -> str:
    """How the cells were drawn, in one line."""
    fields = grid.settings
    parts = [
        f"{fields['Model']} [{fields['Model hash']}]",
        f"VAE {fields['VAE']}" if fields.get("VAE") else "",
        str(fields["Sampler"]),
        f"{fields['Steps']} steps",
        f"CFG {fields['CFG scale']}",
        f"{fields['Size']} px" + (f" shown at {share:.0%}" if share < 1 else ""),
        f"clip skip {fields['Clip skip']}" if fields.get("Clip skip") else "",
        f"negative: {fields['negative_prompt']}" if fields.get("negative_prompt") else "",
    ]
    return "  ·  ".join(part for part in parts if part)


def _whole_text(grid: Grid) -> str:
    """PNG text of the sheet: that of its first cell, and the axes as the webui's X/Y/Z plot names them."""
    first = grid.path(grid.epochs[0], grid.weights[-1], 1, 1)
    prompt, negative, fields = pngtext.read_parameters(pngtext.read_text(first.read_bytes()))
    axes = {
        "Script": "X/Y/Z plot",
        "X Type": "LoRA weight",
        "X Values": ", ".join(map(weight_text, grid.weights)),
        "Y Type": "Epoch",
        "Y Values": ", ".join(map(str, grid.epochs)),
        "Z Type": "Prompt",
        "Z Values": " | ".join(grid.prompts),
        "Seeds": ", ".join(map(str, grid.seeds)),
    }
    return pngtext.write_parameters(prompt, negative, {**fields, **axes})
