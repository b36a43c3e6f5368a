"""Kill real training processes at random moments, let them end, and compare with a run that was left alone.

python benchmarks/kill_training.py --kills 24
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(HOUSE), str(HOUSE / "tests")]

import diffusers.models.unets.unet_2d_condition  # noqa: E402, F401
import tensorboardX  # noqa: E402, F401
import transformers.models.clip  # noqa: E402, F401
from killing import Tally, finish, kill_and_finish, outcome, start  # noqa: E402
from trainable import make_base, make_dataset, make_latents  # noqa: E402

# each of them ends with other files, so each has its own run that is left alone
SETTINGS = [
    {},
    {"optimizer_type": "AdamWScheduleFree", "network_dropout": 0.2},
    {"optimizer_type": "Prodigy", "unet_lr": 1, "optimizer_args": ["d0=1e-4"]},
    {"validation_split": 0.25, "gradient_accumulation_steps": 2, "conv_dim": 2},
]


def main() -> None:
    """Print a line a round; exit with an error where a file differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=24, help="processes to kill, at least")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the random moments")
    options = parser.parse_args()
    draw, tally = random.Random(options.seed), Tally()
    with tempfile.TemporaryDirectory() as place:
        ground = Path(place)
        base = make_base(ground / "base.safetensors")
        make_latents(make_dataset(ground / "dataset"), base, ground / "latents", ground / "cache")
        whole: dict[int, tuple[dict[str, bytes], float]] = {}
        number = 0
        while tally.kills < options.kills:
            kind = number % len(SETTINGS)
            if kind not in whole:
                begin = time.monotonic()
                assert finish(start(ground, ground / f"whole{kind}", **SETTINGS[kind])) == 0
                whole[kind] = outcome(ground / f"whole{kind}"), time.monotonic() - begin
            files, seconds = whole[kind]
            folder = ground / f"killed{number}"
            tensors = 3 * sum(name.endswith(".safetensors") for name in files) * 70
            kill_and_finish(ground, folder, draw, 6, seconds, tensors, tally, **SETTINGS[kind])
            differing = [name for name in files if outcome(folder).get(name) != files[name]]
            print(f"round {number}: {tally.kills} kills, {tally.in_save} in a save; differing: {differing or 'none'}")
            if differing or outcome(folder).keys() != files.keys():
                raise SystemExit(f"files differ (seed {options.seed})")
            number += 1
    print(f"{tally.kills} kills, {tally.in_save} of them in the middle of a save; at most {tally.lost} epochs lost")


if __name__ == "__main__":
    main()
