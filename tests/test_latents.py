"""Cached latents: values, incremental work, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from trainable import make_base, make_dataset, make_latents

from loramake.errors import UserError
from loramake.images import load_rgb
from loramake.latentfiles import read_latent_file
from loramake.models import load_sd1
from loramake.vaeencode import posterior_sample


@pytest.fixture
def ground(tmp_path):
    make_base(tmp_path / "base.safetensors")
    make_dataset(tmp_path / "dataset")
    return tmp_path


def cache(ground, **changes):
    return make_latents(ground / "dataset", ground / "base.safetensors", ground / "out", ground / "cache", **changes)


def contents(ground):
    return {p.name: p.read_bytes() for p in sorted((ground / "out").rglob("*.safetensors"))}


def test_values_are_an_unscaled_posterior_sample(ground):
    cache(ground)
    path = ground / "out" / "2_shim" / "1.safetensors"
    rgb = torch.tensor(load_rgb(ground / "dataset" / "2_shim" / "1.png"))
    vae = load_sd1(ground / "base.safetensors", parts=("vae",)).vae
    with torch.no_grad():
        posterior = vae.encode(rgb.permute(2, 0, 1)[None] / 127.5 - 1).latent_dist
    stated = read_latent_file(path)
    wanted = posterior_sample(posterior.mean[0], posterior.std[0], stated.image_hash)
    latents = load_file(path)["latents"]
    assert latents.shape == (4, 8, 8) and latents.dtype == torch.float32
    assert torch.allclose(latents, wanted, atol=1e-5)
    assert stated.bucket == (64, 64) and stated.size == (64, 64)
    tall = read_latent_file(ground / "out" / "2_shim" / "4.safetensors")
    assert tall.size == (40, 90) and tall.bucket[0] < tall.bucket[1]


def test_posterior_samples_follow_the_posterior():
    mean, std = torch.full((4, 64, 64), 3.0), torch.full((4, 64, 64), 2.0)
    sample = posterior_sample(mean, std, "a" * 64)
    assert sample.mean().item() == pytest.approx(3, abs=0.1) and sample.std().item() == pytest.approx(2, abs=0.1)
    assert not torch.equal(sample, posterior_sample(mean, std, "b" * 64))


def test_only_what_changed_is_encoded(ground):
    assert cache(ground) == {"encoded": 4, "reused": 0}
    before = contents(ground)
    assert cache(ground) == {"encoded": 0, "reused": 4}
    assert contents(ground) == before
    folder = ground / "dataset" / "2_shim"
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "2.png")
    (folder / "3.png").unlink()
    assert cache(ground) == {"encoded": 1, "reused": 2}
    after = contents(ground)
    assert after.keys() == before.keys() - {"3.safetensors"}
    assert [n for n in after if after[n] != before[n]] == ["2.safetensors"]
    # set back by content: nothing to encode, whatever the time stamps say
    folder.joinpath("2.png").write_bytes(folder.joinpath("1.png").read_bytes())
    assert cache(ground)["encoded"] == 0


def test_bucket_settings_and_vae_count(ground):
    cache(ground)
    assert cache(ground, resolution=96)["encoded"] == 4
    other = make_base(ground / "other.safetensors")
    data = bytearray(other.read_bytes())
    data[-1] ^= 1
    other.write_bytes(data)
    assert cache(ground, vae=str(other))["encoded"] == 4


def test_latents_from_scratch_are_byte_identical(ground):
    cache(ground)
    first = contents(ground)
    make_latents(ground / "dataset", ground / "base.safetensors", ground / "out", ground / "cache2")
    assert contents(ground) == first


def test_cut_cache_file_is_made_again(ground):
    cache(ground)
    before = contents(ground)
    victim = next(p for p in (ground / "cache").glob("*.safetensors"))
    victim.unlink()
    victim.write_bytes(b"\x08\0\0\0\0\0\0\0{}      cut")
    assert cache(ground)["encoded"] == 1
    assert contents(ground) == before


def test_empty_dataset_is_refused(ground):
    (ground / "empty" / "shim").mkdir(parents=True)
    with pytest.raises(UserError):
        make_latents(ground / "empty", ground / "base.safetensors", ground / "out", ground / "cache")


def test_running_out_of_memory_names_settings_and_loses_nothing(ground, tmp_path, monkeypatch):
    from loramake import vaeencode

    encode, done = vaeencode._encode_batch, []

    def fail_at_the_third(*arguments):
        if len(done) == 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        done.append(encode(*arguments))

    paths = ground / "dataset", ground / "base.safetensors", tmp_path / "out", tmp_path / "cache"
    with monkeypatch.context() as patch, pytest.raises(UserError) as error:
        patch.setattr(vaeencode, "_encode_batch", fail_at_the_third)
        make_latents(*paths)
    assert "train.resolution" in str(error.value) and "device: cpu" in str(error.value)
    assert make_latents(*paths)["reused"] == 2
