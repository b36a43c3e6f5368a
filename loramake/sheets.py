"""Lays the cells of a grid out as one labelled picture; knows no torch.

A panel a prompt, or a value of the z axis; in it a column a value of x and a row a value of y, the seeds side by side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PIL import Image, ImageDraw

from loramake import files, lettering, pngtext
from loramake.errors import UserError
from loramake.sheetindex import Grid, read_grid
from loramake.sheetlayout import Layout, breakable, lay_out

MOST_PIXELS = 40_000_000  # of all cells together; more are shown smaller
LONGEST_SIDE = 12_000  # px of cells along one side
WEBP_SIDE = 16_383  # px, the format's limit

PAPER, CARD, LINE, INK, FAINT, CHIP = "#eef0f3", "#ffffff", "#d9dde3", "#1b1f27", "#697282", "#e9edf5"
GOOD, DOUBTFUL = "#0f9d58", "#e07b00"  # frames of a cell that is recommended, and of one that is only the least bad


def assemble_grid(
    cells_dir: Path,
    out_png: Path,
    *,
    title: str = "",
    heading: str = "",
    picks: Sequence[Path] = (),
    preview_above: float = 10,
) -> None:
    """Draw the sheet of a folder of cells.

    Args:
        cells_dir: pictures and `cells.json`, from `rendering.render_cells` or `sheetcells.render_sheet`.
        out_png: the sheet, with the webui's PNG text for the whole grid.
        title: heading that the config asks for; "" = `heading`.
        heading: what the sheet is of; "" = character and variant, the names of the folder and of the one above it.
        picks: files with the recommended epoch and weight of a variant, whose cells get a frame.
        preview_above: MB of the PNG above which a smaller picture, .webp or .jpg, is written beside it.

    Raises:
        UserError: a cell that is missing or damaged.
    """
    grid = read_grid(cells_dir, picks)
    heading = title or heading or f"{Path(cells_dir).parent.name} · {Path(cells_dir).name}"
    cell = _open_cell(grid.first()).size
    layout = lay_out(grid, cell, partial(_subtitle, grid), MOST_PIXELS, LONGEST_SIDE)
    down = math.ceil(len(grid.panels) / layout.across)
    width = layout.margin + layout.across * (layout.panel[0] + layout.margin)
    height = layout.head + down * (layout.panel[1] + layout.margin)
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    _draw_heading(draw, layout, width, heading)
    for place in range(len(grid.panels)):
        left = layout.margin + place % layout.across * (layout.panel[0] + layout.margin)
        top = layout.head + place // layout.across * (layout.panel[1] + layout.margin)
        _draw_panel(sheet, draw, grid, layout, place, (left, top))
    text = _whole_text(grid)
    with files.atomic_path(out_png) as temporary:
        temporary.write_bytes(pngtext.encode_png(sheet, text))
    beside = _write_preview(sheet, text, Path(out_png), preview_above)
    counts = f"{len(grid.columns.labels)} x {len(grid.rows.labels)}" + f" x {len(grid.panels)}" * (len(grid.panels) > 1)
    words = " x ".join(filter(None, (grid.columns.word, grid.rows.word)))
    print(
        f"sheet of {counts} cells ({words}), {width}x{height} px: {out_png}"
        + (f", smaller: {beside}" if beside else "")
    )


def _write_preview(sheet: Image.Image, text: str, out_png: Path, above: float) -> Path | None:
    """A smaller file beside a large one, with the same text where the webui looks for it; else remove an older one."""
    suffix = ".webp" if max(sheet.size) <= WEBP_SIDE else ".jpg"
    wanted = out_png.with_suffix(suffix) if out_png.stat().st_size > above * 1e6 else None
    for other in (out_png.with_suffix(".webp"), out_png.with_suffix(".jpg")):
        if other != wanted:
            other.unlink(missing_ok=True)
    if wanted:
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + text.encode("utf-16-be")  # UserComment, as the webui writes it
        with files.atomic_path(wanted) as temporary:
            sheet.save(temporary, quality=88, exif=exif)
    return wanted


def _open_cell(path: Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError) as error:
        raise UserError(
            "A cell is missing or damaged.", file=path, found=error, expected="a picture", setting="remove its folder"
        ) from error


def _draw_heading(draw: ImageDraw.ImageDraw, layout: Layout, width: int, heading: str) -> None:
    size, room = layout.text, width - 2 * layout.margin
    text, fitting = lettering.fit(lettering.readable(heading), size * 1.9, room)
    lettering.write(draw, (layout.margin, size * 1.9), text, fitting, INK, bold=True)
    for number, line in enumerate(layout.subtitle):
        lettering.write(draw, (layout.margin, size * (3.7 + 1.35 * number)), line, size, FAINT)


def _draw_panel(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, grid: Grid, layout: Layout, place: int, corner: tuple[int, int]
) -> None:
    """One panel: its heading, the axes, the pictures."""
    left, top = corner
    width, height = layout.panel
    size, pad, gap = layout.text, layout.margin, layout.gap
    draw.rounded_rectangle(
        (left, top, left + width - 1, top + height - 1), size * 0.5, CARD, LINE, max(1, round(size / 16))
    )
    for number, line in enumerate(layout.panels[place]):
        lettering.write(draw, (left + pad, top + pad + size * (0.6 + 1.3 * number)), line, size, INK, bold=True)
    pictures = left + pad + layout.label, top + height - pad - len(grid.rows.labels) * (layout.cell[1] + gap) + gap
    header_top = pictures[1] - layout.header
    # the corner names both axes: that of the columns to the right of it, that of the rows below
    for word, y in ((grid.columns.word, size * 0.65), (grid.rows.word, layout.header - size * 0.7)):
        text, fitting = lettering.fit(word, size * 0.85, layout.label - gap)
        if layout.label:
            lettering.write(draw, (left + pad, header_top + y), text, fitting, FAINT)
    for column in range(len(grid.columns.labels)):
        _draw_column_label(draw, grid, layout, column, (pictures[0] + column * (layout.group + gap), header_top))
    for row in range(len(grid.rows.labels)):
        y = pictures[1] + row * (layout.cell[1] + gap)
        _draw_row_label(draw, layout, row, (pictures[0] - size * 0.6, y + layout.cell[1] / 2))
        for column in range(len(grid.columns.labels)):
            x = pictures[0] + column * (layout.group + gap)
            _draw_place(sheet, draw, grid, layout, (place, row, column), (x, y))


def _draw_place(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    grid: Grid,
    layout: Layout,
    place: tuple[int, int, int],
    corner: tuple[int, int],
) -> None:
    """The pictures of one place, a seed beside the other, and the frame where it is recommended."""
    x, y = corner
    for seed in range(len(grid.seeds)):
        path = grid.path(*place, seed)
        left = x + seed * (layout.cell[0] + layout.seed_gap)
        if path is None:
            draw.rectangle((left, y, left + layout.cell[0] - 1, y + layout.cell[1] - 1), CHIP)
            lettering.write(
                draw, (left + layout.cell[0] / 2, y + layout.cell[1] / 2), "–", layout.text, FAINT, anchor="mm"
            )
            continue
        picture = _open_cell(path)
        if picture.size != layout.cell:
            picture = picture.resize(layout.cell, Image.Resampling.LANCZOS)
        sheet.paste(picture, (left, y))
    if place in grid.framed:
        thick = max(2, layout.gap * 2 // 3)
        box = (x - thick, y - thick, x + layout.group - 1 + thick, y + layout.cell[1] - 1 + thick)
        draw.rectangle(box, None, GOOD if grid.framed[place] == "good" else DOUBTFUL, thick)


def _draw_row_label(draw: ImageDraw.ImageDraw, layout: Layout, row: int, right: tuple[float, float]) -> None:
    lines, size = layout.rows[row], layout.label_size
    for number, line in enumerate(lines):
        y = right[1] + (number - (len(lines) - 1) / 2) * size * 1.25
        text, fitting = lettering.fit(line, size, layout.label - layout.text * 0.8)
        lettering.write(draw, (right[0], y), text, fitting, INK, anchor="rm")


def _draw_column_label(
    draw: ImageDraw.ImageDraw, grid: Grid, layout: Layout, column: int, corner: tuple[int, int]
) -> None:
    """The value on a band as wide as its pictures, and the seed above each picture."""
    left, top = corner
    size, group, lines = layout.text, layout.group, layout.columns[column]
    draw.rounded_rectangle((left, top, left + group - 1, top + layout.band), size * 0.3, CHIP)
    for number, line in enumerate(lines):
        y = top + layout.band / 2 + (number - (len(lines) - 1) / 2) * size * 1.3
        text, fitting = lettering.fit(line, size, group - layout.gap)
        lettering.write(draw, (left + group / 2, y), text, fitting, INK, anchor="mm", bold=True)
    longest = max((f"seed {seed}" for seed in grid.seeds), key=len)
    words = "seed " if lettering.width(longest, size * 0.7) <= layout.cell[0] - layout.gap else ""
    for number, seed in enumerate(filter(None, grid.seeds)):
        middle = left + number * (layout.cell[0] + layout.seed_gap) + layout.cell[0] / 2
        text, fitting = lettering.fit(f"{words}{seed}", size * 0.7, layout.cell[0] - layout.gap)
        lettering.write(draw, (middle, top + layout.header - size * 0.65), text, fitting, FAINT, anchor="mm")


def _subtitle(grid: Grid, share: float) -> str:
    """How the cells were drawn, and what is recommended, in one line."""
    fields = grid.settings
    parts = [
        f"{fields['Model']} [{fields['Model hash']}]" if fields.get("Model") else "",
        f"VAE {fields['VAE']}" if fields.get("VAE") else "",
        str(fields.get("Sampler") or ""),
        f"{fields['Steps']} steps" if fields.get("Steps") else "",
        f"CFG {fields['CFG scale']}" if fields.get("CFG scale") else "",
        f"{fields['Size']} px" + (f" shown at {share:.0%}" if share < 1 else ""),
        f"clip skip {fields['Clip skip']}" if fields.get("Clip skip") else "",
        *(f"{kind} {_one_or_each(values)}" for kind, values in fields.get("fixed", {}).items()),
        f"2nd LoRA {fields['lora']}" if fields.get("lora") else "",
        f"negative: {fields['negative_prompt']}" if fields.get("negative_prompt") else "",
        *(f"{'framed: ' * (number == 0)}{text}" for number, text in enumerate(grid.advice)),
    ]
    return "  ·  ".join(part for part in parts if part)


def _one_or_each(values: dict[str, float]) -> str:
    """A number that all variants share, or that of each."""
    texts = {name: f"{value:g}" for name, value in values.items()}
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    named = {text: [breakable(name) for name in texts if texts[name] == text] for text in texts.values()}
    return ", ".join(f"{text} ({'; '.join(names)})" for text, names in named.items())


def _whole_text(grid: Grid) -> str:
    """PNG text of the sheet: that of one of its cells, and the axes as the webui's X/Y/Z plot names them."""
    prompt, negative, fields = pngtext.read_parameters(pngtext.read_text(grid.first().read_bytes()))
    axes = {"Script": "X/Y/Z plot"}
    sections = grid.sections if grid.sections.labels else None
    sides = {"X": grid.columns, "Y": grid.rows, "Z": sections}
    for letter, side in sides.items():
        if side and side.title:
            values = ", ".join(_plain(label, side.word) for label in side.labels)
            axes |= {f"{letter} Type": side.title, f"{letter} Values": values}
    if not sections and grid.prompts:
        axes |= {"Z Type": "Prompt", "Z Values": " | ".join(grid.prompts)}
    axes |= {"Seeds": ", ".join(grid.seeds)} if any(grid.seeds) else {}
    return pngtext.write_parameters(prompt, negative, {**fields, **axes})


def _plain(label: str, word: str) -> str:
    """A label as the bare value."""
    return label.removesuffix(" (no LoRA)").removeprefix(f"{word} ")
