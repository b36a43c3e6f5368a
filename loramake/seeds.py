"""Seeds derived from one seed: randomness as a pure function of what it is for."""

from __future__ import annotations

import hashlib


def derived_seed(seed: int, *purpose: object) -> int:
    """A 63-bit seed that depends on `seed` and on what it is for (epoch, item, …), and on nothing else."""
    text = "\x1f".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "little") >> 1
