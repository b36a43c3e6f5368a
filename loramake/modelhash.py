"""What a model file is, by content: full SHA-256 and kohya's short window hash; no torch."""

from __future__ import annotations

import hashlib
from pathlib import Path

from loramake.errors import UserError
from loramake.files import hash_file, hash_value, read_json, to_json, write_if_changed

_PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")


def content_hash(path: Path | str, index: Path, *, setting: str = "base_model") -> str:
    """SHA-256 of a file, or of a diffusers folder's parts taken together, 64 hex digits.

    Args:
        path: model file or folder; "" gives "".
        index: JSON file in which hashes are remembered with size and time, so that 4 GB are not read twice.
        setting: config key to name when the file is missing.

    Raises:
        UserError: the file is missing.
    """
    if not str(path):
        return ""
    path = Path(path).resolve()
    if path.is_dir():
        files = sorted(p for part in _PARTS for p in (path / part).rglob("*") if p.is_file())
        files += sorted(p for p in path.iterdir() if p.is_file() and p.suffix in (".safetensors", ".bin", ".json"))
        return hash_value([[str(p.relative_to(path)), content_hash(p, index)] for p in files])
    try:
        status = path.stat()
    except OSError as error:
        raise UserError("There is no such file.", file=path, expected="a model file", setting=setting) from error
    try:
        known = read_json(index)
    except (OSError, ValueError):
        known = {}
    entry = known.get(str(path))
    if entry and entry[:2] == [status.st_size, status.st_mtime_ns]:
        return entry[2]
    digest = hash_file(path)
    write_if_changed(index, to_json({**known, str(path): [status.st_size, status.st_mtime_ns, digest]}))
    return digest


def legacy_hash(path: Path | str) -> str:
    """kohya's and the webui's old short hash: 8 hex digits of the SHA-256 of 64 KiB from offset 1 MiB."""
    path = Path(path)
    if path.is_dir():
        return ""
    with open(path, "rb") as handle:
        handle.seek(0x100000)
        return hashlib.sha256(handle.read(0x10000)).hexdigest()[:8]
