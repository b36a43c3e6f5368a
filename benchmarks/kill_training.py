"""Kill real training processes at random moments, let them end, and compare with a run that was left alone.

python benchmarks/kill_training.py --kills 24
python benchmarks/kill_training.py --workflow --kills 4      # the whole process group of `snakemake`
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(HOUSE), str(HOUSE / "tests")]

import tensorboardX  # noqa: E402, F401
from killing import Tally, finish, kill_and_finish, outcome, start  # noqa: E402
from trainable import make_ground  # noqa: E402
from workflowhouse import House, draw_picture, write_tiny_model  # noqa: E402

# each of them ends with other files, so each has its own run that is left alone
SETTINGS = [
    {},
    {"optimizer_type": "AdamWScheduleFree", "network_dropout": 0.2},
    {"optimizer_type": "Prodigy", "unet_lr": 1, "optimizer_args": ["d0=1e-4"]},
    {"validation_split": 0.25, "gradient_accumulation_steps": 2, "conv_dim": 2},
]


EPOCHS = 40  # of the workflow that is killed


def newest_state(folder: Path) -> int:
    """The last epoch of which a state is saved; 0 for none."""
    found = folder.glob("work/runs/*/state-*.safetensors")
    return max((int(path.stem.rpartition("-")[2]) for path in found), default=0)


def outputs(folder: Path) -> dict[str, bytes]:
    """A run's files, without TensorBoard's events, which hold clock times."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith("events.")}


def kill_processes(kills: int, draw: random.Random) -> Tally:
    """Kill training processes; what they leave must come out as if nothing had happened."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as place:
        ground = make_ground(Path(place))
        whole: dict[int, tuple[dict[str, bytes], float]] = {}
        number = 0
        while tally.kills < kills:
            kind = number % len(SETTINGS)
            if kind not in whole:
                begin = time.monotonic()
                assert finish(start(ground, ground / f"whole{kind}", **SETTINGS[kind])) == 0
                whole[kind] = outcome(ground / f"whole{kind}"), time.monotonic() - begin
            files, seconds = whole[kind]
            folder = ground / f"killed{number}"
            tensors = 3 * sum(name.endswith(".safetensors") for name in files) * 70
            kill_and_finish(ground, folder, draw, 6, seconds, tensors, tally, **SETTINGS[kind])
            compare(files, outcome(folder), f"round {number}: {tally.kills} kills, {tally.in_save} in a save")
            number += 1
    return tally


def kill_workflow(kills: int, draw: random.Random) -> Tally:
    """Kill Snakemake with all its jobs while it trains, and do what the README says: unlock, and run it again."""
    tally, target = Tally(), "loras/shim/base"
    with tempfile.TemporaryDirectory() as place:
        ground = Path(place)
        (ground / "first/downloads").mkdir(parents=True)
        house = House.found(ground / "first")
        house.write_config(train={"max_train_epochs": EPOCHS})
        write_tiny_model(house.folder / "models/tiny")
        for number in range(6):
            draw_picture(house.folder / "downloads" / f"{number}.png", number)
        house.build("work/latents/shim")
        copy = house.copy_to(ground / "killed")
        house.build(target)
        for _ in range(kills):
            before = newest_state(copy.folder)
            run = subprocess.Popen(
                [sys.executable, "-m", "snakemake", "--cores", "1", target],
                cwd=copy.folder,
                env=os.environ | {"PYTHONUTF8": "1", "SOURCE_DATE_EPOCH": "1700000000"},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            while newest_state(copy.folder) < before + 1 and run.poll() is None:
                time.sleep(0.02)
            time.sleep(draw.uniform(0, 0.3))
            if run.poll() is not None:
                raise SystemExit("it ended before it was killed so often: give fewer --kills")
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            tally.kills += 1
            print(f"kill {tally.kills}: after epoch {newest_state(copy.folder)} of {EPOCHS}", flush=True)
            copy.build("--unlock")
        copy.build(target)
        steps = copy.work().steps  # of the last process alone: killed ones leave no note
        print(f"the last process took {steps} of {house.work().steps} optimizer steps")
        files, again = (outputs(place / target) for place in (house.folder, copy.folder))
        compare(files, again, f"snakemake: {tally.kills} kills")
    return tally


def compare(whole: dict[str, bytes], again: dict[str, bytes], title: str) -> None:
    """Print whether the files are equal; end with an error where they are not."""
    differing = [name for name in whole.keys() | again.keys() if whole.get(name) != again.get(name)]
    print(f"{title}; differing: {differing or 'none'}", flush=True)
    if differing:
        raise SystemExit("files differ")


def main() -> None:
    """Print a line a round; exit with an error where a file differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=24, help="processes to kill, at least")
    parser.add_argument("--workflow", action="store_true", help="kill snakemake and all its jobs instead")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the random moments")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    tally = (kill_workflow if options.workflow else kill_processes)(options.kills, random.Random(options.seed))
    print(f"{tally.kills} kills, {tally.in_save} in the middle of a save; at most {tally.repeated} epochs repeated")
    if tally.repeated > 1:
        raise SystemExit("more than one epoch was repeated")


if __name__ == "__main__":
    main()
