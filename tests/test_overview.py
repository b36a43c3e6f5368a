"""The character's report: what it shows of the variants, that it stands alone, and how large it gets."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from test_report import Page
from trainedvariant import PROMPTS, write_variant

from loramake import pages
from loramake.curves import Curve, draw_curves, nice_ticks, short, thin
from loramake.errors import UserError
from loramake.figures import matrices
from loramake.outcomes import Pick, read_pick
from loramake.overview import VariantFiles, fit_side, report_character
from loramake.settingstable import compare_settings


def report(folder: Path, *variants: VariantFiles, megapixels: float = 80, sweeps: dict | None = None) -> Page:
    """The page of these variants."""
    out = folder / "reports/shim.html"
    report_character(
        variants, folder / "reports/shim/dataset.html", out, folder / "runs", folder / "cache", character="shim",
        embedded_megapixels=megapixels, settings={}, sweeps=sweeps or {},
    )  # fmt: skip
    return Page(out.read_text(encoding="utf-8"))


def grid_cells(page: Page) -> list[dict]:
    """Attributes of the pictures of the grids, not of those shown again elsewhere."""
    return [each for each in page.all("button") if "data-file" in each]


def test_the_pick_comes_first_with_its_reason_and_how_to_call_it(tmp_path):
    page = report(tmp_path, write_variant(tmp_path))
    assert "Epoch 2, weight 0.5 Validation loss is lowest at 2. <lora:shim-000002:0.5>" in page.shown
    assert page.shown.index("Epoch 2, weight 0.5") < page.shown.index("Weights across")
    picked = [each for each in page.all("td") if each.get("class") == "picked" and "style" not in each]
    assert len(picked) == len(PROMPTS)


def test_every_cell_is_there_once_and_named(tmp_path):
    page = report(tmp_path, write_variant(tmp_path))
    found = grid_cells(page)
    # 3 epochs x 2 weights, and weight 0 once, of 2 prompts and 2 seeds
    assert len(found) == (3 * 2 + 1) * 2 * 2
    assert len({each["data-file"] for each in found}) == len(found)
    assert "epoch 3, weight 1, prompt 2, seed 13371488" in {each.get("alt") for each in page.all("img")}
    assert all((tmp_path / "reports" / each["data-file"]).is_file() for each in found)
    assert "Negative prompt: bad" in found[0]["data-text"]


def test_two_variants_share_plots_and_tables(tmp_path):
    other = write_variant(tmp_path, "unet_lr=5e-4", epochs=2, picked=(1, 1.0), settings={"unet_lr": 5e-4})
    page = report(tmp_path, write_variant(tmp_path), other)
    assert "unet_lr = 5e-4: epoch 1, weight 1" in page.shown
    assert "What differs setting base unet_lr = 5e-4 unet_lr 2e-3 5e-4 What is the same" in page.shown
    assert len(re.findall(r'<path class="curve k[01]" d="M[^"]+L', page.text)) == 4
    assert {each["data-variant"] for each in grid_cells(page)} == {"base", "unet_lr=5e-4"}


def test_a_sweep_shows_each_variant_at_its_pick_and_no_picture_twice(tmp_path):
    other = write_variant(tmp_path, "unet_lr=5e-4", epochs=2, picked=(1, 1.0), score=0.4)
    both = write_variant(tmp_path), other
    sweeps = {"rates": [("unet_lr=5e-4", "unet_lr=5e-4"), ("unet_lr=2e-3", "base")]}
    page, plain = report(tmp_path, *both, sweeps=sweeps), report(tmp_path, *both)
    rows = ["unet_lr = 5e-4 epoch 1", "unet_lr = 2e-3 epoch 2"]
    # each prompt has a table of weights, and one of epochs
    assert [page.shown.count(row) for row in rows] == [len(PROMPTS)] * 2
    assert page.shown.index(rows[0]) < page.shown.index(rows[1])
    assert page.shown.count("unet_lr = 5e-4 weight 1 –") == len(PROMPTS)
    sources = [[each["src"] for each in shown.all("img") if "src" in each] for shown in (page, plain)]
    assert sources[0] == sources[1]
    assert page.shown.count("highest score") == 1
    assert page.shown.index("Variants base") < page.shown.index("highest score") < page.shown.index("Variants down")


def test_without_validation_or_pick_the_page_says_so(tmp_path):
    page = report(tmp_path, write_variant(tmp_path, validation=False, picked=None))
    assert "No recommendation" in page.shown
    assert "Not measured" in page.shown
    assert "Evidence" not in page.shown


def test_hashes_are_those_of_the_files(tmp_path):
    variant = write_variant(tmp_path)
    index = json.loads((variant.lora / "index.json").read_text(encoding="utf-8"))
    page = report(tmp_path, variant)
    # the first digits stand in an element of their own
    plain = "".join(page.words)
    assert all(each in plain for each in [*(entry["sha256"] for entry in index["epochs"]), "ab" * 32, "run-base"])


def test_the_page_stands_alone_and_text_stays_text(tmp_path):
    page = report(tmp_path, write_variant(tmp_path, reason="<script>alert(1)</script>\u202e"))
    (policy,) = (each["content"] for each in page.all("meta") if each.get("http-equiv"))
    (script,) = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    assert pages.policy(script) == policy
    assert all(each["src"].startswith("data:image/") for each in page.all("img") if "src" in each)
    addresses = [each["href"] for each in page.all("a") if "href" in each]
    assert all(address.startswith(("#", "..", "shim/dataset.html")) for address in addresses)
    assert not page.all("b") or "red" not in [word.strip() for word in page.words]
    assert PROMPTS[1] in page.shown
    assert "\u202e" not in page.text


def test_pictures_shrink_to_the_limit(tmp_path):
    variant = write_variant(tmp_path, size=(256, 384), epochs=1)
    sizes = []
    for megapixels in (80, 1):
        page = report(tmp_path, variant, megapixels=megapixels)
        uri = next(each["src"] for each in page.all("img") if "src" in each)
        with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
            sizes.append(image.size)
    cells = len(grid_cells(page))
    assert sizes[0] == (256, 384)
    assert sizes[1][0] * sizes[1][1] * cells <= 1e6 < 256 * 384 * cells


@pytest.mark.parametrize(
    ("size", "count", "megapixels", "side"),
    [((160, 160), 100, 80, 160), ((512, 768), 400, 80, 547), ((512, 768), 100000, 80, 96), ((64, 64), 10**6, 1, 64)],
)
def test_side_of_the_shown_pictures(size, count, megapixels, side):
    assert fit_side(size, count, megapixels) == side


def test_the_same_input_gives_the_same_page(tmp_path):
    variant = write_variant(tmp_path)
    assert report(tmp_path, variant).text == report(tmp_path, variant).text


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"epoch": 1, "weight": 1, "verdict": "fine", "reason": "", "rows": []}']
)
def test_a_pick_of_another_kind_is_refused(tmp_path, text):
    path = tmp_path / "pick.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"pick\.json"):
        read_pick(path)


def test_a_figure_that_ignores_the_weight_has_one_column():
    rows = [{"epoch": e, "weight": w, "loss": e / 10, "drift": e * w, "note": "x"} for e in (1, 2) for w in (0.5, 1.0)]
    drift, loss = matrices(Pick(1, 0.5, "good", "", rows))
    assert loss.weights == [None]
    assert loss.values == {(1, None): 0.1, (2, None): 0.2}
    assert drift.weights == [0.5, 1.0]
    assert [drift.shade(value) for value in (0.5, 2.0, None)] == [0.0, 1.0, 0.0]


def test_settings_that_differ_come_first():
    rows = compare_settings([{"a": 1, "lr": 0.002, "new": ""}, {"a": 1, "lr": 0.0005}])
    assert [(row.name, row.differs) for row in rows] == [("lr", True), ("new", True), ("a", False)]
    assert rows[0].texts == ["2e-3", "5e-4"]


def test_curves_keep_within_the_axes():
    plot = draw_curves([Curve("one", [(0, 0.1), (1, 0.3)], 0, True)], title="t", x_label="epoch")
    heights = [float(y) for y in re.findall(r'cy="([\d.]+)"', plot)]
    lines = [float(y) for y in re.findall(r'<line class="axis"[^>]*y1="([\d.]+)"', plot)]
    assert heights[0] > heights[1]
    assert min(lines) <= min(heights) <= max(heights) <= max(lines)


def test_numbers_of_the_plots():
    assert nice_ticks(0.093, 0.127, 5) == [0.09, 0.1, 0.11, 0.12, 0.13]
    assert nice_ticks(1, 1, 5)[0] <= 1 <= nice_ticks(1, 1, 5)[-1]
    assert [short(value) for value in (0, 0.09876543, 12.5, 1e-7, 1234.5)] == ["0", "0.09877", "12.5", "1e-07", "1234"]
    assert thin([(float(x), float(x)) for x in range(10)], 5) == [(1, 0.5), (3, 2.5), (5, 4.5), (7, 6.5), (9, 8.5)]


def test_the_report_needs_no_torch():
    code = "import loramake.overview, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_figures_of_the_pick_are_explained_and_come_in_order():
    rows = [
        {"epoch": 1, "weight": w, "pictures": 4, "drift": w, "broken": 0, "score": w / 2, "odd": 3} for w in (0.5, 1)
    ]
    found = matrices(Pick(1, 0.5, "good", "", rows))
    assert [each.name for each in found] == ["score", "drift", "broken", "odd"]
    assert all(each.meaning for each in found[:3])
