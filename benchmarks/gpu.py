"""All measurements that need a graphics card, in one command; it makes its own random weights.

python benchmarks/gpu.py --json gpu.json
python benchmarks/gpu.py --kohya SD-SCRIPTS --python KOHYA_PYTHON       # kohya's trainer beside, on the same card
python benchmarks/gpu.py --tiny --device cpu                            # a dry run without a card

A row whose library is missing (diffusers for all but the ceiling, bitsandbytes, peft) is skipped by name.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[1]
PARTS = ("ceiling", "train", "small", "cells")


def main() -> None:
    """Print a line a measurement, and a table at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--tiny", action="store_true", help="a tiny model and few steps")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 12])
    parser.add_argument("--kohya", type=Path, help="checkout of kohya-ss/sd-scripts 0.8.7")
    parser.add_argument("--python", default=sys.executable, help="kohya's Python")
    parser.add_argument("--json", type=Path, help="file for all figures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        bench = Bench(Path(place), options)
        bench.run()
    if options.json:
        options.json.write_text(json.dumps(bench.found, indent=1) + "\n", encoding="utf-8")
    print("\n| what | measured | wanted |\n|---|---|---|")
    print("\n".join(f"| {' | '.join(row)} |" for row in bench.rows))


class Bench:
    """What was measured so far, and how the next thing is."""

    def __init__(self, ground: Path, options: argparse.Namespace) -> None:
        self.ground, self.options = ground, options
        self.found: dict[str, dict] = {}
        self.rows: list[tuple[str, str, str]] = []
        tiny = options.tiny
        self.shared = {"device": options.device, "tiny": tiny, "ground": str(ground), "side": 128 if tiny else 512}
        self.shared |= {"warm": 1 if tiny else 8, "steps": 2 if tiny else 30, "rank": 4 if tiny else 128}

    def run(self) -> None:
        """All parts that were asked for."""
        parts = self.options.parts
        if "ceiling" in parts and (made := self.measure("ceiling", matrix=256 if self.options.tiny else 8192)):
            self.rows.append(("bf16 matrix product", f"{made['tflops']:.3g} TFLOP/s", ""))
        if {"train", "small", "cells"} & set(parts) and self.measure("base"):
            for batch in self.options.batches if "train" in parts else ():
                self.train(batch)
            if "small" in parts:
                self.small()
            if "cells" in parts:
                self.cells()

    def measure(self, part: str, title: str = "", **wishes: object) -> dict | None:
        """One part in a process of its own; None where it could not run, which becomes a row."""
        asked = self.ground / "wishes.json"
        asked.write_text(json.dumps({**self.shared, **wishes, "part": part}), encoding="utf-8")
        command = [sys.executable, str(HOUSE / "benchmarks/gpupart.py"), str(asked)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            found = {"missing": (done.stderr.strip().splitlines() or ["it was ended"])[-1]}
        else:
            found = json.loads(done.stdout.splitlines()[-1])
        return self.note(title or part, found)

    def note(self, title: str, found: dict) -> dict | None:
        """Keep what was found."""
        self.found[title] = found
        print(
            f"{title}: " + ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in found.items())
        )
        if "missing" in found:
            self.rows.append((title, f"skipped: {found['missing']}", ""))
            return None
        return found

    def settings(self, batch: int, **changes: object) -> dict[str, object]:
        """The `train` section of a measurement; kohya's arguments are made from it."""
        side, tiny = self.shared["side"], self.options.tiny
        return {
            "resolution": side,
            "min_bucket_reso": 64,
            "max_bucket_reso": 2 * side,
            "network_dim": 4 if tiny else 128,
            "network_alpha": 1,
            "unet_lr": 1e-4,
            "text_encoder_lr": 5e-5,
            "lr_scheduler": "constant",
            "train_batch_size": batch,
            "max_train_steps": self.shared["warm"] + self.shared["steps"],
            "clip_skip": 2,
            "max_token_length": 150,
            "mixed_precision": "bf16",
            "save_precision": "fp16",
            "seed": 1337,
            **changes,
        }

    def train(self, batch: int) -> None:
        """Images a second and memory of one batch size, kohya's beside where there is a checkout."""
        title = f"training, batch {batch}"
        ours = self.measure("train", title, settings=self.settings(batch))
        if not ours:
            return
        share = ""
        if ceiling := self.found.get("ceiling", {}).get("tflops"):
            share = f", {100 * ours['tflop_per_step'] / ours['seconds'] / ceiling:.0f} % of the ceiling"
        speed = f"{ours['images_per_second']:.2f} images/s{share}"
        self.rows.append((title, f"{speed}, {ours['allocated']:.2f} GiB", "25 % of the ceiling" if batch > 4 else ""))
        if self.options.kohya and (theirs := self.note(f"{title}, kohya", self.kohya(batch))):
            times, memory = (ours[k] / theirs[k] for k in ("images_per_second", "allocated"))
            wanted = "2 x, at most 1 x" if batch <= 4 else "1.5 x, at most 1 x"
            self.rows.append((f"{title}: against kohya's", f"{times:.2f} x as fast, {memory:.2f} x memory", wanted))

    def kohya(self, batch: int) -> dict:
        """The same training by kohya's trainer."""
        from kohyaground import TINY

        given = self.settings(batch, learning_rate=1e-4, resolution=f"{self.shared['side']},{self.shared['side']}")
        arguments = [f"--{key}={value}" for key, value in given.items()]
        arguments += ["--enable_bucket", "--sdpa", "--cache_latents", "--max_data_loader_n_workers=2"]
        arguments += ["--network_module=networks.lora", "--output_name=kohya", "--optimizer_type=AdamW"]
        paths = {"pretrained_model_name_or_path": "base.safetensors", "train_data_dir": "dataset"}
        paths |= {"output_dir": "kohya", "tokenizer_cache_dir": "tokenizers"}
        arguments += [f"--{key}={self.ground / path}" for key, path in paths.items()]
        arguments += ["--caption_extension=.txt", "--save_model_as=safetensors", "--persistent_data_loader_workers"]
        asked, report = self.ground / "kohyarun.json", self.ground / "kohya.report.json"
        wishes = {"checkout": str(self.options.kohya.resolve()), "sizes": TINY.sizes if self.options.tiny else {}}
        wishes |= {"arguments": arguments, "threads": 4, "report": str(report)}
        asked.write_text(json.dumps(wishes), encoding="utf-8")
        report.unlink(missing_ok=True)
        command = [self.options.python, str(HOUSE / "benchmarks/kohyarun.py"), str(asked)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            return {"missing": (done.stderr.strip().splitlines() or ["it was ended"])[-1]}
        told = json.loads(report.read_text(encoding="utf-8"))
        warm = self.shared["warm"]
        seconds = (told["wall"][-1] - told["wall"][warm - 1]) / (len(told["wall"]) - warm)
        held = told.get("cuda_allocated", told["peak_kib"] * 1024) / 2**30
        return {"images_per_second": batch / seconds, "seconds": seconds, "allocated": held}

    def small(self) -> None:
        """The settings for cards of 6 to 8 GB."""
        changes = {"gradient_checkpointing": True, "optimizer_type": "AdamW8bit"}
        title = "batch 1, gradient checkpointing, AdamW8bit"
        if made := self.measure("train", title, settings=self.settings(1, **changes)):
            held = (made["reserved"] + made["context"]) * 1.073741824
            self.rows.append((f"{title}: reserved memory + CUDA context", f"{held:.2f} GB", "at most 5.5 GB"))

    def cells(self) -> None:
        """Cells of a grid against diffusers' own pipeline."""
        tiny = self.options.tiny
        wishes = {"loras": 2 if tiny else 8, "sampling_steps": 2 if tiny else 20, "cell_batch": 4 if tiny else 16}
        if made := self.measure("cells", "cells", **wishes, pipeline_cells=2 if tiny else 8):
            both = f"{made['ours']:.2f} against {made['pipeline']:.2f} cells/s: {made['ours'] / made['pipeline']:.2f} x"
            self.rows.append(("cells, against diffusers' pipeline with the LoRA fused for each", both, "4 x"))


if __name__ == "__main__":
    main()
