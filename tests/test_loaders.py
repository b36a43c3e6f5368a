"""What loads our files: the names that other programs look for, and what diffusers makes of a whole LoRA.

The rules were read off AUTOMATIC1111's webui (extensions-builtin/Lora/networks.py), kohya's Additional Networks
(scripts/lora_compvis.py) and ComfyUI (comfy/lora.py, comfy/utils.py); they agree on SD 1.x.
"""

from __future__ import annotations

import re

import pytest
import torch
from theirmodels import as_diffusers
from tinymodels import tiny_models

from loramake import lora
from loramake.checkpoints import save_tensors
from loramake.diffusersfolder import read_configs
from loramake.ldmkeys import UNET_PREFIX, text_name, unet_name
from loramake.models import _empty_model

RESNET = {
    "conv1": "in_layers_2",
    "conv2": "out_layers_3",
    "time_emb_proj": "emb_layers_1",
    "conv_shortcut": "skip_connection",
}


def place_in_original(name: str) -> str:
    """Where these programs put a layer of the file: the original model's module path with underscores."""
    if found := re.fullmatch(r"lora_te_text_model_encoder_layers_(\d+)_(.+)", name):
        return f"transformer_text_model_encoder_layers_{found[1]}_{found[2]}"
    if found := re.fullmatch(r"lora_unet_(down|up)_blocks_(\d+)_(attentions|resnets)_(\d+)_(.+)", name):
        side, block, kind, index, rest = found.groups()
        number = 3 * int(block) + int(index) + (side == "down")
        slot, rest = (1, rest) if kind == "attentions" else (0, RESNET[rest])
        return f"diffusion_model_{'input' if side == 'down' else 'output'}_blocks_{number}_{slot}_{rest}"
    if found := re.fullmatch(r"lora_unet_mid_block_(attentions|resnets)_(\d+)_(.+)", name):
        kind, index, rest = found.groups()
        return f"diffusion_model_middle_block_{1 if kind == 'attentions' else 2 * int(index)}_{RESNET.get(rest, rest)}"
    if found := re.fullmatch(r"lora_unet_down_blocks_(\d)_downsamplers_0_conv", name):
        return f"diffusion_model_input_blocks_{3 + 3 * int(found[1])}_0_op"
    found = re.fullmatch(r"lora_unet_up_blocks_(\d)_upsamplers_0_conv", name)
    assert found, f"no rule takes {name}"
    return f"diffusion_model_output_blocks_{2 + 3 * int(found[1])}_{2 if int(found[1]) else 1}_conv"


@pytest.mark.parametrize("conv", [False, True])
def test_every_layer_is_found_in_the_original_model(conv):
    configs = read_configs(None, {})
    unet, text_encoder = (_empty_model(part, configs[part]) for part in ("unet", "text_encoder"))
    original = {}
    for key, weight in unet.state_dict().items():
        path = unet_name(key, configs["unet"]).removeprefix(UNET_PREFIX).removesuffix(".weight")
        original["diffusion_model_" + path.replace(".", "_")] = weight.shape
    for key, weight in text_encoder.state_dict().items():
        path = text_name(key).removeprefix("cond_stage_model.").removesuffix(".weight")
        original[path.replace(".", "_")] = weight.shape
    targets = lora.find_targets(unet, text_encoder, conv=conv)
    places = [place_in_original(target.name) for target in targets]
    assert len(set(places)) == len(places) == (264 if not conv else 264 + 22 * 3 + 14 + 3 + 3)
    for target, place in zip(targets, places, strict=True):
        assert tuple(original[place]) == tuple(target.module.weight.shape), target.name


@pytest.mark.parametrize("conv_rank", [0, 2])
def test_diffusers_gives_what_training_gave(tmp_path, conv_rank):
    diffusers = pytest.importorskip("diffusers")
    pytest.importorskip("peft", reason="diffusers loads LoRAs through peft (test extra)")
    models = tiny_models(layers=2)
    theirs = as_diffusers(models)
    network = lora.attach(models.unet, models.text_encoder, rank=4, alpha=2, seed=1, conv_rank=conv_rank, conv_alpha=1)
    generator = torch.Generator().manual_seed(1)
    for layer in network.layers.values():
        layer.up.data.normal_(std=0.2, generator=generator)
    save_tensors(tmp_path / "shim.safetensors", network.tensors(), {"ss_network_module": "networks.lora"})
    pipeline = diffusers.StableDiffusionPipeline(
        vae=theirs.vae,
        text_encoder=theirs.text_encoder,
        tokenizer=None,
        unet=theirs.unet,
        scheduler=diffusers.EulerDiscreteScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    ids, x, t = torch.arange(77)[None], torch.randn(1, 4, 16, 16, generator=generator), torch.tensor([500])
    with torch.no_grad():
        plain = theirs.unet(x, t, theirs.text_encoder(ids)[0]).sample
        pipeline.load_lora_weights(str(tmp_path), weight_name="shim.safetensors")
        states, wanted = pipeline.text_encoder(ids)[0], models.text_encoder(ids)
        answer, expected = pipeline.unet(x, t, wanted).sample, models.unet(x, t, wanted)[0]
    assert (states - wanted).abs().max() < 1e-4
    assert (answer - expected).abs().max() < 1e-4 < (answer - plain).abs().max()
