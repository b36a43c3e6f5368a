"""kohya's own code reads a LoRA of ours: run by `kohya.py agree` in kohya's Python, from a JSON file of wishes.

python benchmarks/kohyaread.py WISHES.json

Its hash functions, `networks/merge_lora.py` and `networks.lora` are called as they are.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

from kohyarun import shrink


def main(wishes_file: str) -> None:
    """Write what agrees to the report: one line a check, true where it holds."""
    wishes = json.loads(Path(wishes_file).read_text(encoding="utf-8"))
    warnings.filterwarnings("ignore")
    sys.path[:0] = [wishes["checkout"], str(Path(wishes["checkout"]) / "networks")]
    from library import model_util, train_util
    from safetensors.torch import load_file

    if wishes["sizes"]:
        shrink(wishes["sizes"])
    ours, base = wishes["ours"], wishes["base"]
    stated = train_util.load_metadata_from_safetensors(ours)
    tensors = load_file(ours)
    full, legacy = train_util.precalculate_safetensors_hashes(tensors, stated)
    report = {
        "sshs_model_hash": full == stated["sshs_model_hash"],
        "sshs_legacy_hash": legacy == stated["sshs_legacy_hash"],
        "ss_sd_model_hash": train_util.model_hash(base) == stated["ss_sd_model_hash"],
        "ss_new_sd_model_hash": train_util.calculate_sha256(base) == stated["ss_new_sd_model_hash"],
    }

    def models() -> tuple:
        text_encoder, _, unet = model_util.load_models_from_stable_diffusion_checkpoint(False, base)
        return text_encoder, unet

    report |= _loads(ours, *models()) | _merges(ours, tensors, *models())
    Path(wishes["report"]).write_text(json.dumps(report), encoding="utf-8")


def _loads(ours: str, text_encoder: object, unet: object) -> dict[str, bool]:
    """Whether `networks.lora` makes a network of the file and finds a place for every key, with none left over."""
    from networks.lora import create_network_from_weights

    network, weights = create_network_from_weights(1.0, ours, None, text_encoder, unet)
    network.apply_to(text_encoder, unet, True, True)
    told = network.load_state_dict(weights, strict=False)
    return {"networks.lora: every key": not told.missing_keys and not told.unexpected_keys}


def _merges(ours: str, tensors: dict, text_encoder: object, unet: object) -> dict[str, bool]:
    """Whether merging changes every layer by alpha / rank · up · down, and merging LoRAs gives the LoRA itself."""
    import merge_lora
    import torch

    def weights() -> dict[str, torch.Tensor]:
        named = {"lora_te_": text_encoder, "lora_unet_": unet}
        found = {}
        for prefix, model in named.items():
            found |= {f"{prefix}{name.replace('.', '_')}": module.weight for name, module in model.named_modules()
                      if isinstance(module, torch.nn.Linear | torch.nn.Conv2d)}  # fmt: skip
        return found

    before = {name: weight.detach().clone() for name, weight in weights().items()}
    merge_lora.merge_to_sd_model(text_encoder, unet, [ours], [1.0], torch.float32)
    after, worst, changed = weights(), 0.0, 0
    for name, weight in after.items():
        if f"{name}.alpha" in tensors:
            up, down = (tensors[f"{name}.lora_{side}.weight"].float().flatten(1) for side in ("up", "down"))
            delta = float(tensors[f"{name}.alpha"]) / len(down) * (up @ down).view(weight.shape)
            worst = max(worst, (weight - before[name] - delta).abs().max().item())
            changed += 1
        else:
            worst = max(worst, (weight - before[name]).abs().max().item())
    merged, *_ = merge_lora.merge_lora_models([ours], [1.0], torch.float32)
    same = merged.keys() == tensors.keys() and all(
        torch.allclose(merged[name].float(), tensors[name].float(), atol=1e-6) for name in tensors
    )
    return {
        "merge_lora.py: all layers of the base, as calculated": worst < 1e-5 and 3 * changed == len(tensors),
        "merge_lora.py: one LoRA merged is itself": same,
    }


if __name__ == "__main__":
    main(sys.argv[1])
