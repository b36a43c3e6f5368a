"""loramake's trainer beside kohya's sd-scripts, on a CPU: the same checkpoint, pictures, settings and batches.

python benchmarks/kohya.py speed CHECKOUT --python KOHYA_PYTHON    # tiny model: steps a second, each step's loss
python benchmarks/kohya.py full CHECKOUT --python KOHYA_PYTHON     # SD1.5's size, 512 px: steps a second, memory
python benchmarks/kohya.py agree CHECKOUT --python KOHYA_PYTHON --dataset dataset/shimakaze    # files and metadata

CHECKOUT is a folder of sd-scripts (0.8.7), KOHYA_PYTHON an interpreter with what it needs and the same torch as here.
Weights are random and made here. Both trainers run in processes of their own, in turn, from a warm file cache; kohya's
is watched, not changed (`kohyarun.py`), and ours is fed with what its steps drew (`ourrun.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from kohyaground import FULL, HOUSE, TINY, Scale, our_settings, prepare

LOSS_LIMIT = 5e-6


def main() -> None:
    """Run what was asked for and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["speed", "full", "agree"])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--python", default=sys.executable, help="kohya's interpreter")
    parser.add_argument("--runs", type=int, help="of each trainer, in turn (5, full: 1)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, help="of a run (57, full: 2)")
    parser.add_argument("--rank", type=int, help="network_dim (8, full: 128)")
    parser.add_argument("--dataset", type=Path, help="a folder of N_name folders instead of our own few pictures")
    parser.add_argument("--work", type=Path, help="keep what is made here in this folder, and use what is there")
    options = parser.parse_args()
    scale = FULL if options.part == "full" else TINY
    scale = replace(scale, rank=options.rank or scale.rank, steps=options.steps or scale.steps)
    os.environ.update(OMP_NUM_THREADS=str(options.threads), TOKENIZERS_PARALLELISM="false", HF_HUB_OFFLINE="1")
    with tempfile.TemporaryDirectory() as place:
        ground = options.work or Path(place)
        ground.mkdir(parents=True, exist_ok=True)
        if options.dataset:
            (ground / "dataset").symlink_to(options.dataset.resolve())
        prepare(ground, scale)
        if options.part == "agree":
            agree(ground, replace(scale, steps=1), options.checkout, options.python)
            return
        pairs = []
        for number in range(options.runs or (1 if options.part == "full" else 5)):
            theirs = run_kohya(ground, scale, options.checkout, options.python, options.threads)
            ours = run_ours(ground, scale, options.threads)
            pairs.append((ours, theirs))
            print(describe(ours, theirs, scale, f"run {number + 1}: "), flush=True)
    ratios = [seconds(theirs, scale) / seconds(ours, scale) for ours, theirs in pairs]
    memory = statistics.median(ours["peak_kib"] / theirs["peak_kib"] for ours, theirs in pairs)
    print(f"steps a second: {statistics.median(ratios):.2f} x kohya's, peak memory {memory:.2f} x (medians)")
    worst = max(loss_difference(ours, theirs) for ours, theirs in pairs)
    start = statistics.median(start_seconds(ours) for ours, _ in pairs)
    print(f"start to the end of ours' first step: {start:.2f} s of CPU time beyond the imports (median)")
    print(f"largest difference of a step's loss: {worst:.1e} (limit {LOSS_LIMIT})")
    if worst > LOSS_LIMIT:
        raise SystemExit("the losses differ: not the same training")


def run_kohya(ground: Path, scale: Scale, checkout: Path, python: str, threads: int) -> dict:
    """One training by kohya's trainer; its report. What its steps drew lands in `drawn` for ours."""
    switches = {"enable_bucket", "bucket_no_upscale", "shuffle_caption"}
    renamed = {"resolution": f"{scale.side},{scale.side}"}
    # the rate of neither part, but the metadata has it: ours names the U-Net's there
    settings = {**our_settings(scale), **renamed, "learning_rate": our_settings(scale)["unet_lr"]}
    arguments = [f"--{key}={value}" for key, value in settings.items() if key not in switches]
    arguments += ["--enable_bucket", "--sdpa", "--cache_latents", "--max_data_loader_n_workers=0"]
    arguments += [f"--pretrained_model_name_or_path={ground / 'base.safetensors'}", "--network_module=networks.lora"]
    arguments += [f"--train_data_dir={ground / 'dataset'}", f"--output_dir={ground / 'kohya'}", "--output_name=kohya"]
    arguments += [f"--tokenizer_cache_dir={ground / 'tokenizers'}", "--caption_extension=.txt"]
    arguments += ["--save_model_as=safetensors", "--optimizer_type=AdamW"]
    wishes = {"checkout": str(checkout.resolve()), "sizes": scale.sizes, "record": str(ground / "drawn")}
    return run(ground, python, "kohyarun.py", {**wishes, "arguments": arguments, "threads": threads})


def run_ours(ground: Path, scale: Scale, threads: int) -> dict:
    """One training by ours, fed with what kohya's drew; its report."""
    shutil.rmtree(ground / "runs", ignore_errors=True)  # or it would be found finished
    wishes = {"dataset": "dataset", "latents": "latents", "out": "ours", "runs": "runs"}
    wishes |= {"replay": "drawn", "base": "base.safetensors"}
    paths = {key: str(ground / value) for key, value in wishes.items()}
    return run(ground, sys.executable, "ourrun.py", {**paths, "settings": our_settings(scale), "threads": threads})


def run(ground: Path, python: str, script: str, wishes: dict) -> dict:
    """Run one trainer in its own process and read its report."""
    name = script.removesuffix(".py")
    report, log = ground / f"{name}.report.json", ground / f"{name}.log"
    report.unlink(missing_ok=True)
    asked = ground / f"{name}.json"
    asked.write_text(json.dumps({**wishes, "report": str(report)}), encoding="utf-8")
    with open(log, "w") as output:
        code = subprocess.call([python, str(HOUSE / "benchmarks" / script), str(asked)], stdout=output, stderr=output)
    if code:
        raise SystemExit(f"{script} failed:\n{log.read_text()[-3000:]}")
    return json.loads(report.read_text(encoding="utf-8"))


def agree(ground: Path, scale: Scale, checkout: Path, python: str) -> None:
    """One step by each: their files' metadata, and kohya's own code on our file."""
    from safetensors import safe_open

    run_kohya(ground, scale, checkout, python, 1)
    run_ours(ground, scale, 1)
    ours = sorted((ground / "ours").glob("*.safetensors"))[-1]
    found = []
    for path in (ours, ground / "kohya/kohya.safetensors"):
        with safe_open(path, "pt") as file:
            found.append(({name: file.get_slice(name).get_shape() for name in file.keys()}, file.metadata()))  # noqa: SIM118
    (our_shapes, our_words), (their_shapes, their_words) = found
    print(f"tensors: names and shapes {'equal' if our_shapes == their_shapes else 'DIFFER'}, {len(our_shapes)}")
    print(f"metadata: {sum(our_words.get(key) == value for key, value in their_words.items())} keys equal; others:")
    for key in sorted(our_words.keys() | their_words.keys()):
        pair = [words.get(key, "(none)") for words in (our_words, their_words)]
        # JSON may be spelled with the keys in another order
        if pair[0] != pair[1] and not (pair[0][0] == "{" == pair[1][0] and json.loads(pair[0]) == json.loads(pair[1])):
            print(f"  {key}: ours {pair[0][:70]}, kohya's {pair[1][:70]}")
    wishes = {"checkout": str(checkout.resolve()), "sizes": scale.sizes, "ours": str(ours)}
    checks = run(ground, python, "kohyaread.py", {**wishes, "base": str(ground / "base.safetensors")})
    for name, holds in checks.items():
        print(f"{'agrees' if holds else 'DIFFERS'}: {name}")


def seconds(report: dict, scale: Scale) -> float:
    """Wall time of a step after the first few."""
    times = report["wall"]
    return (times[-1] - times[scale.warm - 1]) / (len(times) - scale.warm)


def start_seconds(report: dict) -> float:
    """CPU time from the interpreter's start to the end of the first step, without importing the three libraries."""
    return report["cpu"][0] - report["imports_cpu"]


def loss_difference(ours: dict, theirs: dict) -> float:
    """The largest over all steps."""
    return max(abs(a - b) for a, b in zip(ours["losses"], theirs["losses"], strict=True))


def describe(ours: dict, theirs: dict, scale: Scale, head: str) -> str:
    """Both in one line."""
    both = [f"{seconds(r, scale):.3f} s/step, {r['peak_kib'] / 2**20:.2f} GiB" for r in (ours, theirs)]
    return f"{head}ours {both[0]}; kohya's {both[1]}; losses differ by {loss_difference(ours, theirs):.1e}"


if __name__ == "__main__":
    main()
