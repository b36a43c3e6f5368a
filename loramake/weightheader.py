"""The header of a safetensors file, read without torch."""

from __future__ import annotations

import json
from pathlib import Path

from loramake.errors import UserError


def read_header(path: Path) -> tuple[dict, int]:
    """The header of a safetensors file and the offset of its data section, in bytes.

    Raises:
        UserError: missing, truncated or not a safetensors file.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        with open(path, "rb") as handle:
            length = int.from_bytes(handle.read(8), "little")
            if not 2 <= length <= size - 8:
                raise ValueError(f"{size:,} bytes, which cannot hold a header of {length:,}")
            header = json.loads(handle.read(length))
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        needed = 8 + length + max(ends, default=0)
        if needed != size:
            raise ValueError(f"{size:,} bytes of {needed:,}: the file is cut short" if needed > size else "extra bytes")
    except FileNotFoundError as error:
        raise UserError("There is no such file.", file=path, expected="a .safetensors file") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            "This is not a whole safetensors file.",
            file=path,
            found=error,
            expected="a complete .safetensors file",
            setting="download or copy the file again",
        ) from error
    return header, 8 + length
