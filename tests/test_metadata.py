"""Metadata against a file that kohya's trainer saved."""

from __future__ import annotations

import hashlib
import json

import pytest
import torch
from vectors import vectors

from loramake.checkpoints import data_chunks, serialise
from loramake.metadata import ModelFile, epoch_metadata, model_hashes, training_metadata
from loramake.modelhash import content_hash, legacy_hash
from loramake.recipe import make_recipe
from loramake.trainset import Picture

# what kohya.md allows to differ, and modelspec 1.0.1 instead of 1.0.0
OURS = {
    "ss_session_id",
    "ss_training_started_at",
    "ss_training_finished_at",
    "ss_sd_scripts_commit_hash",
    "ss_output_name",
    "ss_training_comment",
    "sshs_model_hash",
    "sshs_legacy_hash",
    "modelspec.date",
    "modelspec.title",
    "modelspec.sai_model_spec",
}


@pytest.fixture
def recorded():
    return json.loads((vectors() / "saved_file.json").read_text())["tiny_single.safetensors"]


def made(recorded, tmp_path):
    stated = recorded["metadata"]
    tags = [t for t, n in json.loads(stated["ss_tag_frequency"])["3_shim"].items() if n == 1]
    captions: list[str] = []
    for tag in tags:
        if tag.startswith(("plain", "detail")):
            captions[-1] += f", {tag}"
        else:  # a coloured shape begins the next picture's caption
            captions.append(f"shim, {tag}")
    pictures = [Picture(f"3_shim/{i:02d}", tmp_path, text, 3) for i, text in enumerate(captions)]
    # 3 pictures in 64x192, 7 in 128x128, 2 in 192x64; sizes do not matter but for the mean error
    buckets = [(64, 192)] * 3 + [(128, 128)] * 7 + [(192, 64)] * 2
    recipe = make_recipe(
        {
            "resolution": 128,
            "min_bucket_reso": 64,
            "network_dim": 8,
            "unet_lr": 2e-3,
            "text_encoder_lr": 1e-3,
            "train_batch_size": 2,
            "max_train_epochs": 3,
            "shuffle_caption": False,
            "save_precision": "float",
        }
    )
    folder = vectors()
    base = folder / "tiny_sd1.safetensors"
    common = training_metadata(
        recipe,
        pictures,
        buckets,
        buckets,
        base=ModelFile(base.name, legacy_hash(base), content_hash(base, tmp_path / "index.json")),
        vae=None,
        session="1",
        precision="no",
        max_token_length=150,
        batches_per_epoch=19,
        prediction_type="epsilon",
    )
    return epoch_metadata(common, title="tiny_single", epoch=3, steps=57, started=1.5, finished=2.5)


def test_keys_and_values_of_a_saved_file(recorded, tmp_path):
    stated, ours = recorded["metadata"], made(recorded, tmp_path)
    assert all(isinstance(value, str) for value in ours.values())
    assert stated.keys() - ours.keys() - OURS == set()
    assert {k for k in ours.keys() - stated.keys() if not k.startswith("modelspec.")} == set()
    different = {k for k in stated if k in ours and stated[k] != ours[k]} - OURS
    assert different == {"ss_bucket_info"}
    info, theirs = json.loads(ours["ss_bucket_info"]), json.loads(stated["ss_bucket_info"])
    assert info["buckets"] == theirs["buckets"] and info.keys() == theirs.keys()


def test_hashes_are_those_of_the_safetensors_library(tmp_path):
    from safetensors.torch import save

    torch.manual_seed(0)
    tensors = {f"w{i}": torch.randn(300, 300) for i in range(8)} | {"w.alpha": torch.tensor(1.0)}
    metadata = {"ss_b": "2", "ss_a": "ж\n"}
    theirs = save(tensors, metadata)
    header, ordered = serialise(tensors, metadata)
    hashes = model_hashes(header, data_chunks(ordered))
    length = int.from_bytes(theirs[:8], "little")
    assert hashes["sshs_model_hash"] == hashlib.sha256(theirs[8 + length :]).hexdigest()
    assert hashes["sshs_legacy_hash"] == hashlib.sha256(theirs[0x100000:0x110000]).hexdigest()[:8]


def test_short_hash_of_a_small_file_is_that_of_nothing():
    header, ordered = serialise({"a": torch.zeros(3)}, {})
    assert model_hashes(header, data_chunks(ordered))["sshs_legacy_hash"] == "e3b0c442"


def test_known_content_is_not_read_again(tmp_path):
    file = tmp_path / "m.safetensors"
    file.write_bytes(b"x" * 100)
    first = content_hash(file, tmp_path / "index.json")
    assert first == hashlib.sha256(b"x" * 100).hexdigest() == content_hash(file, tmp_path / "index.json")
    file.write_bytes(b"y" * 101)
    assert content_hash(file, tmp_path / "index.json") != first
