"""Pins that are written down twice agree, and lie within the ranges of the package's metadata."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

HOUSE = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


@pytest.mark.parametrize("extra", ["cpu", "gpu"])
def test_conda_environment_has_the_extras_pins(extra):
    environment = yaml.safe_load((HOUSE / f"envs/{extra}.yaml").read_text(encoding="utf-8"))
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip == EXTRAS[extra]


@pytest.mark.parametrize("extra", ["cpu", "gpu"])
def test_every_dependency_is_pinned_within_its_range(extra):
    pins = {pin.name: next(iter(pin.specifier)).version for pin in map(Requirement, EXTRAS[extra])}
    for text in PROJECT["dependencies"]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(pins[requirement.name]), text


def test_all_extras_are_exact():
    for text in EXTRAS["cpu"] + EXTRAS["gpu"] + EXTRAS["test"]:
        assert [clause.operator for clause in Requirement(text).specifier] == ["=="], text
