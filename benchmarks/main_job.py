"""Cost of the main job from a fresh clone: CPU time, wall time, memory; then of the run right after it.

python benchmarks/main_job.py [--cores 1 2] [--json FILE]

"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
TARGET = "grids/shimakaze.png"


def resident_bytes(parent: int) -> int:
    """Resident memory in bytes of a process and all its descendants, from /proc (Linux)."""
    children: dict[int, list[int]] = {}
    resident: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(entry.name))
        resident[int(entry.name)] = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    total, waiting = 0, [parent]
    while waiting:
        process = waiting.pop()
        total += resident.get(process, 0)
        waiting += children.get(process, [])
    return total


def run(folder: Path, cores: int) -> dict[str, float | int | str]:
    """One `snakemake --cores N` in `folder`: wall and CPU seconds, peak memory in GB, last line."""
    peak, done = 0, threading.Event()
    before = os.times()
    start = time.monotonic()
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), TARGET]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:

        def watch() -> None:
            nonlocal peak
            while not done.wait(0.5):
                peak = max(peak, resident_bytes(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        output = process.communicate()[0]
        done.set()
        watcher.join()
    after = os.times()
    if process.returncode:
        raise SystemExit(output[-4000:])
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {
        "cores": cores,
        "wall_s": round(time.monotonic() - start, 1),
        "cpu_s": round(cpu, 1),
        "peak_gb": round(peak / 1e9, 2),
        "nothing_to_do": "Nothing to be done" in output,
    }


def main() -> None:
    """Clone, run, run again, and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    for cores in options.cores:
        with tempfile.TemporaryDirectory() as temporary:
            clone = Path(temporary) / "loramake"
            subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(clone)], check=True)
            for _ in range(2):
                rows.append(run(clone, cores))
                print(rows[-1], flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
