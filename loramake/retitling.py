"""A finished run under another name: two variants may turn out to be one run, and a webui knows LoRAs by name alone."""

from __future__ import annotations

import shutil
from pathlib import Path

from loramake.checkpoints import SafetensorsFile, data_chunks, save_tensors, serialise
from loramake.files import hash_file, read_json, to_json, write_text
from loramake.metadata import model_hashes
from loramake.runs import INDEX, Run


def retitle(run: Run, title: str) -> Path:
    """Write a finished run's epochs as if it had been trained under another title; returns their folder.

    Tensors stay; the names in the metadata change, and the hashes that cover them.
    """
    folder = run.folder / "titled" / title
    index = read_json(run.folder / INDEX)
    for entry in index["epochs"]:
        target = folder / f"{title}-{entry['epoch']:06d}.safetensors"
        _rename(run.folder / entry["file"], target)
        entry |= {"file": target.name, "sha256": hash_file(target)}
    write_text(folder / INDEX, to_json(index))
    print(f"the same run under another name: {title}")
    return folder


def _rename(source: Path, target: Path) -> None:
    file = SafetensorsFile(source)
    stated = {key: value for key, value in file.metadata.items() if not key.startswith("sshs_")}
    named = [key for key in ("ss_output_name", "modelspec.title") if key in stated]
    target.parent.mkdir(parents=True, exist_ok=True)
    if not named:
        shutil.copyfile(source, target)
        return
    stated |= dict.fromkeys(named, target.stem)
    tensors = {name: file.get(name) for name in file.names()}
    header, ordered = serialise(tensors, {key: value for key, value in stated.items() if key.startswith("ss_")})
    save_tensors(target, tensors, {**stated, **model_hashes(header, data_chunks(ordered))})
