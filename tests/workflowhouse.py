"""A checkout on its own, with six small pictures and a tiny random model, in which tests run the real workflow."""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from PIL import Image, ImageDraw

CHECKOUT = Path(__file__).resolve().parents[1]

# root may write everywhere, so tests of permissions run without that privilege
UNPRIVILEGED = (
    ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"]
    if os.geteuid() == 0 and shutil.which("setpriv")
    else []
)

CONFIG = {
    "base_model": "models/tiny",
    "device": "cpu",
    "characters": {"shim": {"tag": "shimakaze (azur lane)", "trigger": "shim", "raw_dir": "downloads"}},
    "screen": {"min_side": 32},
    "dataset": {"repeats": "auto", "target_steps": 12},
    "train": {
        "resolution": 64,
        "min_bucket_reso": 64,
        "max_bucket_reso": 128,
        "bucket_reso_steps": 32,
        "network_dim": 2,
        "network_alpha": 2,
        "unet_lr": 0.1,
        "train_batch_size": 2,
        "max_train_epochs": 2,
        "mixed_precision": "no",
    },
    "grid": {
        "prompts": ["{trigger}, 1girl"],
        "negative_prompt": "",
        "seeds": [1],
        "weights": "0, 1",
        "steps": 2,
        "width": 64,
        "height": 64,
    },
}

TAGS = ["blonde hair", "blue eyes", "red dress", "smile", "sky", "sitting", "hat", "night"]
SIZES = [(80, 80), (96, 72), (72, 96), (100, 80), (80, 100), (180, 72)]

# the rules from raw pictures to the grid, in order
CHAIN = [
    "screen_images",
    "clean_images",
    "normalize_tags",
    "build_dataset",
    "cache_latents",
    "train_lora",
    "render_cells",
    "assemble_base_grid",
]


@dataclass(frozen=True)
class Run:
    """What one call of Snakemake did: its exit status and all that it printed."""

    status: int
    text: str

    @property
    def jobs(self) -> dict[str, int]:
        """Rule → number of jobs in the plan, without the target rule."""
        table = re.search(r"^job +count\n[- ]+\n(.*?)^total", self.text, re.MULTILINE | re.DOTALL)
        rows = dict(line.split() for line in table[1].splitlines()) if table else {}
        return {rule: int(count) for rule, count in rows.items() if rule != "all"}


@dataclass(frozen=True)
class Work:
    """What expensive work has been done in a house so far."""

    steps: int
    encoded: frozenset[str]
    drawn: frozenset[str]

    def since(self, earlier: Work) -> tuple[int, int, int]:
        """Optimizer steps, encoded pictures and drawn cells since `earlier`."""
        return self.steps - earlier.steps, len(self.encoded - earlier.encoded), len(self.drawn - earlier.drawn)


class House:
    """A folder with the workflow's files, its config and its inputs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def found(cls, folder: Path) -> House:
        """A new house: the workflow's files and a config, no inputs yet."""
        for name in ("Snakefile", "rules", "workflow", "config", "profiles", "envs"):
            source, target = CHECKOUT / name, folder / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("edits", "__pycache__"))
            else:
                shutil.copy(source, target)
        (folder / "loramake").symlink_to(CHECKOUT / "loramake", target_is_directory=True)
        house = cls(folder)
        house.write_config()
        return house

    def copy_to(self, folder: Path) -> House:
        """The same house elsewhere, with all that was built and its time stamps."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return House(folder)

    def write_config(self, **sections: dict) -> None:
        """Write config.yaml: CONFIG with some keys of some sections replaced."""
        config = copy.deepcopy(CONFIG)
        for section, values in sections.items():
            config[section] = {**config.get(section, {}), **values} if isinstance(values, dict) else values
        (self.folder / "config/config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")

    def snakemake(self, *arguments: str) -> Run:
        """Run Snakemake here as a user would."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
        done = subprocess.run(
            [*UNPRIVILEGED, sys.executable, "-m", "snakemake", "--cores", "1", *arguments],
            cwd=self.folder,
            env=environment | {"PYTHONUTF8": "1", "SOURCE_DATE_EPOCH": "1700000000"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=600,
            check=False,
        )
        return Run(done.returncode, done.stdout.decode("utf-8", errors="replace"))

    def build(self, *targets: str) -> Run:
        """Run to the end."""
        run = self.snakemake(*targets)
        assert run.status == 0, run.text
        return run

    def plan(self, *targets: str) -> set[str]:
        """The rules that `snakemake -n` lists."""
        run = self.snakemake("-n", *targets)
        assert run.status == 0, run.text
        return set(run.jobs)

    def work(self) -> Work:
        """Count what was trained, encoded and drawn since the house was built, from what the stages left."""
        steps = 0
        for journal in (self.folder / "work/runs").glob("*/work.tsv"):
            steps += sum(int(line.split("\t")[-1]) for line in journal.read_text(encoding="utf-8").splitlines())
        encoded = (self.folder / "work/cache/latents").rglob("*.safetensors")
        drawn = (self.folder / "work/cache/cells").rglob("*.png")
        return Work(steps, frozenset(path.name for path in encoded), frozenset(path.name for path in drawn))


def draw_picture(path: Path, number: int) -> None:
    """A seeded picture of shapes and its tag file; different numbers look different."""
    random = np.random.default_rng(number)
    size = SIZES[number % len(SIZES)]
    picture = Image.new("RGB", size, tuple(random.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(picture)
    for _ in range(12):
        x, y = (random.random(2) * size).tolist()
        side = 8 + 30 * random.random()
        colour = tuple(random.integers(0, 256, 3).tolist())
        shape = draw.ellipse if random.random() < 0.5 else draw.rectangle
        shape([x, y, x + side, y + side * (0.5 + random.random())], fill=colour)
    picture.save(path)
    tags = ["shimakaze (azur lane)", "1girl", "solo", "highres", TAGS[number % 8], TAGS[(number * 3 + 1) % 8]]
    path.with_suffix(".txt").write_text(", ".join(tags), encoding="utf-8")


def write_tiny_model(folder: Path) -> None:
    """A random SD1-type model of about a million weights, as a folder in diffusers layout."""
    from theirmodels import as_diffusers
    from tinymodels import tiny_models

    models = as_diffusers(tiny_models())
    for part in ("unet", "vae", "text_encoder"):
        getattr(models, part).save_pretrained(folder / part)
