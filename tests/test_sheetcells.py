"""Grids with axes of one's own: every kind draws what it says, once, out of the store that all grids share."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from test_rendering import SETTINGS, save_run
from trainable import make_base

from loramake import pngtext
from loramake.cellmemory import cut_by_size
from loramake.cells import find_checkpoints, plan_cells
from loramake.checkpoints import SafetensorsFile, save_tensors
from loramake.errors import UserError
from loramake.rendering import render_cells
from loramake.sheetcells import render_sheet
from loramake.sheets import assemble_grid

OWN = ("weights", "epochs", "prompts", "seeds", "clip_skip")
LOOK = {key: value for key, value in SETTINGS.items() if key not in OWN} | {"sampler": "Euler", "steps": 1}
PROMPTS = ["{trigger}, red dress"]


class Studio:
    """Two trained variants, a base model, and one store of cells."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.base = make_base(folder / "base.safetensors")
        self.runs = {
            "base": save_run(folder / "base run"),
            "unet_lr=1e-3": save_run(folder / "other run", (0.1, 0.2, 0.9)),
        }
        self.loras = folder / "loras"
        save_run(self.loras, (0.5,))
        (self.loras / "shimakaze-000001.safetensors").rename(self.loras / "style.safetensors")

    def draw(self, variants=("base",), **changes) -> tuple[dict, tuple[int, int]]:
        """The index of a sheet, and how many cells it rendered and reused."""
        told = {
            "name": "mine", "epoch": "auto", "weight": "auto", "lora": "", "prompts": PROMPTS, "seeds": [1],
            "clip_skips": {name: 2 for name in variants}, "base_model": str(self.base), **LOOK,
            "lora_dir": str(self.loras), **changes,
        }  # fmt: skip
        picks, cache = told.pop("picks", {}), self.folder / told.pop("cache", "cache")
        runs = {name: self.runs[name] for name in variants}
        render_sheet(runs, picks, self.folder / "out", cache, **told)
        last = (cache / "work.tsv").read_text().splitlines()[-1].split("\t")
        return json.loads((self.folder / "out/cells.json").read_text()), tuple(map(int, last))

    def text(self, name: str) -> tuple[str, str, dict[str, str]]:
        return pngtext.read_parameters(pngtext.read_text((self.folder / "out" / name).read_bytes()))

    def picture(self, name: str) -> bytes:
        return Image.open(self.folder / "out" / name).convert("RGB").tobytes()


@pytest.fixture(scope="module")
def studio(tmp_path_factory) -> Studio:
    return Studio(tmp_path_factory.mktemp("studio"))


def both(**axes):
    return {"axes": {side: list(axis) for side, axis in axes.items()}}


def test_all_kinds_share_one_store(studio):
    grid = {**SETTINGS, **LOOK, "prompts": PROMPTS, "seeds": [1], "weights": "0, 1", "lora_dir": ""}
    render_cells(
        studio.runs["base"], studio.folder / "main", studio.folder / "cache", base_model=str(studio.base), **grid
    )
    two = ("base", "unet_lr=1e-3")
    # variant x weight at the last epoch: only the other variant's cell at weight 1 is new
    index, counts = studio.draw(two, **both(x=("weight", [0, 1]), y=("variant", two)))
    assert counts == (1, 2) and len(index["cells"]) == 4
    assert index["settings"]["fixed"] == {"epoch": {"base": 2, "unet_lr=1e-3": 3}}
    # variant x epoch at weight 1: base has no epoch 3, whose place stays empty
    index, counts = studio.draw(two, **both(x=("epoch", ["all"]), y=("variant", two)))
    assert counts == (2, 3) and len(index["cells"]) == 5 and index["axes"]["x"]["labels"] == ["1", "2", "3"]
    # one weight more draws its column alone
    axes = both(x=("weight", [0, 0.5, 1]), y=("variant", two))
    assert studio.draw(two, **axes)[1] == (2, 3)
    assert studio.draw(two, **axes)[1] == (0, 5)


@pytest.mark.parametrize(
    ("axis", "values", "field", "texts"),
    [
        ("sampler", ["Euler", "DDIM"], "Sampler", ["Euler", "DDIM"]),
        ("steps", [1, 2], "Steps", ["1", "2"]),
        ("cfg_scale", [1.0, 3.5], "CFG scale", ["1", "3.5"]),
        ("clip_skip", [1, 2], "Clip skip", [None, "2"]),
        ("seed", [4, 5], "Seed", ["4", "5"]),
    ],
)
def test_axes_of_the_look(studio, axis, values, field, texts):
    index, _ = studio.draw(**both(x=(axis, values)))
    names = [row["file"] for row in index["cells"]]
    assert [studio.text(name)[2].get(field) for name in names] == texts
    assert len({studio.picture(name) for name in names}) == 2


def test_axes_of_the_prompt(studio):
    changes = {"negative_prompt": "red"}
    index, _ = studio.draw(**both(x=("prompt_sr", ["red", "blue"]), y=("weight", [0, 1])), **changes)
    assert studio.text("x2_y1_z1_p1_s1.png")[:2] == ("shim, blue dress", "blue")
    index, _ = studio.draw(**both(x=("prompt", ["a", "{trigger}"]), y=("seed", [1, 2])))
    assert index["axes"]["x"]["labels"] == ["a", "shim"] and index["axes"]["prompt"] == index["axes"]["seed"] == []
    assert len({studio.picture(row["file"]) for row in index["cells"]}) == 4


def test_two_loras(studio):
    axes = both(x=("weight", [0, 1]), y=("lora_weight", [0, 0.5]))
    index, _ = studio.draw(**axes, lora="style")
    assert studio.text("x2_y2_z1_p1_s1.png")[0] == "shim, red dress <lora:style:0.5> <lora:shimakaze-000002:1>"
    assert len({studio.picture(row["file"]) for row in index["cells"]}) == 4
    with pytest.raises(UserError, match="nearest is style"):
        studio.draw(**axes, lora="stile")


def test_base_models_on_an_axis(studio):
    other = make_base(studio.folder / "other.safetensors", seed=5)
    index, _ = studio.draw(**both(x=("model", [str(studio.base), str(other)]), z=("steps", [1, 2])))
    assert index["axes"]["x"]["labels"] == ["base", "other"]
    assert len({studio.picture(row["file"]) for row in index["cells"]}) == 4
    assert studio.text("x2_y1_z2_p1_s1.png")[2]["Model"] == "other"


def test_each_base_model_of_an_axis_predicts_what_is_said_of_it(studio):
    other, marked = (make_base(studio.folder / f"{name}.safetensors", seed=6) for name in ("third", "marked"))
    file = SafetensorsFile(marked)
    tensors = {name: file.get(name) for name in file.names()}
    save_tensors(marked, {**tensors, "v_pred": torch.zeros(0)}, dict(file.metadata))
    models = [str(path) for path in (studio.base, other, marked)]

    def draw(*chosen, **changes):
        index, _ = studio.draw(**both(x=("model", list(chosen))), seeds=[9], **changes)
        return [studio.picture(row["file"]) for row in index["cells"]]

    noise = draw(*models)
    # the base model is said to predict velocity; of the others their files tell
    velocity = {"v_parameterization": True, "zero_terminal_snr": "auto"}
    mixed = draw(*models, v_parameterization=True, models_said={models[0]: velocity})
    assert mixed[0] != noise[0] and mixed[1:] == noise[1:]
    assert noise[1] != noise[2]
    # the same weights, once told by the file and once by the settings
    assert draw(models[1], models_said={models[1]: velocity}) == [noise[2]]


def test_the_recommended_epoch_and_weight(studio):
    pick = studio.folder / "pick.json"
    pick.write_text(json.dumps({"variant": "base", "epoch": 1, "weight": 0.5}))
    studio.draw(**both(x=("seed", [1])), picks={"base": pick})
    assert "<lora:shimakaze-000001:0.5>" in studio.text("x1_y1_z1_p1_s1.png")[0]
    studio.draw(**both(x=("seed", [1])), picks={"base": pick}, epoch="last", weight=1)
    assert "<lora:shimakaze-000002:1>" in studio.text("x1_y1_z1_p1_s1.png")[0]


def test_two_runs_give_the_same_bytes(studio):
    pick = studio.folder / "same.json"
    pick.write_text(json.dumps({"variant": "base", "epoch": 1, "weight": 0.5, "verdict": "good", "reason": "x"}))
    two = ("base", "unet_lr=1e-3")
    made = []
    for cache in ("one cache", "other cache"):
        axes = both(x=("weight", [0, 0.5]), y=("variant", two), z=("cfg_scale", [1.0, 3.0]))
        _, counts = studio.draw(two, **axes, seeds=[1, 2], picks={"base": pick}, cache=cache)
        assert counts == (2 * 2 * (1 + 2), 0)
        sheet = studio.folder / "sheet.png"
        assemble_grid(studio.folder / "out", sheet, heading="shim", picks=[pick], preview_above=0)
        files = [sheet, sheet.with_suffix(".webp"), *sorted((studio.folder / "out").iterdir())]
        made.append({path.name: path.read_bytes() for path in files})
    assert made[0].keys() == made[1].keys() and len(made[0]) == 2 + 2 * 2 * 2 * 2 + 1
    assert [name for name in made[0] if made[0][name] != made[1][name]] == []
    assert b"X Type" in made[0]["sheet.png"]


def test_mistakes_are_refused_before_anything_is_loaded(studio, monkeypatch):
    monkeypatch.setitem(sys.modules, "loramake.cellpainting", None)
    with pytest.raises(UserError, match="epoch 9"):
        studio.draw(**both(x=("epoch", [1, 9])))
    with pytest.raises(UserError, match="epoch 9"):
        studio.draw(**both(x=("weight", [1])), epoch=9)


def test_a_lora_for_another_kind_of_model_is_refused_before_anything_is_loaded(studio, monkeypatch):
    monkeypatch.setitem(sys.modules, "loramake.cellpainting", None)
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight"
    save_file({name: torch.ones(2, 1024)}, str(studio.loras / "for two.safetensors"))
    save_file({"lora_te2_x.lora_down.weight": torch.ones(2, 16)}, str(studio.loras / "for xl.safetensors"))
    for lora, kind in (("for two", "SD2.x"), ("for xl", "SDXL")):
        with pytest.raises(UserError, match="another kind of model") as caught:
            studio.draw(**both(x=("lora_weight", [0.25, 0.3])), lora=lora, seeds=[77])
        assert caught.value.found == kind


def test_adapters_that_do_not_fit_take_turns(studio, monkeypatch):
    checkpoints = find_checkpoints(studio.runs["unet_lr=1e-3"], "all")
    cells = plan_cells(checkpoints, [0, 0.5, 1], ["a"], [1, 2], shared={})
    one = checkpoints[0].file.stat().st_size * 2
    shares = cut_by_size(cells, one * 2.5, 4)
    assert sum(shares, []) == cells and len(shares) == 2
    assert [len({cell.checkpoint for cell in share if cell.checkpoint}) for share in shares] == [2, 1]
    assert cut_by_size(cells, float("inf"), 4) == [cells]
    monkeypatch.setattr("loramake.cellmemory._memory", lambda device, free=False: 10**6)
    with pytest.raises(UserError, match=r"grid\.batch_size"):
        studio.draw(**both(x=("seed", [501, 502])), width=512, height=512)
