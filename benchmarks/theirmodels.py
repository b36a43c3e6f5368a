"""Our models' weights in the classes of diffusers and transformers, for comparisons."""

from __future__ import annotations

from dataclasses import replace

from loramake.models import StableDiffusion1


def as_diffusers(models: StableDiffusion1) -> StableDiffusion1:
    """All parts as `UNet2DConditionModel`, `AutoencoderKL`, `CLIPTextModel` and `CLIPTokenizer`, of their precision."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    from loramake.diffusersfolder import SD15_FOLDER

    theirs = {
        "unet": UNet2DConditionModel.from_config(dict(models.unet.config)),
        "vae": AutoencoderKL.from_config(dict(models.vae.config)),
        "text_encoder": CLIPTextModel(CLIPTextConfig(**models.text_encoder.config)),
    }
    for part, model in theirs.items():
        own = getattr(models, part)
        like = next(own.parameters())
        model.to(like.device, like.dtype).load_state_dict(own.state_dict())
        model.eval().requires_grad_(False)
    tokenizer = CLIPTokenizer.from_pretrained(str(SD15_FOLDER / "tokenizer"), local_files_only=True)
    return replace(models, **theirs, tokenizer=tokenizer)
