"""Measure the demo's base model and a LoRA made on it; tables on screen, figures in a JSON file.

    python resources/demo/measure_quality.py base
    python resources/demo/measure_quality.py lora --loras loras/shimakaze/base --trigger shim

Epoch and weight are chosen on seeds 0-31, everything else is reported on seeds 32-63.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from dataclasses import asdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]

import torch  # noqa: E402
from quality import shares  # noqa: E402
from quality.painting import Manner, Painter  # noqa: E402

from loramake import files  # noqa: E402

CHOICE_SEEDS, REPORT_SEEDS = range(32), range(32, 64)
NEARLY = 0.1  # epochs and weights so close to the best by name alone are tried with other wishes too


def percent(value: float) -> str:
    """0.5 as " 50 %"."""
    return f"{100 * value:5.1f} %"


def line(name: str, figures: dict[str, float]) -> str:
    """One row of a table."""
    return f"{name:<34}" + "  ".join(f"{k} {percent(v)}" for k, v in figures.items())


def lora_files(folder: Path, only: list[int] | None) -> dict[int, Path]:
    """The files of ``NAME-000001.safetensors`` by epoch; ``only`` those where given.

    Raises:
        SystemExit: none there.
    """
    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        number = re.search(r"-(\d{6})\.safetensors$", path.name)
        if number and (only is None or int(number[1]) in only):
            found[int(number[1])] = path
    if not found:
        raise SystemExit(f"{folder}: no LoRA files named like shimakaze-000001.safetensors")
    return found


def measure_base(options: argparse.Namespace, manner: Manner) -> dict[str, object]:
    """The base on unseen prompts."""
    result = shares.base_obedience(Painter(options.base, [], manner), options.prompts, options.pictures)
    print(f"base model, {options.prompts} prompts it never saw")
    for field, share in result["obeyed"].items():
        print(f"  {field:<12} obeyed {percent(share)}")
    print("  " + line("signature without asking", result["signature"]))
    return result


def measure_lora(options: argparse.Namespace, manner: Manner) -> dict[str, object]:
    """Epoch and weight chosen, then the character alone, at weight 0, and with other wishes."""
    found = lora_files(options.loras, options.epochs)
    epochs = list(found)
    painter = Painter(options.base, list(found.values()), manner)
    table = shares.by_epoch(painter, options.trigger, epochs, options.weights, CHOICE_SEEDS)
    for row in table:
        print(line(f"epoch {row['epoch']:>3}, weight {row['weight']:g}, seeds 0-31", row["signature"]))
    most = max(row["signature"]["all"] for row in table)
    for row in table:
        # she must come by her name alone, and stay when something else is asked for too
        if row["signature"]["all"] > most - NEARLY:
            place = epochs.index(row["epoch"])
            row["wishes_kept"] = shares.wishes_kept(painter, options.trigger, place, row["weight"], CHOICE_SEEDS[:8])
            print(f"epoch {row['epoch']:>3}, weight {row['weight']:g}, wishes kept {percent(row['wishes_kept'])}")
    # Among equals the earliest epoch and the lowest weight leave the base most freedom.
    best = max(
        (row for row in table if "wishes_kept" in row),
        key=lambda row: (row["signature"]["all"] + row["wishes_kept"], -row["epoch"], -row["weight"]),
    )
    lora, weight = epochs.index(best["epoch"]), best["weight"]
    print(f"chosen: epoch {best['epoch']}, weight {weight:g}")
    alone = shares.trigger_alone(painter, options.trigger, lora, weight, REPORT_SEEDS, options.pictures)
    nothing = shares.trigger_alone(painter, options.trigger, lora, 0.0, range(64), options.pictures)
    first = shares.trigger_alone(painter, options.trigger, 0, weight, REPORT_SEEDS)
    print(line("trigger alone, seeds 32-63", alone))
    print(line("weight 0, seeds 0-63", nothing))
    print(line(f"first epoch ({epochs[0]}), seeds 32-63", first))
    seeds = REPORT_SEEDS[: options.wish_seeds]
    wishes = shares.other_wishes(painter, options.trigger, lora, weight, seeds, options.pictures)
    for wish in wishes:
        print(line(f"  {wish['tags']}", {k: wish[k] for k in ("obeyed", "signature", "both", "base")}))
    fields = shares.by_field(wishes)
    for field, figures in fields.items():
        print(line(f"other {field}", figures))
    return {
        "trigger": options.trigger,
        "choice": table,
        "epoch": best["epoch"],
        "weight": weight,
        "trigger_alone": alone,
        "weight_0": nothing,
        "first_epoch": first,
        "first_to_best": first["all"] / max(alone["all"], 1e-9),
        "wish_seeds": [seeds[0], seeds[-1]],
        "wishes": wishes,
        "by_field": fields,
    }


def write(path: Path, part: str, figures: dict[str, object]) -> None:
    """Put ``figures`` under ``part`` of the JSON file, leaving the other part as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    content[part] = figures
    files.write_text(path, json.dumps(content, indent=1) + "\n")
    print(f"{path}: {part}")


def main() -> None:
    """Measure what is named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("part", choices=("base", "lora"))
    parser.add_argument("--base", type=Path, default=HERE / "base.safetensors")
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--loras", type=Path, help="folder with one LoRA file per epoch")
    parser.add_argument("--trigger", default="shim")
    parser.add_argument("--epochs", type=int, nargs="+", help="only these (default: all)")
    parser.add_argument("--weights", type=float, nargs="+", default=[0.6, 0.8, 1.0])
    parser.add_argument("--wish-seeds", type=int, default=16, help="seeds from 32 on for the other wishes, at most 32")
    parser.add_argument("--sampler", default=Manner.sampler)
    parser.add_argument("--steps", type=int, default=Manner.steps)
    parser.add_argument("--cfg-scale", type=float, default=Manner.cfg_scale)
    parser.add_argument("--clip-skip", type=int, default=Manner.clip_skip)
    parser.add_argument("--width", type=int, default=Manner.width)
    parser.add_argument("--height", type=int, default=Manner.height)
    parser.add_argument("--batch-size", type=int, default=Manner.batch_size)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pictures", type=Path, help="folder for the pictures, to look at or to label")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/quality.json"))
    options = parser.parse_args()
    if options.part == "lora" and not options.loras:
        parser.error("lora needs --loras, the folder with one LoRA file per epoch")
    torch.set_num_threads(options.threads)
    manner = Manner(**{name: getattr(options, name) for name in Manner.__dataclass_fields__})
    start = time.process_time()
    figures = {"base": measure_base, "lora": measure_lora}[options.part](options, manner)
    seconds = round(time.process_time() - start)
    write(options.out, options.part, {"manner": asdict(manner), "cpu_seconds": seconds, **figures})


if __name__ == "__main__":
    main()
