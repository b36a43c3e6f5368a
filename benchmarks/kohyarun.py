"""One training by kohya's own trainer, watched: run by `kohya.py` in kohya's Python, from a JSON file of wishes.

python benchmarks/kohyarun.py WISHES.json

Nothing of the checkout is changed. Its trainer runs as it is; what it calls once a step is wrapped to note the time,
the loss and, where asked for, what the step was fed with. Smaller models get their sizes through its constants.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from pathlib import Path


def main(wishes_file: str) -> None:
    """Train as the wishes say and write the report: step times, losses, CPU seconds of the imports, peak memory."""
    wishes = json.loads(Path(wishes_file).read_text(encoding="utf-8"))
    warnings.filterwarnings("ignore")
    sys.path.insert(0, wishes["checkout"])
    import torch

    torch.set_num_threads(wishes["threads"])
    import diffusers  # noqa: F401
    import transformers  # noqa: F401

    report = {"imports_cpu": time.process_time(), "losses": [], "wall": [], "cpu": [], "batches": []}
    import train_network
    from library import train_util

    if wishes.get("sizes"):
        shrink(wishes["sizes"])
    _watch(train_network, train_util, report, wishes.get("record"))
    parser = train_network.setup_parser()
    args = parser.parse_args(wishes["arguments"])
    # the script's own beginning does this, but only as __main__
    args = train_util.read_config_from_file(args, parser)
    train_network.NetworkTrainer().train(args)
    batches = report.pop("batches")
    if wishes.get("record"):
        torch.save(batches, wishes["record"])
    if torch.cuda.is_available():
        report["cuda_allocated"] = torch.cuda.max_memory_allocated()
    report["peak_kib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    Path(wishes["report"]).write_text(json.dumps(report), encoding="utf-8")


def shrink(sizes: dict[str, int]) -> None:
    """Set the sizes of SD1's parts, which the trainer has as constants."""
    from library import model_util, original_unet

    width, context = sizes["unet_width"], sizes["context"]
    original_unet.BLOCK_OUT_CHANNELS = (width, 2 * width, 4 * width, 4 * width)
    original_unet.TIMESTEP_INPUT_DIM, original_unet.TIME_EMBED_DIM = width, 4 * width
    model_util.UNET_PARAMS_MODEL_CHANNELS, model_util.UNET_PARAMS_CONTEXT_DIM = width, context
    model_util.VAE_PARAMS_CH = sizes["vae_width"]
    made = model_util.CLIPTextConfig

    def smaller(**options: object) -> object:
        return made(**{**options, "hidden_size": context, "intermediate_size": 4 * context, "projection_dim": context})

    model_util.CLIPTextConfig = smaller


def _watch(train_network: object, train_util: object, report: dict[str, list], record: str | None) -> None:
    """Note each step's loss and the moment after it; with `record` also its batch, and the LoRA it began with."""
    add = train_util.LossRecorder.add

    def noting(self: object, *, epoch: int, step: int, loss: float) -> None:
        report["wall"].append(time.perf_counter())
        report["cpu"].append(time.process_time())
        report["losses"].append(loss)
        add(self, epoch=epoch, step=step, loss=loss)

    train_util.LossRecorder.add = noting
    if not record:
        return
    import torch
    from networks.lora import LoRANetwork

    draw, condition = train_util.get_noise_noisy_latents_and_timesteps, train_network.NetworkTrainer.get_text_cond
    apply_to = LoRANetwork.apply_to

    def drawing(args: object, scheduler: object, latents: torch.Tensor) -> tuple:
        drawn = draw(args, scheduler, latents)
        noise, _, timesteps, _ = drawn
        report["batches"][-1] |= {"latents": latents.clone(), "noise": noise.clone(), "timesteps": timesteps.clone()}
        return drawn

    def conditioning(self: object, args: object, accelerator: object, batch: dict, *rest: object) -> torch.Tensor:
        report["batches"].append({"input_ids": batch["input_ids"].clone()})
        return condition(self, args, accelerator, batch, *rest)

    def applying(self: LoRANetwork, *rest: object) -> None:
        apply_to(self, *rest)
        torch.save({name: value.clone() for name, value in self.state_dict().items()}, record + ".lora")

    train_util.get_noise_noisy_latents_and_timesteps = drawing
    train_network.NetworkTrainer.get_text_cond = conditioning
    LoRANetwork.apply_to = applying


if __name__ == "__main__":
    main(sys.argv[1])
