"""What several test modules need."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

# the models of the tests are so small that threads only wait for each other; set before torch is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from workflowhouse import House, draw_picture, write_tiny_model


@pytest.fixture(scope="session")
def tiny_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model in diffusers layout."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    write_tiny_model(folder)
    return folder


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> House:
    """A checkout with six raw pictures and the tiny model, nothing built yet; shared by the tests of a module."""
    folder = tmp_path_factory.mktemp("house") / "it's тест dir"
    folder.mkdir()
    shutil.copytree(tiny_model_folder, folder / "models/tiny")
    (folder / "downloads").mkdir()
    for number in range(1, 7):
        draw_picture(folder / f"downloads/{number}.png", number)
    return House.found(folder)
