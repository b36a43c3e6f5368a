"""Cells: which are drawn, which are reused, what they carry, and when a grid is refused."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from tinymodels import tiny_models
from trainable import make_base

from loramake import lora, pngtext
from loramake.checkpoints import SafetensorsFile, save_tensors
from loramake.errors import UserError
from loramake.rendering import render_cells

SETTINGS = {
    "base_model_config": "",
    "vae": "",
    "device": "cpu",
    "clip_skip": 2,
    "trigger": "shim",
    "prompts": ["{trigger}, 1girl", "{trigger}, [red|blue] dress"],
    "negative_prompt": "(worst quality:1.4)",
    "seeds": [1, 2],
    "weights": "0, 0.5, 1",
    "sampler": "Euler a",
    "steps": 2,
    "cfg_scale": 3,
    "eta": "auto",
    "width": 64,
    "height": 64,
    "batch_size": 5,
    "epochs": "all",
    "lora_dir": "",
    "threads": 1,
}


def save_run(folder: Path, strengths=(0.3, 0.6)) -> Path:
    """A finished run whose LoRAs are noise."""
    folder.mkdir()
    models = tiny_models()
    tensors = lora.attach(models.unet, models.text_encoder, rank=2, alpha=1, seed=0).tensors()
    epochs = []
    for epoch, strength in enumerate(strengths, start=1):
        generator = torch.Generator().manual_seed(epoch)
        for name, tensor in tensors.items():
            if "lora_up" in name:
                tensors[name] = torch.randn(tensor.shape, generator=generator) * strength
        name = f"shimakaze-{epoch:06d}.safetensors"
        save_file(tensors, str(folder / name), metadata={"ss_output_name": name})
        epochs.append({"epoch": epoch, "file": name, "sha256": ""})
    (folder / "index.json").write_text(json.dumps({"epochs": epochs}))
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return make_base(tmp_path_factory.mktemp("base") / "tiny model.safetensors")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return save_run(tmp_path_factory.mktemp("loras") / "base")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory, base, run) -> Path:
    """A folder with a finished grid in `out` and its `cache`."""
    folder = tmp_path_factory.mktemp("drawn")
    render_cells(run, folder / "out", folder / "cache", base_model=str(base), **SETTINGS)
    return folder


def work(folder: Path) -> list[tuple[int, int]]:
    lines = (folder / "cache/work.tsv").read_text().splitlines()[1:]
    return [tuple(map(int, line.split("\t"))) for line in lines]


def again(drawn: Path, base: Path, run: Path, out: str, **changes) -> tuple[int, int]:
    """Render once more with changed settings; how many cells that rendered and reused."""
    render_cells(run, drawn / out, drawn / "cache", **{"base_model": str(base), **SETTINGS, **changes})
    return work(drawn)[-1]


def test_first_grid(drawn):
    names = {f"w0_p{p}_s{s}.png" for p in (1, 2) for s in (1, 2)}
    names |= {f"e00000{e}_w{w}_p{p}_s{s}.png" for e in (1, 2) for w in ("0.5", "1") for p in (1, 2) for s in (1, 2)}
    assert {path.name for path in (drawn / "out").iterdir()} == names | {"cells.json"}
    assert work(drawn)[0] == (20, 0)
    pictures = [Image.open(drawn / "out" / name).convert("RGB") for name in names]
    assert {picture.size for picture in pictures} == {(64, 64)}
    assert len({picture.tobytes() for picture in pictures}) == 20


def test_index(drawn):
    index = json.loads((drawn / "out/cells.json").read_text())
    assert index["axes"] == {
        "epoch": [1, 2],
        "weight": [0, 0.5, 1],
        "prompt": ["shim, 1girl", "shim, [red|blue] dress"],
        "seed": [1, 2],
    }
    assert len(index["cells"]) == 20
    assert {"epoch": None, "weight": 0, "prompt": 1, "seed": 2, "file": "w0_p1_s2.png"} in index["cells"]


def test_png_text(drawn):
    def text(name: str) -> tuple[str, str, dict[str, str]]:
        return pngtext.read_parameters(pngtext.read_text((drawn / "out" / name).read_bytes()))

    prompt, negative, fields = text("e000002_w0.5_p1_s2.png")
    assert prompt == "shim, 1girl <lora:shimakaze-000002:0.5>" and negative == "(worst quality:1.4)"
    assert list(fields) == [
        "Steps", "Sampler", "CFG scale", "Seed", "Size", "Model hash", "Model", "Clip skip", "Lora hashes"
    ]  # fmt: skip
    assert (fields["Seed"], fields["Size"], fields["Model"]) == ("2", "64x64", "tiny model")
    assert text("w0_p1_s1.png")[0] == "shim, 1girl"


def test_same_again_is_the_same_bytes(drawn, base, run, tmp_path):
    render_cells(run, tmp_path / "out", tmp_path / "cache", base_model=str(base), **SETTINGS)
    for path in (drawn / "out").iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes(), path.name


def test_relinking_needs_no_torch(drawn, base, run, tmp_path):
    arguments = {**SETTINGS, "base_model": str(base)}
    code = (
        "import sys, json\nfrom pathlib import Path\nfrom loramake.rendering import render_cells\n"
        "a = json.loads(sys.argv[1])\nrender_cells(*map(Path, sys.argv[2:]), **a)\n"
        "assert not {'torch', 'diffusers', 'transformers'} & set(sys.modules)\n"
    )
    folders = [str(run), str(tmp_path / "out"), str(drawn / "cache")]
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(arguments), *folders], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert work(drawn)[-1] == (0, 20)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {path.name for path in (drawn / "out").iterdir()}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"weights": "0, 0.5, 0.7, 1"}, (4 * 2, 20)),
        ({"seeds": [2, 1, 3]}, (10, 20)),
        ({"prompts": ["{trigger}, 1girl"]}, (0, 10)),
        ({"prompts": ["{trigger}, night"], "seeds": [1]}, (5, 0)),
        ({"epochs": [2]}, (0, 12)),
        ({"batch_size": 1, "threads": 1}, (0, 20)),
        ({"steps": 3, "seeds": [1], "prompts": ["x"], "weights": [1]}, (2, 0)),
        ({"eta": 1.0}, (0, 20)),  # what "auto" is for this sampler
        ({"eta": 0.5, "seeds": [1]}, (10, 0)),
    ],
)
def test_only_what_is_missing_is_rendered(drawn, base, run, tmp_path, changes, expected):
    assert again(drawn, base, run, "changed", **changes) == expected


def test_pictures_hardly_depend_on_the_batch(drawn, base, run, tmp_path):
    changes = {"batch_size": 3, "weights": "1, 0.5", "seeds": [2]}
    render_cells(run, tmp_path / "out", tmp_path / "cache", **{"base_model": str(base), **SETTINGS, **changes})
    for path in (tmp_path / "out").glob("*.png"):
        whole = numpy.asarray(Image.open(drawn / "out" / path.name.replace("_s1", "_s2")).convert("RGB")).astype(int)
        part = numpy.asarray(Image.open(path).convert("RGB")).astype(int)
        assert abs(whole - part).max() <= 1


def test_two_processes_draw_the_same_bytes(drawn, base, run, tmp_path):
    render_cells(run, tmp_path / "out", tmp_path / "cache", base_model=str(base), **{**SETTINGS, "threads": 2})
    assert work(tmp_path)[0] == (20, 0)
    for path in (drawn / "out").iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes(), path.name


def test_drawing_needs_neither_diffusers_nor_transformers(drawn, base, run, tmp_path):
    code = (
        "import sys, json\nfrom pathlib import Path\nfrom loramake.rendering import render_cells\n"
        "a = json.loads(sys.argv[1])\nrender_cells(*map(Path, sys.argv[2:]), **a)\n"
        "assert 'torch' in sys.modules and not {'diffusers', 'transformers'} & set(sys.modules)\n"
    )
    arguments = json.dumps({**SETTINGS, "base_model": str(base)})
    folders = [str(run), str(tmp_path / "out"), str(tmp_path / "cache")]
    done = subprocess.run(
        [sys.executable, "-c", code, arguments, *folders], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_mistake_found_in_another_process_is_told(base, run, tmp_path):
    changes = {"threads": 2, "clip_skip": 9}
    with pytest.raises(UserError, match="clip_skip"):
        render_cells(run, tmp_path / "out", tmp_path / "cache", **{"base_model": str(base), **SETTINGS, **changes})


def test_a_renamed_run_relinks_with_its_own_name(drawn, base, run, tmp_path):
    other = tmp_path / "loras"
    other.mkdir()
    for path in run.glob("*.safetensors"):
        (other / path.name.replace("shimakaze", "yukikaze")).write_bytes(path.read_bytes())
    (other / "index.json").write_text((run / "index.json").read_text().replace("shimakaze", "yukikaze"))
    assert again(drawn, base, other, "renamed") == (0, 20)
    png = (drawn / "renamed/e000001_w1_p1_s1.png").read_bytes()
    assert "<lora:yukikaze-000001:1>" in pngtext.read_text(png)
    assert pngtext.pixels(png) == pngtext.pixels((drawn / "out/e000001_w1_p1_s1.png").read_bytes())


def test_loras_that_prompts_call(drawn, base, run, tmp_path):
    folder = tmp_path / "my loras"
    save_run(folder, strengths=(0.5,))
    called = folder / "shimakaze-000001.safetensors"
    called.rename(folder / "soft lines.safetensors")
    changes = {"prompts": ["{trigger}, 1girl <lora:soft lines:0.7:0.4>"], "seeds": [1], "lora_dir": str(folder)}
    assert again(drawn, base, run, "called", **changes) == (5, 0)
    assert again(drawn, base, run, "called", **changes) == (0, 5)
    png = (drawn / "called/e000002_w1_p1_s1.png").read_bytes()
    prompt, _, fields = pngtext.read_parameters(pngtext.read_text(png))
    assert prompt == "shim, 1girl <lora:soft lines:0.7:0.4> <lora:shimakaze-000002:1>"
    assert [entry.split(": ")[0] for entry in fields["Lora hashes"].split(", ")] == ["soft lines", "shimakaze-000002"]
    plain, with_it = (Image.open(drawn / name / "w0_p1_s1.png").convert("RGB").tobytes() for name in ("out", "called"))
    assert plain != with_it
    # another file under the name makes other pictures; own epochs are called without a folder
    save_run(tmp_path / "other", strengths=(0.1,))
    (tmp_path / "other/shimakaze-000001.safetensors").replace(folder / "soft lines.safetensors")
    assert again(drawn, base, run, "called", **changes) == (5, 0)
    own = {"prompts": ["{trigger} <lora:shimakaze-000001:1>"], "seeds": [1], "weights": [0]}
    assert again(drawn, base, run, "called", **own) == (1, 0)


def test_a_damaged_cell_is_drawn_again_and_strays_are_removed(drawn, base, run):
    assert again(drawn, base, run, "mended") == (0, 20)
    shown = drawn / "mended/w0_p1_s1.png"
    victim = next(path for path in (drawn / "cache").rglob("*.png") if path.samefile(shown))
    victim.write_bytes(victim.read_bytes()[:50])
    (drawn / "mended/e000009_w1_p1_s1.png").touch()
    assert again(drawn, base, run, "mended") == (1, 19)
    assert not (drawn / "mended/e000009_w1_p1_s1.png").exists()
    Image.open(io.BytesIO(victim.read_bytes())).load()


def test_a_lora_that_does_nothing_fails_the_build(base, tmp_path):
    run = save_run(tmp_path / "loras", strengths=(1e-9, 1e-9))
    with pytest.raises(UserError, match="did not apply"):
        render_cells(run, tmp_path / "out", tmp_path / "cache", base_model=str(base), **SETTINGS)
    assert len(list((tmp_path / "cache").rglob("*.png"))) == 20  # what was finished stays


def test_a_lora_of_zeros_fails_the_build(base, tmp_path):
    run = save_run(tmp_path / "loras", strengths=(0,))
    with pytest.raises(UserError, match="no effect"):
        render_cells(run, tmp_path / "out", tmp_path / "cache", base_model=str(base), **SETTINGS)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"prompts": ["(x"]}, "grid.prompts"),
        ({"prompts": ["x <lora:shimakase-000001:1>"]}, "nearest is shimakaze-000001"),
        ({"negative_prompt": "a AND b"}, "grid.negative_prompt"),
        ({"negative_prompt": "[x"}, "grid.negative_prompt"),
        ({"weights": "a"}, "grid.weights"),
        ({"sampler": "Euler b"}, "grid.sampler"),
        ({"epochs": [5]}, "grid.epochs"),
        ({"base_model": "missing.safetensors"}, "missing.safetensors"),
    ],
)
def test_mistakes_are_refused_before_anything_is_loaded(base, run, tmp_path, monkeypatch, changes, match):
    monkeypatch.setitem(sys.modules, "loramake.cellpainting", None)
    with pytest.raises(UserError, match=match):
        render_cells(run, tmp_path / "out", tmp_path / "cache", **{"base_model": str(base), **SETTINGS, **changes})
    assert not (tmp_path / "out").exists()


def test_a_forced_prediction_type_draws_as_a_model_that_says_so(run, base, tmp_path):
    marked = tmp_path / "marked.safetensors"
    file = SafetensorsFile(base)
    tensors = {name: file.get(name) for name in file.names()}
    save_tensors(marked, {**tensors, "v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}, dict(file.metadata))
    changes = {"weights": "0, 1", "epochs": [1], "prompts": ["1girl"], "seeds": [1]}

    def draw(model: Path, out: str, **said: object) -> list[bytes]:
        options = {**SETTINGS, **changes, **said, "base_model": str(model)}
        render_cells(run, tmp_path / out, tmp_path / "cache", **options)
        return [Image.open(path).tobytes() for path in sorted((tmp_path / out).glob("*.png"))]

    plain = draw(base, "plain")
    forced = draw(base, "forced", v_parameterization=True, zero_terminal_snr=True)
    assert forced == draw(marked, "marked") != plain
    assert draw(base, "velocity", v_parameterization=True) not in (plain, forced)
    assert draw(marked, "undone", v_parameterization=False) == plain


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()])
def test_running_out_of_memory_names_settings(run, base, tmp_path, monkeypatch, error):
    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("loramake.cellpainting.paint", fail)
    with pytest.raises(UserError) as caught:
        render_cells(run, tmp_path / "out", tmp_path / "cache", base_model=str(base), **SETTINGS)
    assert "grid.batch_size: 2 (now 5)" in str(caught.value)
