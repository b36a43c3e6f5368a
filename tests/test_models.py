"""Loading SD1-type models in all the forms they come in."""

from __future__ import annotations

import json

import pytest
import torch
from tinymodels import tiny_models
from vectors import vectors

from loramake.checkpoints import save_single_file, save_tensors
from loramake.diffusersfolder import read_configs
from loramake.errors import UserError
from loramake.ldmkeys import TEXT_PREFIX, UNET_PREFIX, VAE_PREFIX, part_name
from loramake.models import _empty_model, load_sd1


@pytest.fixture(scope="module")
def parts():
    return tiny_models()


@pytest.fixture(scope="module")
def single_file(parts, tmp_path_factory):
    path = tmp_path_factory.mktemp("модель") / "tiny base.safetensors"
    save_single_file(path, parts.unet, parts.text_encoder, parts.vae, dtype=torch.float32)
    return path


def same_weights(left, right) -> bool:
    a, b = left.state_dict(), right.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_single_file_round_trip(parts, single_file):
    loaded = load_sd1(single_file)
    assert same_weights(loaded.unet, parts.unet)
    assert same_weights(loaded.vae, parts.vae)
    assert same_weights(loaded.text_encoder, parts.text_encoder)
    assert loaded.prediction_type == "epsilon" and loaded.scaling_factor == 0.18215
    assert not any(p.requires_grad for p in loaded.unet.parameters())
    ids = torch.tensor([[49406, 320, 49407]])
    assert torch.equal(loaded.text_encoder(ids)[0], parts.text_encoder(ids)[0])


def test_equal_models_give_equal_bytes(parts, single_file, tmp_path):
    again = tmp_path / "again.safetensors"
    save_single_file(again, parts.unet, parts.text_encoder, parts.vae, dtype=torch.float32)
    assert again.read_bytes() == single_file.read_bytes()


@pytest.mark.parametrize("layers", [1, 2])
def test_names_agree_with_diffusers_converters(layers):
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint

    models = tiny_models(layers=layers)
    for part, convert in (("unet", convert_ldm_unet_checkpoint), ("vae", convert_ldm_vae_checkpoint)):
        model = getattr(models, part)
        ours = {part_name(part, key, model.config): tensor for key, tensor in model.state_dict().items()}
        assert convert(dict(ours), dict(model.config)).keys() == model.state_dict().keys()


def test_sd15_keys_and_shapes():
    recorded = json.loads((vectors() / "sd15_ldm_checkpoint_keys.json").read_text())
    configs = read_configs(None, {})
    ours = {}
    for part in ("unet", "vae", "text_encoder"):
        for key, tensor in _empty_model(part, configs[part]).state_dict().items():
            name = part_name(part, key, configs[part])
            convolution = part == "vae" and "attn_1" in name and tensor.ndim == 2
            ours[name] = [*tensor.shape, 1, 1] if convolution else list(tensor.shape)
    assert ours == {name: shape for name, shape in recorded.items() if not name.endswith("position_ids")}


def test_recorded_tiny_checkpoint_loads():
    folder = vectors()
    loaded = load_sd1(folder / "tiny_sd1.safetensors", config=folder / "tiny_sd1_config")
    assert loaded.text_encoder.config.hidden_size == 48


def test_wrong_configuration_names_the_setting():
    with pytest.raises(UserError) as error:
        load_sd1(vectors() / "tiny_sd1.safetensors")
    assert "base_model_config" in str(error.value)


def test_shipped_tokenizer_equals_the_recorded_one():
    from loramake.models import SD15_FOLDER

    own, recorded = SD15_FOLDER / "tokenizer", vectors() / "tiny_sd1_config" / "tokenizer"
    assert json.loads((own / "vocab.json").read_text()) == json.loads((recorded / "vocab.json").read_text())
    assert (own / "merges.txt").read_text().splitlines() == (recorded / "merges.txt").read_text().splitlines()


def test_diffusers_folder(parts, tmp_path):
    parts.unet.save_pretrained(tmp_path / "unet")
    parts.vae.save_pretrained(tmp_path / "vae")
    parts.text_encoder.save_pretrained(tmp_path / "text_encoder")
    loaded = load_sd1(tmp_path)
    assert same_weights(loaded.unet, parts.unet) and same_weights(loaded.vae, parts.vae)
    assert same_weights(loaded.text_encoder, parts.text_encoder)


class Callback:
    """A class that only the one who saved the checkpoint has."""

    fired: list[str] = []

    def __setstate__(self, state):
        Callback.fired.append("code ran")


def test_ckpt_with_foreign_classes_loads_and_runs_nothing(parts, single_file, tmp_path):
    weights = {}
    for part in ("unet", "vae", "text_encoder"):
        model = getattr(parts, part)
        config = {} if part == "text_encoder" else model.config
        weights |= {part_name(part, k, config): v for k, v in model.state_dict().items()}
    callback = Callback()
    callback.note = "x"
    torch.save({"state_dict": weights, "callbacks": {"a": callback}, "epoch": 3}, tmp_path / "base.ckpt")
    folder = tmp_path / "config"
    for part in ("unet", "vae", "text_encoder"):
        (folder / part).mkdir(parents=True)
        config = getattr(parts, part).config
        text = json.dumps(config.to_dict() if part == "text_encoder" else dict(config))
        (folder / part / "config.json").write_text(text)
    loaded = load_sd1(tmp_path / "base.ckpt", config=folder)
    assert same_weights(loaded.unet, parts.unet)
    assert Callback.fired == []


def test_ckpt_that_calls_a_function_is_harmless(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "pwned"), "w"))

    torch.save({"state_dict": {}, "evil": Evil()}, tmp_path / "evil.ckpt")
    with pytest.raises(UserError):
        load_sd1(tmp_path / "evil.ckpt")
    assert not (tmp_path / "pwned").exists()


def test_external_vae(single_file, tmp_path):
    other = tiny_models(seed=7).vae
    names = {part_name("vae", k, other.config).removeprefix(VAE_PREFIX): v for k, v in other.state_dict().items()}
    save_tensors(tmp_path / "vae.safetensors", names, {})
    other.save_pretrained(tmp_path / "folder")
    for source in (tmp_path / "vae.safetensors", tmp_path / "folder"):
        assert same_weights(load_sd1(single_file, vae=source, parts=("vae",)).vae, other)


ONE = torch.zeros(1)


@pytest.mark.parametrize(
    ("names", "word"),
    [
        (["lora_unet_mid_block.lora_down.weight"], "LoRA"),
        ([UNET_PREFIX + "label_emb.0.0.weight", "conditioner.embedders.0.x"], "SDXL"),
        (["encoder.conv_in.weight", "decoder.conv_in.weight"], "VAE"),
        ([UNET_PREFIX + "out.0.weight"], "U-Net alone"),
        ([UNET_PREFIX + "out.0.weight", TEXT_PREFIX + "final_layer_norm.weight"], "VAE"),
    ],
)
def test_other_families_are_named(tmp_path, names, word):
    save_tensors(tmp_path / "base.safetensors", {name: ONE for name in names}, {})
    with pytest.raises(UserError) as error:
        load_sd1(tmp_path / "base.safetensors")
    assert word in str(error.value)


def test_missing_and_truncated_files(single_file, tmp_path):
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(single_file.read_bytes()[:100_000])
    pickle = tmp_path / "cut.ckpt"
    pickle.write_bytes(b"PK\x03\x04 not a checkpoint")
    for path in (cut, pickle, tmp_path / "none.safetensors"):
        with pytest.raises(UserError):
            load_sd1(path)
