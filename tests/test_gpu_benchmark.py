"""The GPU benchmark's dry run on a CPU: it measures, and skips by name what a library is missing for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[1]


def test_training_is_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(HOUSE / "benchmarks"))
    import gpu
    import gpupart

    # the parts run here, where the libraries are loaded
    def measure(self, part, title="", **wishes):
        return self.note(title or part, getattr(gpupart, part)({**self.shared, **wishes}))

    monkeypatch.setattr(gpu.Bench, "measure", measure)
    monkeypatch.setattr("sys.argv", ["gpu.py", "--tiny", "--device", "cpu", "--parts", "train", "--batches", "2"])
    gpu.main()
    assert "| training, batch 2 |" in capsys.readouterr().out


def test_what_is_not_installed_is_named(tmp_path):
    (tmp_path / "diffusers.py").write_text("raise ModuleNotFoundError('no diffusers', name='diffusers')")
    command = [sys.executable, str(HOUSE / "benchmarks/gpu.py"), "--tiny", "--device", "cpu"]
    command += ["--parts", "ceiling", "cells", "--json", str(tmp_path / "found.json")]
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "found.json").read_text())["ceiling"]["tflops"] > 0
    assert "skipped: diffusers" in done.stdout
