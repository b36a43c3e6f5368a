"""The character's report in a real browser: by mouse, by keyboard and on a phone. Skipped where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from trainedvariant import write_variant

from loramake.overview import report_character

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")

LARGE = "#viewer[open] .slot img"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page of two variants: 3 epochs, weights 0, 0.5 and 1; two prompts and two seeds."""
    folder: Path = tmp_path_factory.mktemp("report")
    other = write_variant(folder, "unet_lr=5e-4", epochs=2, picked=(1, 1.0), settings={"unet_lr": 5e-4})
    report_character(
        [write_variant(folder), other], folder / "dataset.html", folder / "shim.html", folder / "runs", folder / "cache",
        character="shim", embedded_megapixels=80, settings={},
        sweeps={"rates": [("unet_lr=5e-4", "unet_lr=5e-4"), ("unet_lr=2e-3", "base")]},
    )  # fmt: skip
    return (folder / "shim.html").as_uri()


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, address):
    """Open the page; at the end nothing may have gone wrong in it or been asked of a network."""
    troubles, contexts = [], []

    def open_page(width: int = 1300, height: int = 900, **options: object):
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
        page.on("request", lambda asked: troubles.append(asked.url) if asked.url.startswith("http") else None)
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


def cell(page, epoch: int, weight: str, seed: int = 1):
    """A picture of the grid that is shown."""
    return page.locator(f".panel:visible .cell[data-epoch='{epoch}'][data-weight='{weight}'][data-seed='{seed}']")


def large(page) -> list[str]:
    """What the viewer shows, in words."""
    return [each.get_attribute("alt") for each in page.locator(LARGE).all()]


def focused(page) -> dict:
    return page.evaluate("({...document.activeElement.dataset})")


def test_by_mouse(visit):
    page = visit()
    assert page.locator(".panel:visible").count() == 1
    cell(page, 3, "1").click()
    assert large(page) == ["epoch 3, weight 1, prompt 1, seed 1"]
    page.get_by_role("button", name="next seed").click()
    page.get_by_role("button", name="previous epoch").click()
    assert large(page) == ["epoch 2, weight 1, prompt 1, seed 13371488"]
    page.get_by_role("button", name="Compare").click()
    # beside it the pick, which can be moved alone
    assert large(page) == [
        "epoch 2, weight 1, prompt 1, seed 13371488",
        "epoch 2, weight 0.5, prompt 1, seed 13371488, recommended",
    ]
    page.get_by_role("group", name="picture A").locator("[data-axis=variant] select").select_option("unet_lr=5e-4")
    page.get_by_role("group", name="picture B").get_by_role("button", name="next epoch").click()
    assert large(page)[1] == "epoch 3, weight 0.5, prompt 1, seed 13371488"
    sources = [each.get_attribute("src") for each in page.locator(LARGE).all()]
    assert len(set(sources)) == 2
    assert page.evaluate(f"[...document.querySelectorAll('{LARGE}')].every((image) => image.naturalWidth === 32)")
    page.get_by_role("button", name="Overlay").click()
    one, other = (each.bounding_box() for each in page.locator(LARGE).all())
    assert one == other
    page.get_by_role("button", name="Close").click()
    assert page.locator("#viewer").is_hidden()


def test_choosing_variant_prompt_and_seed(visit):
    page = visit()
    page.locator("#variant").select_option("unet_lr=5e-4")
    page.locator("#prompt").select_option("2")
    page.locator("#seed").select_option("1")
    shown = page.locator(".panel:visible .cell:visible")
    # two epochs at three weights; the base model's pictures stand in every row
    assert shown.count() == 2 * 3
    kinds = {(each.get_attribute("data-variant"), each.get_attribute("data-prompt")) for each in shown.all()}
    assert kinds == {("unet_lr=5e-4", "2")}


def test_the_pictures_of_a_sweep(visit):
    page = visit()
    table = page.get_by_role("grid", name="rates, weights, shim, 1girl")
    pictures = table.locator(".cell img")
    # two variants, three weights, two seeds
    assert pictures.count() == 2 * 3 * 2
    assert page.evaluate("[...document.querySelectorAll('.sweep img')].every((image) => image.src.startsWith('data:'))")
    assert table.locator(".picked .cell").first.get_attribute("data-epoch") == "1"
    table.locator(".cell").first.focus()
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    assert large(page) == ["base model without LoRA, prompt 1, seed 13371488"]
    assert page.locator("#viewer [data-axis=variant] select").input_value() == "base"
    page.keyboard.press("Escape")
    assert focused(page)["variant"] == "base" and focused(page)["seed"] == "13371488"


def test_by_keyboard_alone(visit):
    page = visit()
    page.locator("#zoom").focus()
    page.keyboard.press("Tab")
    if "weight" not in focused(page):  # the scrolling box comes first where it is one
        page.keyboard.press("Tab")
    # the pick is where the keyboard enters the grid
    assert (focused(page)["epoch"], focused(page)["weight"]) == ("2", "0.5")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    for key in ("ArrowLeft", "ArrowLeft", "ArrowUp", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
    assert [focused(page)[axis] for axis in ("epoch", "weight", "seed")] == ["1", "0", "1"]
    page.keyboard.press("c")
    for key in ("End", "ArrowDown", "c"):
        page.keyboard.press(key)
    assert large(page) == [
        "base model without LoRA, prompt 1, seed 1",
        "epoch 2, weight 1, prompt 1, seed 13371488",
    ]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("p")
    assert large(page)[1] == "epoch 3, weight 1, prompt 2, seed 13371488"
    page.keyboard.press("c")
    assert len(large(page)) == 1
    page.keyboard.press("Escape")
    assert page.locator("#viewer").is_hidden()
    assert "weight" in focused(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone(visit, scheme):
    page = visit(390, 844, has_touch=True, is_mobile=True, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    cell(page, 1, "0.5").tap()
    page.get_by_role("button", name="Compare").tap()
    page.get_by_role("group", name="picture B").get_by_role("button", name="next epoch").tap()
    assert large(page)[1].startswith("epoch 3, weight 0.5")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    low = page.evaluate(
        "[...document.querySelectorAll('#viewer button')].filter((each) => each.offsetParent && each.offsetHeight < 24).length"
    )
    assert low == 0
    colours = page.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
    light, dark = (sum(map(int, each[4:-1].split(","))) for each in (colours if scheme == "light" else colours[::-1]))
    assert light > 600 > 200 > dark


def test_without_scripts_all_grids_are_there(visit):
    page = visit(java_script_enabled=False)
    assert page.locator(".panel:visible").count() == 4
    assert page.locator("#grid .filter").is_hidden()
    assert page.locator("#sweeps").is_hidden()
