"""A LoRA in diffusers' own pipeline draws the picture that the bank draws."""

from dataclasses import replace

import numpy
import pytest
import torch
from safetensors.torch import save_file
from test_bank import random_lora
from theirmodels import as_diffusers
from tinymodels import tiny_models

from loramake.bank import LoraBank, load_bank
from loramake.denoising import seeded_noise
from loramake.models import StableDiffusion1, load_tokenizer
from loramake.painting import paint
from loramake.textstates import Request
from loramake.tokens import text_ids, windows

PROMPT, NEGATIVE, SEED, STEPS, CFG_SCALE, WEIGHT, CLIP_SKIP = (
    "shim, 1girl, red dress, smile",
    "blurry",
    7,
    10,
    7.0,
    0.8,
    2,
)


def by_pipeline(models: StableDiffusion1, lora_file, weight: float) -> numpy.ndarray:
    """The picture as floats of 0 … 255, by `StableDiffusionPipeline` with its Euler scheduler and LoRA loader."""
    diffusers = pytest.importorskip("diffusers")
    pytest.importorskip("peft", reason="diffusers loads LoRAs through peft (test extra)")
    scheduler = diffusers.EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="linspace"
    )
    pipeline = diffusers.StableDiffusionPipeline(
        vae=models.vae,
        text_encoder=models.text_encoder,
        tokenizer=models.tokenizer,
        unet=models.unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.load_lora_weights(str(lora_file.parent), weight_name=lora_file.name, adapter_name="shim")
    pipeline.set_adapters("shim", weight)

    def embed(text: str) -> torch.Tensor:
        ids = torch.tensor(windows(text_ids(models.tokenizer, text), 75))
        states = models.text_encoder(ids, output_hidden_states=True).hidden_states[-CLIP_SKIP]
        return models.text_encoder.final_layer_norm(states)

    with torch.inference_mode():
        (picture,) = pipeline(
            prompt_embeds=embed(PROMPT),
            negative_prompt_embeds=embed(NEGATIVE),
            latents=seeded_noise([SEED], (4, 8, 8))(),
            num_inference_steps=STEPS,
            guidance_scale=CFG_SCALE,
            width=64,
            height=64,
            output_type="np",
        ).images
    return picture * 255


@pytest.mark.parametrize("weight", [WEIGHT, 0.0])
def test_same_picture_as_diffusers_pipeline(tmp_path, weight):
    models = replace(tiny_models(), tokenizer=load_tokenizer())
    file = tmp_path / "shim.safetensors"
    save_file(random_lora(4, 1, 1), str(file))
    theirs = by_pipeline(as_diffusers(models), file, weight)
    request = Request(PROMPT, NEGATIVE, SEED, adapter=0, weight=weight)
    look = {"sampler": "Euler", "steps": STEPS, "cfg_scale": CFG_SCALE, "width": 64, "height": 64, "batch_size": 1}
    bank: LoraBank = load_bank(models.unet, models.text_encoder, [file])
    ((_, ours),) = paint(models, bank, [request], **look, clip_skip=CLIP_SKIP)
    difference = numpy.abs(ours - theirs)
    print(f"mean difference {difference.mean():.4f} of 255, largest {difference.max():.2f}")
    assert difference.mean() <= 1
    # the picture is none on which any two would agree
    assert ours.std() > 5
