"""The pick of one variant: figures of every epoch and weight, the rule, a JSON file and a plot. Torch loads late."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from loramake.errors import UserError
from loramake.files import hash_value, read_json, to_json, write_text
from loramake.lorahash import lora_digest
from loramake.picking import PROBED_WEIGHT, Limits, Row, as_json, best, best_learned, check_applies, pick
from loramake.pickingcells import Cells, Drawn, Place, examine, read_cells, tag_reader
from loramake.pickingground import Ground, choose_pictures
from loramake.pickingshown import UNSEEN, Shown, view, word

if TYPE_CHECKING:
    from loramake.pickingfigures import Gauge
    from loramake.pickingmodel import Instruments


def pick_epoch(
    lora_dir: Path,
    cells_dir: Path,
    dataset_dir: Path,
    latents_dir: Path,
    out_json: Path,
    out_png: Path,
    cache: Path,
    *,
    character: str,
    variant: str,
    base_model: str,
    base_model_config: str,
    vae: str,
    device: str,
    trigger: str,
    clip_skip: int,
    validation_split: float,
    seed: int,
    v_parameterization: bool | str,
    zero_terminal_snr: bool | str,
    clothes: Sequence[str],
    backgrounds: Sequence[str],
    samples: int,
    least_gain: float,
    least_trigger: float,
    least_control: float,
    model: str,
    tags: str,
    general_threshold: float,
    threads: int,
) -> None:
    """Recommend one epoch and weight of a variant, among those that its grid shows.

    Args:
        lora_dir: checkpoints and `index.json`.
        cells_dir: drawn cells and `cells.json`.
        dataset_dir, latents_dir: of the training.
        out_json: character, variant, epoch, weight, verdict, reason, rows.
        out_png: the plot.
        cache: keeps figures by what they depend on, so that another limit or weight costs only itself.
        validation_split, seed: of the training; they tell which pictures it never saw.
        samples: pictures to measure the loss on.
        model, tags, general_threshold: the tagger, see `pickingcells.tag_reader`.

    Raises:
        UserError: nothing to pick from; a LoRA without effect; a LoRA that does not fit the model.
    """
    cells = read_cells(cells_dir)
    files = _checkpoints(lora_dir, cells.epochs)
    chosen, held_out = choose_pictures(dataset_dir, latents_dir, validation_split, seed, samples)
    wishes = {"clothes": clothes, "background": backgrounds}
    ground = Ground(
        base_model,
        base_model_config,
        vae,
        device,
        chosen,
        trigger,
        wishes,
        clip_skip,
        v_parameterization,
        zero_terminal_snr,
    )
    reader = tag_reader(model, tags, trigger=trigger, threshold=general_threshold, device=device, threads=threads)
    drawn = examine(cells, reader)
    meter = _Meter(ground, files, Path(cache), threads)
    places = [(epoch, weight) for epoch in files for weight in cells.weights]
    figures = meter.take(places)
    rows = [_row(place, figures[place], drawn.get(place)) for place in places]
    check_applies(rows, Path(lora_dir))
    shown = meter.look(cells, best_learned(rows))
    rows = [replace(row, **asdict(shown.get((row.epoch, row.weight), UNSEEN))) for row in rows]
    probe = (best(rows).epoch, PROBED_WEIGHT)
    probes = [_row(probe, meter.take([probe])[probe], drawn.get(probe))]
    limits = Limits(least_gain, least_trigger, least_control)
    picked = pick(rows, probes, limits, held_out=held_out)
    content = as_json(
        picked, rows, character=character, variant=variant, held_out=held_out, at_weight_0_9=probes[0], limits=limits
    )
    from loramake.pickingplot import draw_pick  # matplotlib takes a second to load

    draw_pick(picked, rows, limits, out_png, title=f"{character} · {variant}")
    write_text(out_json, to_json(content))
    print(f"{character} {variant}: {picked.reason}")


class _Meter:
    """Takes figures; those taken before lie in a folder, and without a missing one torch is never loaded."""

    def __init__(self, ground: Ground, files: Mapping[int, Path], cache: Path, threads: int) -> None:
        self._ground, self._files, self._cache, self._threads = ground, files, cache, threads
        self._recipe = ground.recipe(cache)
        self._digests = {epoch: lora_digest(file)[0] for epoch, file in files.items()}
        self._numbers = {epoch: number for number, epoch in enumerate(files)}

    def take(self, places: Sequence[Place]) -> dict[Place, dict[str, float | None]]:
        """Figures of epochs at weights."""
        paths = {place: self._path(place) for place in places}
        missing = [place for place in places if not paths[place].is_file()]
        if missing:
            from tqdm import tqdm

            gauge = self._gauge
            for place in tqdm(missing, desc="figures", unit="cell"):
                figures = gauge.measure(self._numbers[place[0]], place[1])
                # JSON knows no NaN
                write_text(
                    paths[place], to_json({k: v if v == v and abs(v) < 1e30 else None for k, v in figures.items()})
                )
        return {place: read_json(path) for place, path in paths.items()}

    def look(self, cells: Cells, judge: int | None) -> dict[Place, Shown]:
        """What the cells show, judged by this epoch; nothing without one."""
        if judge is None:
            return {}
        trigger = self._ground.trigger
        texts = [
            text for words in (word(prompt, trigger) for prompt in cells.prompts) for text in (words.text, words.rest)
        ]
        # loads nothing where everything was looked at before
        load = functools.cache(lambda: self._instruments.judge(self._numbers[judge], texts))
        recipe = self._ground.viewing_recipe(self._digests[judge], self._cache)
        return view(
            cells, trigger, lambda *picture: load().look_at(*picture), recipe=recipe, cache=self._cache / "seen"
        )

    @cached_property
    def _instruments(self) -> Instruments:
        from loramake.pickingmodel import Instruments

        return Instruments(self._ground, list(self._files.values()), self._threads)

    @cached_property
    def _gauge(self) -> Gauge:
        return self._instruments.gauge()

    def _path(self, place: Place) -> Path:
        key = hash_value([self._recipe, self._digests[place[0]], place[1]])
        return self._cache / key[:2] / f"{key}.json"


def _checkpoints(lora_dir: Path, epochs: Sequence[int]) -> dict[int, Path]:
    """The files of the epochs that the cells show.

    Raises:
        UserError: none.
    """
    saved = {entry["epoch"]: entry["file"] for entry in read_json(Path(lora_dir) / "index.json")["epochs"]}
    found = {epoch: Path(lora_dir) / saved[epoch] for epoch in epochs if epoch in saved}
    if not found:
        raise UserError("There is no epoch to pick.", file=lora_dir, setting="grid.epochs")
    return found


def _row(place: Place, figures: Mapping[str, float | None], drawn: Drawn | None) -> Row:
    counted = (drawn.pictures, drawn.broken, drawn.tags) if drawn else (0, 0, None)
    return Row(*place, **figures, pictures=counted[0], broken=counted[1], tags=counted[2])
