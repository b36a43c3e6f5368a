"""The reports through the workflow: one command from raw pictures to the page, and Snakemake's own report."""

from __future__ import annotations

import re

import pytest
from workflowhouse import House

PAGE = "reports/shim.html"


@pytest.fixture(scope="module")
def reported(house: House) -> House:
    """The house with its character's report, from nothing."""
    house.build(PAGE, "grids/shim.png")
    return house


def test_one_command_makes_the_page_and_what_it_links(reported):
    page = (reported.folder / PAGE).read_text(encoding="utf-8")
    links = [link for link in re.findall(r'href="([^"#]+)"', page) if not link.startswith("data:")]
    assert "shim/dataset.html" in links
    assert any(link.endswith("shim-000002.safetensors") for link in links)
    assert all((reported.folder / "reports" / link).is_file() for link in links)
    assert reported.plan(PAGE) == set()


def test_a_variants_report_shows_it_beside_base(reported):
    assert reported.plan("reports/shim/network_dim=4.html") == {
        "train_lora",
        "render_cells",
        "pick_epoch",
        "report_variant",
    }


def test_variants_of_the_configs_sweeps_are_reported(reported):
    # 0.1 is the config's own rate, trained as base
    reported.write_config(sweeps={"rates": {"unet_lr": ["1e-1", 0.05]}})
    run = reported.snakemake("-n", PAGE)
    assert run.jobs == {"train_lora": 1, "render_cells": 1, "pick_epoch": 1, "report_character": 1}
    assert "work/pick/shim/unet_lr=0.05.json" in run.text
    # a sweep of what is there makes the page anew all the same
    reported.write_config(sweeps={"rates": {"unet_lr": ["1e-1"]}})
    assert reported.plan(PAGE) == {"report_character"}
    reported.write_config()


def test_what_makes_the_page_new(reported):
    reported.write_config(report={"embedded_megapixels": 8})
    assert reported.plan(PAGE) == {"report_character"}
    reported.write_config(grid={"title": "Another"})
    assert reported.plan(PAGE) == set()
    reported.write_config()


def test_snakemakes_own_report_shows_sheets_grids_and_pages(reported):
    reported.build("--report", "report.html", PAGE, "grids/shim.png")
    text = (reported.folder / "report.html").read_text(encoding="utf-8")
    for name in ("work/screen/shim.png", "grids/shim.png", "loss.png", "reports/shim/dataset.html", PAGE):
        assert name in text, name
    assert "weight 0 is the base model without the LoRA" in text
