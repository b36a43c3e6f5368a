"""The direction of imports: no circles, nothing knows Snakemake, and planning loads neither torch nor images."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "loramake"
MODULES = {path.stem: ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.glob("*.py")}


def imported(tree: ast.Module) -> set[str]:
    """Every module that is imported anywhere in a file, as written."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_imports_have_no_circles():
    graph = {
        name: {other for other in MODULES if f"loramake.{other}" in imported(tree)} for name, tree in MODULES.items()
    }
    assert list(TopologicalSorter(graph).static_order())


def test_package_does_not_know_snakemake():
    assert not {name for name, tree in MODULES.items() if any(used.startswith("snakemake") for used in imported(tree))}


def test_planning_is_light():
    code = (
        "from loramake import boorus, cells, files, gathering, loranames, manifest, preflight, prompts, samplernames\n"
        "from loramake import schema, settings, sheetconfig, variants\n"
        "import sys; print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy", "PIL", "cv2", "diffusers", "transformers"} & set(loaded)


def test_the_gate_of_downloads_is_light():
    # gallery-dl loads it for every search
    code = "from loramake import gate; import sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy", "PIL", "cv2"} & set(loaded)


def test_gallery_dl_stays_a_program_of_its_own():
    assert not {name for name, tree in MODULES.items() if any(used.startswith("gallery_dl") for used in imported(tree))}


def test_picking_loads_no_torch_by_itself():
    # figures taken before are read again in a second
    code = "from loramake import pickingcells, pickingplot, pickingrun; import sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "diffusers", "transformers", "matplotlib"} & set(loaded)


def test_training_loads_no_compiler():
    # AdamW's methods would: seconds at the start of every training
    code = (
        "import sys, torch\n"
        "from loramake.eageradamw import EagerAdamW\n"
        "from loramake import trainloop\n"
        "weight = torch.nn.Parameter(torch.ones(3))\n"
        "optimizer = EagerAdamW([{'params': [weight]}], lr=0.1, fused=True)\n"
        "weight.sum().backward()\n"
        "optimizer.step()\n"
        "optimizer.zero_grad()\n"
        "optimizer.load_state_dict(optimizer.state_dict())\n"
        "print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "torch" in loaded and not {"torch._dynamo", "torch._inductor"} & set(loaded)
