"""The first ten training steps against kohya's trainer."""

from __future__ import annotations

import json

import numpy as np
import torch
from safetensors.torch import load_file
from tinymodels import tiny_models
from vectors import vectors

from loramake import lora
from loramake.models import load_sd1
from loramake.noise import alphas_cumprod
from loramake.optimizing import clip_gradients, make_optimizer, set_learning_rates
from loramake.schedules import learning_rate
from loramake.stepping import Batch, training_step


def test_first_ten_steps_agree_with_kohya():
    folder = vectors()
    model = load_sd1(folder / "tiny_sd1.safetensors", config=folder / "tiny_sd1_config", parts=("text_encoder", "unet"))
    network = lora.attach(model.unet, model.text_encoder, rank=8, alpha=1, seed=0)
    network.load(load_file(folder / "trace" / "lora_step000_init.safetensors"))
    optimizer = make_optimizer(network, weight_decay=0.01)
    kept = alphas_cumprod()
    for step in json.loads((folder / "trace" / "steps.json").read_text()):
        number = step["step"]
        z = {k: torch.from_numpy(v) for k, v in np.load(folder / "trace" / f"step{number:03d}.npz").items()}
        rates = [learning_rate("cosine", base, number - 1, 57) for base in (1e-3, 2e-3)]
        assert np.allclose(rates, step["lr"], rtol=1e-12)
        set_learning_rates(optimizer, *rates)
        batch = Batch(z["input_ids"], z["latents_scaled"], z["noise"], torch.tensor(step["timesteps"]))
        loss, states, prediction = training_step(model.unet, model.text_encoder, batch, kept, clip_skip=2)
        assert abs(loss.item() - step["loss"]) <= 5e-6
        assert (states - z["encoder_hidden_states"]).abs().max() <= 2e-5
        assert (prediction - z["noise_pred"]).abs().max() <= 2e-5
        loss.backward()
        norm = clip_gradients(network, 1.0)
        assert abs(norm.item() - step["grad_norm_preclip"]) <= 1e-5
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        after = folder / "trace" / f"lora_step{number:03d}_after.safetensors"
        if after.is_file():
            ours = network.tensors()
            assert all((ours[k] - v).abs().max() <= 1e-4 for k, v in load_file(after).items())


def test_loss_weights_and_min_snr():
    model = tiny_models()
    kept = alphas_cumprod()
    torch.manual_seed(0)
    ids = torch.full((2, 1, 77), 49407)
    latents, noise, times = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8), torch.tensor([10, 900])

    def losses(**options):
        weights = options.pop("weights", None)
        batch = Batch(ids, latents, noise, times, weights)
        with torch.no_grad():
            return training_step(model.unet, model.text_encoder, batch, kept, clip_skip=1, **options)

    plain = losses()
    each = (plain.prediction - noise).pow(2).mean(dim=(1, 2, 3))
    assert torch.allclose(plain.loss, each.mean())
    assert torch.allclose(losses(weights=torch.tensor([1.0, 0.5])).loss, (each[0] + each[1] / 2) / 2)
    snr = (kept / (1 - kept))[times]
    assert torch.allclose(losses(min_snr_gamma=5.0).loss, (each * (5.0 / snr).clamp(max=1)).mean(), rtol=1e-4)
    assert not torch.allclose(losses(prediction_type="v_prediction").loss, plain.loss)
