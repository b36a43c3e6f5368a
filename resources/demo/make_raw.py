"""Make the demo's raw downloads again: resources/demo/raw/shimakaze and config/edits/shimakaze.yaml.

    python resources/demo/make_raw.py

The same Pillow (rawset/encode.py names it) gives the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT)]

from rawset import folder  # noqa: E402
from tqdm import tqdm  # noqa: E402

from loramake.files import atomic_path, write_text  # noqa: E402


def main() -> None:
    """Write the folder and the edits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--output", type=Path, default=HERE / "raw" / "shimakaze")
    parser.add_argument("--edits", type=Path, default=ROOT / "config" / "edits" / "shimakaze.yaml")
    options = parser.parse_args()
    names, size = set(), 0
    for name, content in tqdm(folder.files(), desc="draw", unit=" files"):
        with atomic_path(options.output / name) as temporary:
            temporary.write_bytes(content)
        names.add(name)
        size += len(content)
    foreign = sorted({path.name for path in options.output.iterdir()} - names)
    if foreign:
        print(f"left alone, as not made here: {', '.join(foreign)}", file=sys.stderr)
    write_text(options.edits, folder.edits())
    print(f"{options.output}: {len(names)} files, {size / 1e6:.1f} MB; {options.edits}")


if __name__ == "__main__":
    main()
