"""Cost of the dataset stages: many large pictures against a plain re-encoding loop, and a run after one edit.

python benchmarks/dataset_stages.py speed [--count 2000] [--cores 2]
python benchmarks/dataset_stages.py rerun [--count 300]

`speed` prints wall and CPU seconds of a single-process Pillow loop (decode, on white, encode in the same format at the
same settings) and of `snakemake dataset/bench`, and the peak memory of the latter. `rerun` prints CPU seconds of the
first run, of one after one raw picture was edited (a JPEG, then a transparent PNG), and of one with nothing changed.
--keep FOLDER keeps the pictures in a folder and uses those that are there.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from main_job import REPOSITORY, resident_bytes
from PIL import Image
from tqdm import tqdm

sys.path.insert(0, str(REPOSITORY / "resources" / "demo"))

from drawing import draw, random_attributes  # noqa: E402

JPEG_QUALITY, PNG_LEVEL = 95, 3  # what cleaning uses
TAGS = ("blonde hair", "blue eyes", "smile", "sitting", "hat", "night", "sky", "standing", "dress", "indoors")


def make_picture(folder: Path, number: int, seed: int = 0) -> None:
    """One drawing of 1 to 4 megapixels with a little grain, and its tags: half PNG (a third with alpha), half JPEG."""
    rng = random.Random(f"{number} {seed}")
    megapixels, aspect = rng.uniform(1, 4), rng.choice((0.66, 0.75, 1.0, 1.33))
    width, height = round((megapixels * 1e6 * aspect) ** 0.5), round((megapixels * 1e6 / aspect) ** 0.5)
    small = (round(288 * aspect**0.5), round(288 / aspect**0.5))
    kind = rng.choice(("jpg", "jpg", "jpg", "png", "png", "alpha" if number % 4 else "opaque"))
    image = draw(random_attributes(rng), small, number, transparent=kind == "alpha")
    pixels = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC)).astype(np.int16)
    grain = np.random.default_rng(number).normal(0, 1.5, (512, 512, 1)).astype(np.int16)
    repeats = (height // 512 + 1, width // 512 + 1, 1)
    pixels[..., :3] += np.tile(grain, repeats)[:height, :width]
    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    if kind == "jpg":
        image.save(folder / f"{number}.jpg", quality=JPEG_QUALITY, subsampling=0)
    else:
        image = image.convert("RGBA") if kind == "opaque" else image
        image.save(folder / f"{number}.png", compress_level=PNG_LEVEL)
    (folder / f"{number}.txt").write_text(", ".join(["bench girl", "1girl", "solo", *rng.sample(TAGS, 4)]))


def make_pictures(folder: Path, count: int) -> None:
    """`count` pictures in `folder`; those that are there stay."""
    folder.mkdir(parents=True, exist_ok=True)
    there = {path.stem for path in folder.glob("*.txt")}
    missing = [number for number in range(1, count + 1) if str(number) not in there]
    with ProcessPoolExecutor(2) as pool:
        waiting = [pool.submit(make_picture, folder, number) for number in missing]
        for done in tqdm(waiting, desc="draw", disable=not waiting):
            done.result()


def make_house(folder: Path, raw: Path) -> None:
    """The workflow's files and a config for one character `bench` in `folder`."""
    for name in ("Snakefile", "rules", "workflow", "config", "profiles", "envs", "loramake"):
        source, target = REPOSITORY / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("edits", "__pycache__"), dirs_exist_ok=True)
        else:
            shutil.copy(source, target)
    character = {"tag": "bench girl", "trigger": "bench", "raw_dir": str(raw)}
    # YAML reads JSON
    (folder / "config/config.yaml").write_text(json.dumps({"characters": {"bench": character}}))


def run_stages(folder: Path, cores: int) -> dict[str, object]:
    """`snakemake dataset/bench`: wall and CPU seconds, peak memory in GB, whether nothing was to be done."""
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "dataset/bench"]
    before, start, peak = os.times(), time.monotonic(), 0
    with (folder / "run.log").open("w+") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        while process.poll() is None:
            peak = max(peak, resident_bytes(process.pid))
            time.sleep(0.2)
        log.seek(0)
        output = log.read()
    if process.returncode:
        raise SystemExit(output[-4000:])
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    wall = time.monotonic() - start
    return {"wall_s": round(wall, 1), "cpu_s": round(cpu, 1), "peak_gb": round(peak / 1e9, 2),
            "nothing_to_do": "Nothing to be done" in output}  # fmt: skip


def reencode(raw: Path, out: Path) -> dict[str, float]:
    """The plain loop: wall and CPU seconds."""
    out.mkdir()
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
    for path in sorted(raw.glob("*.*g")):
        with Image.open(path) as image:
            image.load()
            flat = image
            if image.mode == "RGBA":
                flat = Image.new("RGB", image.size, "white")
                flat.paste(image, mask=image.getchannel("A"))
            if path.suffix == ".jpg":
                flat.convert("RGB").save(out / path.name, quality=JPEG_QUALITY, subsampling=0)
            else:
                flat.convert("RGB").save(out / path.name, compress_level=PNG_LEVEL)
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": round(time.monotonic() - start, 1), "cpu_s": round(cpu, 1)}


def speed(folder: Path, raw: Path, cores: int) -> None:
    """The loop and the stages on the same pictures."""
    sizes = [path.stat().st_size for path in raw.glob("*.*g")]
    print(f"{len(sizes)} pictures, {sum(sizes) / 1e9:.2f} GB")
    shutil.rmtree(folder / "loop", ignore_errors=True)
    loop = reencode(raw, folder / "loop")
    shutil.rmtree(folder / "loop")
    print("loop  ", loop, flush=True)
    stages = run_stages(folder / "house", cores)
    print("stages", stages)
    share, work = stages["wall_s"] / loop["wall_s"], stages["cpu_s"] / loop["cpu_s"]
    print(f"wall {share:.2f}, CPU {work:.2f} of the loop's; wanted: wall at most 0.65, at most 1.5 GB")


def rerun(folder: Path, raw: Path, cores: int) -> None:
    """A first run, one after each of two edits, one with nothing changed."""
    print("first  ", run_stages(folder / "house", cores), flush=True)
    jpeg = next(iter(sorted(raw.glob("*.jpg"))))
    alpha = next(path for path in sorted(raw.glob("*.png")) if Image.open(path).getextrema()[-1][0] == 0)
    for edited in (jpeg, alpha):
        kept = edited.read_bytes()
        image = Image.open(edited)
        image.load()
        image.paste((200, 30, 30) if image.mode == "RGB" else (200, 30, 30, 255), (40, 40, 90, 90))
        image.save(edited, quality=JPEG_QUALITY, subsampling=0, compress_level=PNG_LEVEL)
        result = run_stages(folder / "house", cores)
        print(f"{edited.name} edited", result, "wanted: at most 6 s of CPU", flush=True)
        print("nothing", run_stages(folder / "house", cores), "wanted: at most 4 s of CPU", flush=True)
        edited.write_bytes(kept)


def main() -> None:
    """Make the pictures and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["speed", "rerun"])
    parser.add_argument("--count", type=int)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.keep or Path(temporary)).resolve()
        raw = folder / "raw"
        make_pictures(raw, options.count or {"speed": 2000, "rerun": 300}[options.what])
        shutil.rmtree(folder / "house", ignore_errors=True)
        (folder / "house").mkdir()
        make_house(folder / "house", raw)
        {"speed": speed, "rerun": rerun}[options.what](folder, raw, options.cores)


if __name__ == "__main__":
    main()
