"""Copying a trained epoch to where a webui looks for LoRAs."""

from __future__ import annotations

import shutil
from pathlib import Path

from loramake.epochs import epoch_file
from loramake.errors import UserError
from loramake.files import atomic_path, hash_file, read_json, write_text


def publish_lora(lora_dir: Path, listing: Path, *, folder: str, epoch: int | str, pick: Path | None = None) -> None:
    """Copy one epoch, under its own name, into a folder outside; a copy and not a link, so that nothing there can
    change the run.

    Args:
        lora_dir: `loras/{character}/{variant}`, with its `index.json`.
        listing: gets the path and SHA-256 of the copy.
        folder: the webui's LoRA folder; has to be there.
        epoch: counted from 1, "last", or "pick": the recommended one.
        pick: the JSON of pick_epoch, where that is wanted.

    Raises:
        UserError: no folder is configured or there is none at its path; this epoch was not saved; the pick calls the
            LoRA broken; the disk is full.
    """
    check_target(folder)
    if epoch == "last":
        epoch = max(entry["epoch"] for entry in read_json(Path(lora_dir) / "index.json")["epochs"])
    weight = 1.0
    if epoch == "pick":
        advice = read_json(pick)
        epoch, weight = advice["epoch"], advice["weight"]
        if advice["verdict"] == "broken":
            raise UserError(
                "Nothing is worth publishing.",
                file=pick,
                found=advice["reason"],
                expected="an epoch that works",
                setting="the training, or publish.epoch to have one all the same",
            )
        if advice["verdict"] != "good":
            print(f"note: {advice['reason']}")
    source = epoch_file(lora_dir, int(epoch))
    target, digest = Path(folder) / source.name, hash_file(source)
    if not (target.is_file() and hash_file(target) == digest):
        with atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)
    write_text(listing, f"{target}\t{digest}\n")
    print(f"published {target}: in a prompt <lora:{target.stem}:{weight:g}>")


def check_target(folder: str) -> None:
    """Refuse a folder to publish to that is not there.

    Raises:
        UserError: not configured, or nothing at its path.
    """
    if not folder or not Path(folder).is_dir():
        raise UserError(
            "There is no folder to publish to.",
            file=folder or None,
            found="nothing" if folder else 'publish.folder: ""',
            expected="the webui's folder of LoRAs, such as stable-diffusion-webui/models/Lora",
            setting="publish.folder",
        )
