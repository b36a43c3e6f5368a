"""One training by loramake, watched: run by `kohya.py` from a JSON file of wishes.

python benchmarks/ourrun.py WISHES.json

With `replay` each step is fed with what kohya's trainer drew, and the LoRA begins as its did; our own batches are made
all the same, and their cost counts.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main(wishes_file: str) -> None:
    """Train as the wishes say and write the report: step times, losses, CPU seconds of the imports, peak memory."""
    wishes = json.loads(Path(wishes_file).read_text(encoding="utf-8"))
    import torch  # noqa: F401

    report = {"imports_cpu": time.process_time(), "losses": [], "wall": [], "cpu": []}
    from loramake.training import train_lora

    if wishes.get("replay"):
        _replay(wishes["replay"])
    _watch(report)
    train_lora(
        Path(wishes["dataset"]),
        Path(wishes["latents"]),
        Path(wishes["out"]),
        Path(wishes["runs"]),
        name="ours",
        base_model=wishes["base"],
        device="cpu",
        threads=wishes["threads"],
        **wishes["settings"],
    )
    report["losses"] = [loss.item() for loss in report["losses"]]
    report["peak_kib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    Path(wishes["report"]).write_text(json.dumps(report), encoding="utf-8")


def _watch(report: dict[str, list]) -> None:
    """Note each step's loss and the moment after it."""
    from loramake.trainer import Trainer

    step = Trainer._step

    def noting(self: Trainer, *arguments: object) -> tuple:
        loss, norm = step(self, *arguments)
        report["losses"].append(loss)
        report["wall"].append(time.perf_counter())
        report["cpu"].append(time.process_time())
        return loss, norm

    Trainer._step = noting


def _replay(record: str) -> None:
    """Feed the recorded batches, in order, and begin with the recorded LoRA."""
    import torch

    from loramake import trainmodel
    from loramake.stepping import Batch
    from loramake.trainfeed import Feed

    recorded = iter(torch.load(record))
    begun = torch.load(record + ".lora")
    make, attach = Feed._batch, trainmodel.attach

    def fed(self: Feed, items: object, epoch: int) -> Batch:
        own = make(self, items, epoch)
        drawn = next(recorded, None)
        return Batch(**drawn) if drawn else own

    def attached(*models: object, **options: object) -> object:
        network = attach(*models, **options)
        network.load(begun)
        return network

    Feed._batch, trainmodel.attach = fed, attached


if __name__ == "__main__":
    main(sys.argv[1])
