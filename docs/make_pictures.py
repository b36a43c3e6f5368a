"""Draws the demo's grids of the README anew and saves them as docs/grid.jpg and docs/sweep.jpg.

    python docs/make_pictures.py grid sweep

Run it from the repository's folder, with the demo's config. The sweep is three trainings of three epochs each,
in work/runs beside the ten epochs of the demo. What lies in grids/ afterwards are ordinary targets of the workflow.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).resolve().parent
# a tenth of the demo's learning rate, the demo's own, and four times that
RATES = "unet_lr=5e-4+5e-3+0.02"
SHORT = ["train={max_train_epochs: 3}", 'grid={weights: "0, 0.6, 0.8, 1"}']
WIDTHS = {"grid": 1600, "sweep": 1120}  # px, of the JPEG
QUALITY = 88


def main() -> None:
    """Draw what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pictures", nargs="+", choices=WIDTHS)
    parser.add_argument("--rates", default=RATES, help=f"the sweep in a path's spelling; {RATES}")
    parser.add_argument("--cores", default="1", help="for Snakemake; 1")
    told = parser.parse_args()
    targets = {"grid": "grids/shimakaze.png", "sweep": f"grids/shimakaze/sweep/{told.rates}.png"}
    for name in told.pictures:
        command = [sys.executable, "-m", "snakemake", "--cores", told.cores, targets[name]]
        subprocess.run([*command, *(["--config", *SHORT] if name == "sweep" else [])], cwd=DOCS.parent, check=True)
        save_smaller(DOCS.parent / targets[name], DOCS / f"{name}.jpg", WIDTHS[name])


def save_smaller(sheet: Path, jpeg: Path, width: int) -> None:
    """Save a sheet as JPEG, no wider than `width` px."""
    with Image.open(sheet) as image:
        scale = min(1.0, width / image.width)
        size = (round(image.width * scale), round(image.height * scale))
        image.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(jpeg, quality=QUALITY, optimize=True)


if __name__ == "__main__":
    main()
