"""One measurement of `gpu.py`, in a process of its own; what it found is a line of JSON at the end.

python benchmarks/gpupart.py WISHES.json

What could not be measured says why under "missing": a library by its name, a setting that this machine refuses.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(HOUSE), str(HOUSE / "benchmarks")]

import torch  # noqa: E402

from loramake.errors import LoramakeError  # noqa: E402


def wait(device: str) -> None:
    """Until the card has done what it was told."""
    if device == "cuda":
        torch.cuda.synchronize()


def timed(device: str, work: Callable[[], object], times: int) -> float:
    """Seconds for each of so many calls."""
    wait(device)
    begin = time.perf_counter()
    for _ in range(times):
        work()
    wait(device)
    return (time.perf_counter() - begin) / times


def ceiling(wishes: dict) -> dict[str, float]:
    """TFLOP/s of a square bf16 matrix product, the best of five rounds of ten."""
    side, device = wishes["matrix"], wishes["device"]
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    timed(device, lambda: a @ b, 3)
    seconds = min(timed(device, lambda: a @ b, 10) for _ in range(5))
    return {"tflops": 2 * side**3 / seconds / 1e12}


def base(wishes: dict) -> dict[str, float]:
    """A checkpoint with random weights, and the pictures that kohya's trainer reads."""
    from kohyaground import TINY, TOKENIZER, Scale, make_checkpoint, make_pictures

    ground = Path(wishes["ground"])
    make_checkpoint(ground / "base.safetensors", TINY.sizes if wishes["tiny"] else {})
    side = wishes["side"]
    make_pictures(ground / "dataset", Scale({}, side, ((side, side),) * 24, 0, 12, 100, 0))
    cached = ground / "tokenizers/openai_clip-vit-large-patch14"
    cached.parent.mkdir()
    cached.symlink_to(TOKENIZER)
    return {"bytes": (ground / "base.safetensors").stat().st_size}


def _material(ground: Path, side: int) -> object:
    """The pictures with random latents, so that no VAE has to run."""
    from loramake.checkpoints import save_tensors
    from loramake.latentfiles import TENSOR, LatentFile
    from loramake.trainloop import Material
    from loramake.trainset import read_pictures

    pictures, files = read_pictures(ground / "dataset"), []
    (ground / "latents").mkdir(exist_ok=True)
    for picture in pictures:
        path = ground / "latents" / f"{picture.path.stem}.safetensors"
        if not path.is_file():
            save_tensors(path, {TENSOR: torch.randn(4, side // 8, side // 8)}, {})
        files.append(LatentFile(path, picture.key, "", (side, side), (side, side)))
    return Material(pictures, files, [], str(ground / "base.safetensors"), "", "")


def train(wishes: dict) -> dict[str, float]:
    """Optimizer steps of our trainer: images a second, memory, and the operations of a step."""
    from torch.utils.flop_counter import FlopCounterMode

    from loramake.devices import resolve_precision
    from loramake.recipe import make_recipe
    from loramake.trainloop import set_up

    device, batch = wishes["device"], wishes["settings"]["train_batch_size"]
    where = torch.device(device)
    recipe = make_recipe(wishes["settings"])
    precision = resolve_precision(recipe.mixed_precision, where)
    trainer, _ = set_up(recipe, _material(Path(wishes["ground"]), wishes["side"]), where, precision)

    def endless() -> Iterator[list]:
        for epoch in range(1, 1000):
            yield from trainer.feed.steps(epoch)

    steps = endless()

    def step() -> None:
        trainer._step(next(steps), trainer.base_rates)

    timed(device, step, wishes["warm"])
    seconds = timed(device, step, wishes["steps"])
    report = {"images_per_second": batch / seconds, "seconds": seconds, **_memory(device)}
    with FlopCounterMode(display=False) as counter:
        step()
    return {**report, "tflop_per_step": counter.get_total_flops() / 1e12}


def _memory(device: str) -> dict[str, float]:
    """GiB: most allocated, most reserved, and the context beside it; of a process on the CPU what it held at most."""
    if device != "cuda":
        held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        return {"allocated": held, "reserved": held, "context": 0.0}
    free, total = torch.cuda.mem_get_info()
    context = total - free - torch.cuda.memory_reserved()
    most = (torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved(), context)
    return dict(zip(("allocated", "reserved", "context"), (value / 2**30 for value in most), strict=True))


def _lora_files(wishes: dict, model: object) -> list[Path]:
    from loramake.checkpoints import save_tensors
    from loramake.lora import attach

    network = attach(model.unet, model.text_encoder, rank=wishes["rank"], alpha=1, seed=0)
    files = [Path(wishes["ground"], f"lora-{number}.safetensors") for number in range(wishes["loras"])]
    for file in files:
        for layer in network.layers.values():
            torch.nn.init.normal_(layer.up, std=1e-3)
        save_tensors(file, network.tensors(torch.float16), {})
    network.detach()
    return files


def cells(wishes: dict) -> dict[str, float]:
    """Cells a second, by the bank and by diffusers' pipeline with the LoRA loaded and fused for each cell."""
    import diffusers
    import peft  # noqa: F401  diffusers loads LoRAs through it
    from theirmodels import as_diffusers

    from loramake.bank import load_bank
    from loramake.models import load_sd1
    from loramake.painting import paint
    from loramake.textstates import Request

    device, side = wishes["device"], wishes["side"]
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    model = load_sd1(Path(wishes["ground"], "base.safetensors"), device=device, dtype=dtype)
    files, prompt = _lora_files(wishes, model), "shim, 1girl, solo, red dress, blue sky"
    wanted = list(product(range(len(files)), (0.4, 0.6, 0.8, 1.0), (1, 2)))
    requests = [Request(prompt, "blurry", seed, place, weight) for place, weight, seed in wanted]
    model.vae.float()
    bank = load_bank(model.unet, model.text_encoder, files)
    look = {"sampler": "Euler", "steps": wishes["sampling_steps"], "cfg_scale": 7.0, "width": side, "height": side}
    look |= {"clip_skip": 1, "batch_size": wishes["cell_batch"]}

    timed(device, lambda: list(paint(model, bank, requests, **look)), 1)
    ours = len(requests) / timed(device, lambda: list(paint(model, bank, requests, **look)), 1)
    fresh = as_diffusers(load_sd1(Path(wishes["ground"], "base.safetensors"), device=device, dtype=dtype))
    parts = {"vae": fresh.vae, "text_encoder": fresh.text_encoder, "tokenizer": fresh.tokenizer, "unet": fresh.unet}
    absent = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    scheduler = diffusers.EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    pipeline = diffusers.StableDiffusionPipeline(**parts, **absent, scheduler=scheduler)
    pipeline.set_progress_bar_config(disable=True)
    turns = iter(wanted * 2)

    def draw_one() -> None:
        place, weight, seed = next(turns)
        pipeline.load_lora_weights(str(files[place].parent), weight_name=files[place].name)
        pipeline.fuse_lora(lora_scale=weight)
        size = {"width": side, "height": side, "num_inference_steps": wishes["sampling_steps"]}
        pipeline(prompt, negative_prompt="blurry", generator=torch.Generator().manual_seed(seed), **size)
        pipeline.unfuse_lora()
        pipeline.unload_lora_weights()

    draw_one()
    return {"ours": ours, "pipeline": 1 / timed(device, draw_one, wishes["pipeline_cells"])}


if __name__ == "__main__":
    asked = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    parts = {"ceiling": ceiling, "base": base, "train": train, "cells": cells}
    try:
        found = parts[asked["part"]](asked)
    except ImportError as error:
        found = {"missing": str(error.name or error)}
    except LoramakeError as error:
        found = {"missing": " ".join(str(error).splitlines()[0].split())}
    except torch.OutOfMemoryError as error:
        found = {"missing": f"memory: {str(error).splitlines()[0]}"}
    print(json.dumps(found))
