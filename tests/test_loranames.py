"""From the names by which prompts call LoRAs to files."""

import pytest
import torch
from safetensors.torch import save_file

from loramake.errors import UserError
from loramake.loranames import call_loras, epoch_names, lora_title, needed_files


@pytest.fixture()
def folder(tmp_path):
    """A folder of LoRAs, one of them in a folder of its own."""
    for name in ("flat style", "sub/thin lines", "twice", "sub/twice"):
        path = tmp_path / f"{name}.safetensors"
        path.parent.mkdir(exist_ok=True)
        save_file({"a": torch.full((2,), float(len(name)))}, str(path))
    (tmp_path / "notes.txt").touch()
    return tmp_path


def test_names_of_epochs_before_training():
    assert epoch_names("shim", 5, 2) == ["shim-000002", "shim-000004", "shim-000005"]
    assert epoch_names("x", 10, 3) == ["x-000003", "x-000006", "x-000009", "x-000010"]
    assert epoch_names("x", 4, 9) == ["x-000004"]


def test_files_that_prompts_need(folder):
    prompts = ["a <lora:flat style:0.5> <lora:shim-000002:1>", "b <lora:thin lines> <lora:flat style:1>", "c"]
    assert needed_files(prompts, ["shim-000002"], folder) == {
        "flat style": folder / "flat style.safetensors",
        "thin lines": folder / "sub/thin lines.safetensors",
    }
    # without a call the folder is not even looked for
    assert needed_files(["c", "d <lora:shim-000002>"], ["shim-000002"], folder / "none") == {}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("flat stile", ["flat stile", "nearest is flat style", "grid.lora_dir"]),
        ("shim-000003", ["shim-000003", "nearest is shim-00000"]),
        ("zzz", ["one of flat style", "shim-000002"]),
        ("twice", ["twice.safetensors, ", "sub"]),
    ],
)
def test_refused_names(folder, call, words):
    with pytest.raises(UserError) as error:
        needed_files([f"a <lora:{call}:1>"], ["shim-000001", "shim-000002"], folder)
    assert all(word in str(error.value) for word in words)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UserError, match="grid.lora_dir"):
        needed_files(["<lora:x:1>"], [], tmp_path / "none")


def test_calls(folder):
    own = {"shim-000002": folder / "flat style.safetensors"}
    prompt = "<lora:thin lines:0.5:0.2> <lora:shim-000002:0> <lora:shim-000002:te=0:unet=1>"
    (first, second) = call_loras([prompt, "plain"], own, folder)[prompt]
    assert (first.name, first.text_weight, first.unet_weight) == ("thin lines", 0.5, 0.2)
    assert (second.file, second.text_weight, second.unet_weight) == (own["shim-000002"], 0, 1)
    assert len(first.short_hash) == 12 and first.digest != second.digest
    assert call_loras(["plain"], own, "") == {"plain": ()}


def test_the_variant_is_in_its_files_names_without_the_webuis_equals_sign():
    train = {"unet_lr": 2e-3, "network_dim": 128}
    assert lora_title("shim", {}, train) == lora_title("shim", {"unet_lr": 2e-3}, train) == "shim"
    assert lora_title("shim", {"unet_lr": 5e-4, "network_dim": 64}, train) == "shim-network_dim-64__unet_lr-5e-4"
    assert lora_title("shim", {"unet_lr": 5e-4, "network_dim": 128}, train) == "shim-unet_lr-5e-4"
    long = {"optimizer_type": "a." * 200 + "B"}
    titles = {
        lora_title("shim", long | {"unet_lr": rate}, train | {"optimizer_type": "AdamW"}) for rate in (1e-3, 1e-4)
    }
    assert len(titles) == 2 and all(len(title) < 220 for title in titles)
