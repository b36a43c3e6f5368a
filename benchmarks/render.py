"""Rendering against diffusers: 10 epochs x 10 weights x 2 seeds, in seconds, and how far the pictures differ.

Ours is the job of the workflow, loading and start of its processes included. Theirs draws the same cells one by one
with StableDiffusionPipeline, the LoRA loaded and fused for each, as a script around it would; a spread sample of them
is timed, the median taken for all, and the time of loading the model once added.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy
from PIL import Image
from theirmodels import as_diffusers

PROMPT, STEPS, CFG, SIDE, CLIP_SKIP = "shim, 1girl, solo", 12, 5.0, 160, 2
SEEDS, BATCH = [1, 2], 8


def render_ours(loras: Path, base: Path, folder: Path, weights: str, threads: int) -> float:
    """Seconds that the workflow's job takes for all cells."""
    from loramake.rendering import render_cells

    started = time.perf_counter()
    render_cells(
        loras,
        folder / "cells",
        folder / "cache",
        base_model=str(base),
        base_model_config="",
        vae="",
        device="cpu",
        clip_skip=CLIP_SKIP,
        trigger="shim",
        prompts=[PROMPT],
        negative_prompt="",
        seeds=SEEDS,
        weights=weights,
        sampler="Euler",
        steps=STEPS,
        cfg_scale=CFG,
        eta="auto",
        width=SIDE,
        height=SIDE,
        batch_size=BATCH,
        epochs="all",
        lora_dir="",
        threads=threads,
    )
    return time.perf_counter() - started


def their_renderer(base: Path, threads: int) -> Callable[[Path, float, int], numpy.ndarray]:
    """diffusers' pipeline on the same model: (LoRA file, weight, seed) → picture, 0 … 255."""
    import diffusers
    import torch

    from loramake.denoising import seeded_noise
    from loramake.models import load_sd1
    from loramake.tokens import text_ids, windows

    torch.set_num_threads(threads)
    models = as_diffusers(load_sd1(base))
    pipeline = diffusers.StableDiffusionPipeline(
        vae=models.vae,
        text_encoder=models.text_encoder,
        tokenizer=models.tokenizer,
        unet=models.unet,
        scheduler=diffusers.EulerDiscreteScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="linspace"
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)

    def embed(text: str) -> torch.Tensor:
        ids = torch.tensor(windows(text_ids(models.tokenizer, text), 75))
        states = pipeline.text_encoder(ids, output_hidden_states=True).hidden_states[-CLIP_SKIP]
        return pipeline.text_encoder.final_layer_norm(states)

    @torch.inference_mode()
    def render(file: Path, weight: float, seed: int) -> numpy.ndarray:
        pipeline.load_lora_weights(str(file.parent), weight_name=file.name, adapter_name="cell")
        pipeline.fuse_lora(lora_scale=weight)
        picture = pipeline(
            prompt_embeds=embed(PROMPT),
            negative_prompt_embeds=embed(""),
            latents=seeded_noise([seed], (4, SIDE // 8, SIDE // 8))(),
            num_inference_steps=STEPS,
            guidance_scale=CFG,
            width=SIDE,
            height=SIDE,
            output_type="np",
        ).images[0]
        pipeline.unfuse_lora()
        pipeline.unload_lora_weights()
        return picture * 255

    return render


def main() -> None:
    """Measure and print; with --json also write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loras", type=Path, default=Path("loras/shimakaze/base"))
    parser.add_argument("--base", type=Path, default=Path("resources/demo/base.safetensors"))
    parser.add_argument("--weights", default="0.1-1(+0.1)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sample", type=int, default=20, help="cells that diffusers draws")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    from loramake.cells import find_checkpoints, parse_weights

    checkpoints, weights = find_checkpoints(options.loras, "all"), parse_weights(options.weights)
    places = [(c, w, s) for c in checkpoints for w in weights for s in range(len(SEEDS))]
    with tempfile.TemporaryDirectory() as folder:
        ours = render_ours(options.loras, options.base, Path(folder), options.weights, options.threads)
        started = time.perf_counter()
        render = their_renderer(options.base, options.threads)
        loading = time.perf_counter() - started
        seconds, differences = [], []
        render(checkpoints[0].file, 1.0, 1)  # a first call is slower
        for place in range(options.sample):
            # a step that is prime to the axes' lengths visits all epochs, weights and seeds
            checkpoint, weight, seed = places[place * 37 % len(places)]
            started = time.perf_counter()
            theirs = render(checkpoint.file, weight, SEEDS[seed])
            seconds.append(time.perf_counter() - started)
            name = f"e{checkpoint.epoch:06d}_w{weight:g}_p1_s{seed + 1}.png"
            with Image.open(Path(folder) / "cells" / name) as image:
                differences.append(float(abs(numpy.asarray(image.convert("RGB"), float) - theirs).mean()))
    each = statistics.median(seconds)
    result = {
        "cells": len(places),
        "ours_s": round(ours, 1),
        "theirs_each_s": round(each, 3),
        "theirs_s": round(loading + each * len(places), 1),
        "times_faster": round((loading + each * len(places)) / ours, 2),
        "mean_difference_of_255": round(statistics.mean(differences), 3),
        "largest_mean_difference_of_255": round(max(differences), 3),
        "sampled": options.sample,
    }
    print(json.dumps(result, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
