"""Tab-separated tables that hold any file name, also one with tabs or line breaks in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from loramake.errors import UserError
from loramake.files import write_text


def _encode(cell: str) -> str:
    # rare cells are written as a JSON string, so that a line stays a line and the file stays UTF-8
    odd = cell.startswith('"') or any(not sign.isprintable() for sign in cell)
    return json.dumps(cell) if odd else cell


def _decode(cell: str) -> str:
    return json.loads(cell) if cell.startswith('"') else cell


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table with a header line, atomically, as UTF-8."""
    lines = ["\t".join(map(_encode, row)) for row in [columns, *rows]]
    write_text(path, "\n".join(lines) + "\n")


def read_table(path: Path, columns: Sequence[str]) -> list[list[str]]:
    """Rows of a table that `write_table` wrote.

    Raises:
        UserError: its header is another one.
    """
    header, *lines = Path(path).read_text(encoding="utf-8").split("\n")
    if header.split("\t") != list(columns):
        raise UserError(
            "This table has other columns than expected.",
            file=path,
            found=header,
            expected=" ".join(columns),
            setting="delete the file; the next run makes it again",
        )
    return [[_decode(cell) for cell in line.split("\t")] for line in lines if line]
