"""The diffusion process and the draws of training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from vectors import vectors

from loramake import noise


def test_recorded_noisy_latents():
    import json

    folder = vectors() / "trace"
    kept = noise.alphas_cumprod()
    for step in json.loads((folder / "steps.json").read_text()):
        z = {k: torch.from_numpy(v) for k, v in np.load(folder / f"step{step['step']:03d}.npz").items()}
        ours = noise.add_noise(z["latents_scaled"], z["noise"], kept[step["timesteps"]])
        assert torch.allclose(ours, z["noisy_latents"], atol=1e-6)


def test_draws_depend_on_their_purpose_alone():
    first, t1 = noise.draw(1, 2, "a/0", (4, 8, 8))
    torch.manual_seed(99)
    again, t2 = noise.draw(1, 2, "a/0", (4, 8, 8))
    assert torch.equal(first, again) and t1 == t2
    for other in (
        noise.draw(2, 2, "a/0", (4, 8, 8)),
        noise.draw(1, 3, "a/0", (4, 8, 8)),
        noise.draw(1, 2, "a/1", (4, 8, 8)),
    ):
        assert not torch.equal(first, other[0])


def test_draws_are_uniform_and_normal():
    drawn = [noise.draw(0, 1, str(i), (4, 4, 4)) for i in range(2000)]
    times = torch.tensor([float(t) for _, t in drawn])
    values = torch.stack([n for n, _ in drawn])
    assert 0 <= times.min() and times.max() <= 999
    assert times.mean() == pytest.approx(499.5, abs=20)
    assert values.mean().item() == pytest.approx(0, abs=0.01) and values.std().item() == pytest.approx(1, abs=0.01)


def test_noise_offset_shifts_whole_channels():
    plain, _ = noise.draw(0, 1, "x", (4, 8, 8))
    shifted, _ = noise.draw(0, 1, "x", (4, 8, 8), noise_offset=0.5)
    difference = (shifted - plain).flatten(1)
    assert torch.allclose(difference, difference[:, :1].expand(-1, 64), atol=1e-6) and difference.abs().max() > 0.01


def test_min_snr_weights():
    kept = torch.tensor([0.99, 0.5, 0.01])  # SNR 99, 1, 0.0101
    assert torch.allclose(noise.min_snr_weight(kept, 5.0, "epsilon"), torch.tensor([5 / 99, 1.0, 1.0]))
    assert torch.allclose(noise.min_snr_weight(kept, 5.0, "v_prediction"), torch.tensor([0.05, 0.5, 0.01]), atol=1e-6)


def test_velocity():
    x, n = torch.ones(1, 1, 1, 1), torch.full((1, 1, 1, 1), 2.0)
    assert noise.velocity(x, n, torch.tensor([0.25])).item() == pytest.approx(0.5 * 2 - 0.75**0.5)
