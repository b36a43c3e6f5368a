"""What a folder of cells holds, read from its `cells.json`: columns, rows, panels, and what to frame. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from loramake import files
from loramake.cellindex import epoch_grid, read_index
from loramake.cells import weight_text

Place = tuple[int, int, int]  # panel, row, column
WORDY = ("prompt", "model", "sampler", "variant", "prompt S/R")  # whose values speak for themselves


@dataclass(frozen=True)
class Side:
    """Columns or rows: the word that stands in the corner, the webui's name of the axis, a label each."""

    word: str
    title: str
    labels: Sequence[str]


@dataclass(frozen=True)
class Grid:
    """A grid to be laid out.

    Args:
        folder: of the pictures.
        columns, rows: the two axes; rows without a word where there is no y axis.
        panels: heading of each section: the value of the z axis, the prompt, or both.
        sections: the z axis; no labels where there is none.
        prompts: of the cells, for the PNG text.
        seeds: side by side in each place; without labels where an axis holds them.
        cells: file of (panel, row, column, seed); a place may have none.
        framed: places of the recommended cells, each with its verdict.
        advice: the recommendations in words.
        settings: fields that the title names.
    """

    folder: Path
    columns: Side
    rows: Side
    panels: Sequence[str]
    sections: Side
    prompts: Sequence[str]
    seeds: Sequence[str]
    cells: Mapping[tuple[int, int, int, int], str]
    framed: Mapping[Place, str]
    advice: Sequence[str]
    settings: Mapping[str, object]

    def path(self, panel: int, row: int, column: int, seed: int) -> Path | None:
        """The picture of a place."""
        name = self.cells.get((panel, row, column, seed))
        return self.folder / name if name else None

    def first(self) -> Path:
        """A picture that is there: of the first row, furthest to the right."""
        return self.folder / self.cells[min(self.cells, key=lambda at: (at[0], at[1], -at[2], at[3]))]


def read_grid(cells_dir: Path, picks: Sequence[Path] = ()) -> Grid:
    """Read `cells.json`.

    Args:
        picks: files with the recommended epoch and weight of a variant.

    Raises:
        UserError: no cells here.
    """
    index = read_index(cells_dir)
    advised = {pick["variant"]: pick for pick in map(files.read_json, picks)}
    read = _read_free if "x" in index["axes"] else _read_epochs
    return read(Path(cells_dir), index, advised)


def _read_epochs(folder: Path, index: Mapping, advised: Mapping[str, Mapping]) -> Grid:
    """An epoch x weight grid: the base model's pictures (weight 0) stand in every row."""
    grid = epoch_grid(folder, index)
    cells, framed = {}, {}
    pick = advised.get(folder.name)
    for panel, row, column in product(range(len(grid.prompts)), range(len(grid.epochs)), range(len(grid.weights))):
        epoch, weight = grid.epochs[row], grid.weights[column]
        if pick and (pick["epoch"], pick["weight"]) == (epoch, weight):
            framed[panel, row, column] = pick["verdict"]
        for seed in range(len(grid.seeds)):
            cells[panel, row, column, seed] = grid.path(epoch, weight, panel + 1, seed + 1).name
    labels = [weight_text(weight) + (" (no LoRA)" if weight == 0 else "") for weight in grid.weights]
    return Grid(
        folder,
        Side("weight", "LoRA weight", labels),
        Side("epoch", "Epoch", [str(epoch) for epoch in grid.epochs]),
        grid.prompts,
        Side("", "", []),
        grid.prompts,
        [str(seed) for seed in grid.seeds],
        cells,
        framed,
        _advise([pick] if pick else []),
        grid.settings,
    )


def _read_free(folder: Path, index: Mapping, advised: Mapping[str, Mapping]) -> Grid:
    axes = index["axes"]
    sides = {
        side: Side(*(axes[side][key] for key in ("word", "title", "labels"))) if side in axes else Side("", "", [])
        for side in "xyz"
    }
    prompts = axes["prompt"] or [""]
    cells, framed, shown = {}, {}, {}
    for row in index["cells"]:
        panel = row["z"] * len(prompts) + row["prompt"] - 1
        cells[panel, row["y"], row["x"], row["seed"] - 1] = row["file"]
        pick = advised.get(row["variant"])
        if pick and (pick["epoch"], pick["weight"]) == (row["epoch"], row["weight"]):
            framed[panel, row["y"], row["x"]] = pick["verdict"]
            shown[row["variant"]] = pick
    word = sides["z"].word
    heads = [label if word in WORDY else f"{word} {label}" for label in sides["z"].labels]
    panels = ["  ·  ".join(filter(None, (head, prompt))) for head in heads or [""] for prompt in prompts]
    # beside a second LoRA weight 0 is not the base model alone
    alone = all(axes[side]["kind"] != "lora_weight" for side in sides if side in axes)
    columns = _with_base(sides["x"], alone)
    rows = _with_base(sides["y"], alone) if sides["y"].labels else Side("", "", [""])
    if not rows.word and columns.word not in WORDY:
        # without rows there is no corner for the axis' name
        columns = Side(columns.word, columns.title, [f"{columns.word} {label}" for label in columns.labels])
    seeds = [str(seed) for seed in axes["seed"]] or [""]
    # with every cell in a frame the frame says nothing
    framed = framed if len(framed) < len({at[:3] for at in cells}) else {}
    advice = _advise(list(shown.values())) if framed else []
    return Grid(
        folder, columns, rows, panels, sides["z"], axes["prompt"], seeds, cells, framed, advice, index["settings"]
    )


def _with_base(side: Side, alone: bool) -> Side:
    if side.word != "weight" or not alone:
        return side
    return Side(side.word, side.title, [label + (" (no LoRA)" if label == "0" else "") for label in side.labels])


def _advise(picks: Sequence[Mapping]) -> list[str]:
    """The recommendations in words, the variant's name where there are several."""
    return [
        (f"{pick['variant'].replace('__', ', ')}, " if len(picks) > 1 else "recommended, ")
        + f"epoch {pick['epoch']}, weight {weight_text(pick['weight'])} ({pick['verdict']})"
        + (f": {pick['reason']}" if len(picks) == 1 and pick.get("reason") else "")
        for pick in picks
    ]
