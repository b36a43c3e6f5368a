"""A LoRA that does not apply fails the build, with the likely reasons and without a traceback."""

from __future__ import annotations

import pytest
from workflowhouse import House


@pytest.fixture(scope="module")
def fed(house: House) -> House:
    """The house with everything that a training needs."""
    house.build("work/latents/shim")
    return house


@pytest.mark.parametrize(
    ("target", "words"),
    [
        # rates so low that half precision saves zeros
        ("loras/shim/text_encoder_lr=0__unet_lr=1e-12", ["does nothing", "up-weights", "train.unet_lr"]),
        # weights that differ from zero, and pictures that do not differ
        ("grids/shim/text_encoder_lr=0__unet_lr=1e-7.png", ["did not apply", "train.unet_lr", "grid.weights"]),
    ],
    ids=["zero weights", "same pictures"],
)
def test_without_effect(fed, target, words):
    run = fed.snakemake(target)
    assert run.status != 0 and "Traceback" not in run.text
    assert not [word for word in words if word not in run.text], run.text
    assert not (fed.folder / target).exists()


def test_weight_0_alone_is_refused_before_anything_runs(fed):
    fed.write_config(grid={"weights": "0"})
    run = fed.snakemake("grids/shim.png")
    assert run.status != 0 and "grid.weights" in run.text and "Traceback" not in run.text
    assert not run.jobs
    fed.write_config(grid={"weights": "0", "prompts": ["{trigger} <lora:shim-000001:1>"]})
    assert "render_cells" in fed.plan("grids/shim.png")
