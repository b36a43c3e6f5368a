"""Loading SD1-type models in all the forms they come in."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
import torch
from theirmodels import as_diffusers
from tinymodels import tiny_models
from vectors import vectors

from loramake.checkpoints import SafetensorsFile, open_weights, save_single_file, save_tensors
from loramake.diffusersfolder import read_configs
from loramake.errors import UserError
from loramake.ldmkeys import TEXT_PREFIX, UNET_PREFIX, VAE_PREFIX, part_name
from loramake.modelfacts import check_vae, read_base
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
    assert torch.equal(loaded.text_encoder(ids), parts.text_encoder(ids))


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
    from loramake.diffusersfolder import SD15_FOLDER

    own, recorded = SD15_FOLDER / "tokenizer", vectors() / "tiny_sd1_config" / "tokenizer"
    assert json.loads((own / "vocab.json").read_text()) == json.loads((recorded / "vocab.json").read_text())
    assert (own / "merges.txt").read_text().splitlines() == (recorded / "merges.txt").read_text().splitlines()


def test_diffusers_folder(parts, tmp_path):
    theirs = as_diffusers(parts)
    for part in ("unet", "vae", "text_encoder"):
        getattr(theirs, part).save_pretrained(tmp_path / part)
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
        text = json.dumps(config)
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
    as_diffusers(tiny_models(seed=7)).vae.save_pretrained(tmp_path / "folder")
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


def state_of(path) -> dict[str, torch.Tensor]:
    file = SafetensorsFile(path)
    return {name: file.get(name) for name in file.names()}


@pytest.mark.parametrize("form", ["ema", "half", "no VAE", "ckpt", "ckpt without state_dict", "old zip"])
def test_forms_of_a_single_file(parts, single_file, tmp_path, form):
    """Full with EMA weights, pruned to half precision, without VAE, and as a pickle; the same model each time."""
    file, weights = SafetensorsFile(single_file), state_of(single_file)
    path, vae, config = tmp_path / "base.safetensors", "", ""
    if form == "ema":
        weights |= {f"model_ema.{number}": torch.ones(3) for number in range(4)}
    if form == "half":
        weights = {name: tensor.half() for name, tensor in weights.items()}
    if form == "no VAE":
        weights = {name: tensor for name, tensor in weights.items() if not name.startswith(VAE_PREFIX)}
        vae = tmp_path / "vae"
        as_diffusers(parts).vae.save_pretrained(vae)
    if "ckpt" in form or form == "old zip":
        path, config = tmp_path / "base.ckpt", tmp_path / "config"
        theirs = as_diffusers(parts)
        for part in ("unet", "vae", "text_encoder"):
            model = getattr(theirs, part)
            save = model.config.save_pretrained if part == "text_encoder" else model.save_config
            save(config / part)
        content = weights if "without" in form else {"state_dict": weights, "global_step": 7}
        torch.save(content, path, _use_new_zipfile_serialization=form != "old zip")
    else:
        save_tensors(path, weights, dict(file.metadata))
    loaded, facts = load_sd1(path, vae=vae, config=config), read_base(path, needs_vae=not vae)
    for part in ("unet", "vae", "text_encoder"):
        ours, theirs = getattr(loaded, part).state_dict(), getattr(parts, part).state_dict()
        assert all(torch.allclose(ours[name], theirs[name], atol=1e-3) for name in theirs)
    assert facts.unet == sum(weight.numel() for weight in parts.unet.parameters())


@pytest.mark.parametrize("layout", ["ldm", "ldm in state_dict", "diffusers", "whole checkpoint"])
def test_pickled_external_vaes(parts, single_file, tmp_path, layout):
    other = tiny_models(seed=7).vae
    weights = dict(other.state_dict())
    if layout != "diffusers":
        prefix = VAE_PREFIX if layout == "whole checkpoint" else ""
        weights = {
            prefix + part_name("vae", name, other.config).removeprefix(VAE_PREFIX): tensor
            for name, tensor in weights.items()
        }
    path = tmp_path / "anime.vae.pt"
    torch.save({"state_dict": weights} if layout == "ldm in state_dict" else weights, path)
    check_vae(path)
    assert same_weights(load_sd1(single_file, vae=path, parts=("vae",)).vae, other)


OUT, WIDE = UNET_PREFIX + "out.0.weight", UNET_PREFIX + "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"


@pytest.mark.parametrize(
    ("weights", "word"),
    [
        ({"lora_te1_x.lora_down.weight": (4, 3)}, "LoRA"),
        ({"unet.down_blocks.0.to_q.lora.down.weight": (4, 3)}, "LoRA"),
        ({"add_embedding.linear_1.weight": (4, 3)}, "SDXL"),
        ({OUT: (4,), "cond_stage_model.model.ln_final.weight": (4,)}, "SD2.x"),
        ({OUT: (4,), WIDE: (320, 1024)}, "SD2.x"),
        ({"model.diffusion_model.joint_blocks.0.x": (4,)}, "SD3"),
        ({"double_blocks.0.img_attn.proj.weight": (4,)}, "Flux"),
        ({"control_model.zero_convs.0.0.weight": (4,)}, "ControlNet"),
        ({"emb_params": (2, 768)}, "textual inversion"),
        ({"<shim>": (768,)}, "textual inversion"),
        ({UNET_PREFIX + "input_blocks.0.0.weight": (320, 9, 3, 3)}, "inpainting"),
        ({"down_blocks.0.x": (4,), "time_embedding.linear_1.weight": (4,)}, "U-Net alone"),
        ({"text_model.final_layer_norm.weight": (4,)}, "text encoder alone"),
        ({"something": (4, 4)}, "unknown"),
    ],
)
def test_families_by_their_headers(tmp_path, weights, word):
    path = tmp_path / "base.safetensors"
    save_tensors(path, {name: torch.zeros(shape) for name, shape in weights.items()}, {})
    for read in (lambda: read_base(path, needs_vae=True), lambda: load_sd1(path), lambda: check_vae(path)):
        with pytest.raises(UserError) as error:
            read()
        assert word in str(error.value) or word == "unknown", str(error.value)


def test_a_pickled_textual_inversion_is_named(tmp_path):
    content = {"string_to_token": {"*": 265}, "string_to_param": {"*": torch.zeros(2, 768)}, "name": "shim"}
    torch.save(content, tmp_path / "shim.pt")
    with pytest.raises(UserError, match="textual inversion"):
        read_base(tmp_path / "shim.pt", needs_vae=True)


@pytest.mark.parametrize(
    ("files", "word"),
    [
        ({"model_index.json": {"_class_name": "StableDiffusionXLPipeline"}, "unet/config.json": {}}, "SDXL"),
        ({"model_index.json": {"_class_name": "FluxPipeline"}, "transformer/config.json": {}}, "Flux"),
        ({"text_encoder/config.json": {"hidden_size": 1024}, "unet/config.json": {}}, "SD2.x"),
        ({"unet/config.json": {"in_channels": 9}}, "inpainting"),
        ({"config.json": {"_class_name": "AutoencoderKL"}}, "VAE"),
        ({"config.json": {"_class_name": "ControlNetModel"}}, "ControlNet"),
        ({"adapter_config.json": {}}, "LoRA"),
        ({"notes.json": {}}, "unknown"),
    ],
)
def test_folders_of_other_families(tmp_path, files, word):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps(content))
    for read in (lambda: read_base(tmp_path, needs_vae=True), lambda: load_sd1(tmp_path)):
        with pytest.raises(UserError, match=word):
            read()


def _held() -> int:
    """Memory of this process that is no file's, bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="Linux tells what memory a process holds")
@pytest.mark.parametrize("foreign", [False, True])
def test_a_pickled_checkpoint_is_not_held_beside_its_copy(tmp_path, foreign):
    size, count = 2**22, 8  # of 16 MiB each
    weights = {f"w{number}": torch.full((size,), float(number)) for number in range(count)}
    torch.save({"state_dict": weights, **({"callbacks": argparse.Namespace()} if foreign else {})}, tmp_path / "a.ckpt")
    del weights
    before = _held()
    file = open_weights(tmp_path / "a.ckpt")
    assert _held() - before < 16 * 2**20
    copies = [file.get(name).to(dtype=torch.float32, copy=True) for name in file.names()]
    assert _held() - before < (16 * count + 32) * 2**20
    assert [copy[-1].item() for copy in copies] == list(range(count))
