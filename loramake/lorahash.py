"""Content hash of a LoRA file, without torch: what pixels depend on is its tensors, not its name or metadata."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from loramake import files
from loramake.errors import UserError


def lora_digest(file: Path) -> tuple[str, str]:
    """Hash of a `.safetensors` file's tensors (not of its metadata, which holds times), 64 hex digits.

    Returns:
        that, and the 12 hex digits by which the webui knows the LoRA (from the data section alone).

    Raises:
        UserError: missing, truncated, or another format.
    """
    try:
        with open(file, "rb") as handle:
            header = json.loads(handle.read(int.from_bytes(handle.read(8), "little")))
            start = handle.tell()
            data = hashlib.file_digest(handle, "sha256").hexdigest()  # from here on: the tensors
            size = handle.tell() - start
        header.pop("__metadata__", None)
        expected = max(entry["data_offsets"][1] for entry in header.values())
        if size != expected:
            raise ValueError(f"{size:,} bytes of weights instead of {expected:,}")
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, MemoryError) as error:
        raise UserError(
            "This LoRA cannot be read.",
            file=file,
            found=error,
            expected="a whole .safetensors file",
            setting="remove it and run the training again",
        ) from error
    return files.hash_value({"tensors": header, "data": data}), data[:12]
