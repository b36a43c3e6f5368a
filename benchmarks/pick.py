"""How good the pick is on the demo: the picked cell against the best one, by what the pictures really show.

    python benchmarks/pick.py all --out pick.json                    in a checkout: trains nine variants, hours of CPU
    python benchmarks/pick.py score --loras loras/shimakaze/base --pick work/pick/shimakaze/base.json --out pick.json
    python benchmarks/pick.py table pick.json

The pick sees no picture of this benchmark and none of its seeds. A cell's score is the mean of two shares, by the
demo's own measure (resources/demo/quality): pictures of the trigger alone with the whole signature, and pictures of
other clothes and backgrounds that obey and still show the whole signature. First every cell is drawn a few times; then
the picked one and the best few on other seeds, from which the difference is taken.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "resources" / "demo")]

import torch  # noqa: E402
from measure import read_many  # noqa: E402
from quality.asks import requests, with_trigger  # noqa: E402
from quality.painting import Ask, Manner, Painter  # noqa: E402
from quality.shares import obeyed  # noqa: E402

from loramake import files  # noqa: E402

FIRST_SEED, SECOND_SEED = 5_000, 90_000
NEAR = 3  # cells that are drawn again beside the picked one

# training seed by learning rates: the demo's, a twentieth of them, ten times as high
RATES = ("", "text_encoder_lr=1.5e-4__unet_lr=2.5e-4", "text_encoder_lr=0.03__unet_lr=0.05")
VARIANTS = ["__".join(filter(None, (f"seed={seed}", rates))) for seed in (1, 2, 3) for rates in RATES]

Place = tuple[int, float]


class Scores:
    """The cells of one variant, drawn and counted; what was counted before is kept in a file."""

    def __init__(self, loras: Path, base: Path, trigger: str, store: Path) -> None:
        index = files.read_json(loras / "index.json")["epochs"]
        self.epochs = [entry["epoch"] for entry in index]
        self._painter = Painter(base, [loras / entry["file"] for entry in index], Manner())
        self._trigger, self._store = trigger, store
        self.known: dict[str, dict[str, float]] = files.read_json(store) if store.is_file() else {}

    def count(self, place: Place, seed: int, rounds: int) -> dict[str, float]:
        """Shares of one cell.

        Args:
            place: epoch and weight.
            seed: the first of the seeds.
            rounds: pictures of each of the fourteen wishes; as many again of the trigger alone.
        """
        epoch, weight = place
        key = f"{epoch} {weight:g} {seed} {rounds}"
        if key not in self.known:
            lora, wishes = self.epochs.index(epoch), requests()
            seeds = range(seed, seed + rounds * len(wishes))
            alone = [Ask(self._trigger, one, lora, weight) for one in seeds]
            asked = [
                Ask(with_trigger(self._trigger, wishes[place % len(wishes)][2]), one, lora, weight)
                for place, one in enumerate(seeds)
            ]
            read = read_many(self._painter.paint(alone + asked, key))
            hers, wished = read[: len(alone)], read[len(alone) :]
            obey = [obeyed(*wishes[place % len(wishes)][:2], [one])[0] for place, one in enumerate(wished)]
            kept = [good and one.whole_signature for good, one in zip(obey, wished, strict=True)]
            signature = sum(one.whole_signature for one in hers) / len(hers)
            figures = {"signature": signature, "obeyed": sum(obey) / len(obey), "kept": sum(kept) / len(kept)}
            self.known[key] = {**figures, "score": (signature + figures["kept"]) / 2}
            files.write_text(self._store, files.to_json(self.known))
        return self.known[key]


def compare(scores: Scores, picked: Place, places: Sequence[Place], rounds: tuple[int, int]) -> dict[str, object]:
    """The picked cell against the best, the best found and both counted on different seeds."""
    first = {place: scores.count(place, FIRST_SEED, rounds[0]) for place in places}
    ranked = sorted(first, key=lambda place: -first[place]["score"])
    again = list(dict.fromkeys([picked, *ranked[:NEAR]]))
    second = {place: scores.count(place, SECOND_SEED, rounds[1]) for place in again}
    best = max(second, key=lambda place: second[place]["score"])
    return {
        "cells": [{"epoch": place[0], "weight": place[1], **figures} for place, figures in first.items()],
        "again": [{"epoch": place[0], "weight": place[1], **figures} for place, figures in second.items()],
        "picked": list(picked),
        "best": list(best),
        "points_behind": 100 * (second[best]["score"] - second[picked]["score"]),
    }


def score(options: argparse.Namespace) -> None:
    """Score one variant and add it to the results."""
    pick = files.read_json(options.pick)
    store = options.out.with_suffix(f".{options.loras.name}.counts.json")
    scores = Scores(options.loras, options.base, options.trigger, store)
    epochs = options.epochs or scores.epochs
    places = [(epoch, weight) for epoch in epochs for weight in options.weights]
    result = compare(scores, (pick["epoch"], pick["weight"]), places, (options.rounds, options.rounds_again))
    result |= {"verdict": pick["verdict"], "reason": pick["reason"]}
    results = files.read_json(options.out) if options.out.is_file() else {}
    files.write_text(options.out, files.to_json({**results, pick["variant"]: result}))
    show({pick["variant"]: result})


def score_all(options: argparse.Namespace) -> None:
    """Train, pick and score every variant; what was done before is not done again."""
    for variant in VARIANTS:
        picked = f"work/pick/shimakaze/{variant}.json"
        subprocess.run([sys.executable, "-m", "snakemake", "--cores", "1", picked], check=True)
        options.loras, options.pick = Path("loras/shimakaze", variant), Path(picked)
        score(options)


def show(results: Mapping[str, Mapping]) -> None:
    """One line a variant."""
    for variant, result in results.items():
        picked, best = (
            next(c for c in result["again"] if [c["epoch"], c["weight"]] == result[k]) for k in ("picked", "best")
        )
        print(
            f"{variant}: {result['verdict']}; picked epoch {picked['epoch']} weight {picked['weight']:g} "
            f"{100 * picked['score']:.0f}, best epoch {best['epoch']} weight {best['weight']:g} "
            f"{100 * best['score']:.0f}: "
            f"{result['points_behind']:.1f} points behind"
        )


def main() -> None:
    """Score, or print what was scored."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    one, every = parts.add_parser("score"), parts.add_parser("all")
    one.add_argument("--loras", type=Path, required=True)
    one.add_argument("--pick", type=Path, required=True)
    for part in (one, every):
        part.add_argument("--base", type=Path, default=ROOT / "resources/demo/base.safetensors")
        part.add_argument("--trigger", default="shim")
        part.add_argument("--epochs", type=int, nargs="+", help="only these (default: all)")
        part.add_argument("--weights", type=float, nargs="+", default=[0.6, 0.8, 1.0, 1.15])
        part.add_argument("--rounds", type=int, default=1, help="pictures of each wish at first")
        part.add_argument("--rounds-again", type=int, default=4, help="and of the picked and the best cells")
        part.add_argument("--out", type=Path, default=Path("pick.json"))
    two = parts.add_parser("table")
    two.add_argument("results", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.part == "table":
        show(json.loads(options.results.read_text(encoding="utf-8")))
    else:
        {"score": score, "all": score_all}[options.part](options)


if __name__ == "__main__":
    main()
