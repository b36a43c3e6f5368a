"""A copy of an epoch in the webui's folder."""

from __future__ import annotations

import json

import pytest

from loramake.errors import UserError
from loramake.publishing import publish_lora


@pytest.fixture
def lora(tmp_path):
    folder = tmp_path / "loras" / "shim" / "base"
    folder.mkdir(parents=True)
    epochs = [{"epoch": e, "file": f"shim-{e:06d}.safetensors"} for e in (2, 4)]
    for entry in epochs:
        (folder / entry["file"]).write_text(f"weights {entry['epoch']}")
    (folder / "index.json").write_text(json.dumps({"epochs": epochs}))
    (tmp_path / "web ui").mkdir()
    return folder


@pytest.mark.parametrize(("epoch", "number"), [("last", 4), (2, 2)])
def test_copy_under_its_own_name(lora, tmp_path, epoch, number):
    target = tmp_path / "web ui" / f"shim-{number:06d}.safetensors"
    publish_lora(lora, tmp_path / "list.txt", folder=str(tmp_path / "web ui"), epoch=epoch)
    assert target.read_text() == f"weights {number}"
    assert str(target) in (tmp_path / "list.txt").read_text()
    target.write_text("changed by another tool")
    assert (lora / target.name).read_text() == f"weights {number}"
    publish_lora(lora, tmp_path / "list.txt", folder=str(tmp_path / "web ui"), epoch=epoch)
    assert target.read_text() == f"weights {number}" and len(list(target.parent.iterdir())) == 1


@pytest.mark.parametrize(
    ("folder", "epoch", "word"), [("", 2, "publish.folder"), ("nowhere", 2, "nowhere"), (".", 3, "epoch 3")]
)
def test_refusals(lora, tmp_path, monkeypatch, folder, epoch, word):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        publish_lora(lora, tmp_path / "list.txt", folder=folder, epoch=epoch)
    assert word in str(error.value)
