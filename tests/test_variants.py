"""Names of variants: one spelling each, refused otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loramake import schema, variants
from loramake.errors import UserError

RULES = schema.load_schema(Path(__file__).resolve().parents[1] / "config/schema.yaml")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("base", {}),
        ("unet_lr=1e-3", {"unet_lr": 0.001}),
        ("network_dim=64__unet_lr=5e-4", {"network_dim": 64, "unet_lr": 0.0005}),
        ("lr_scheduler=linear", {"lr_scheduler": "linear"}),
        ("network_alpha=0.5", {"network_alpha": 0.5}),
        ("shuffle_caption=false", {"shuffle_caption": False}),
        ("text_encoder_lr=auto", {"text_encoder_lr": "auto"}),
        ("clip_skip=1", {"clip_skip": 1}),
    ],
)
def test_names_are_read_and_spelled(name, values):
    assert variants.parse(name, RULES) == values
    assert variants.spell(values) == name


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("unet_lr=0.001", "unet_lr=1e-3"),
        ("unet_lr=1.0e-3", "unet_lr=1e-3"),
        ("unet_lr=1e-03", "unet_lr=1e-3"),
        ("network_alpha=8.0", "network_alpha=8"),
        ("unet_lr=5e-4__network_dim=64", "network_dim=64__unet_lr=5e-4"),
        ("network_dim=064", "network_dim=64"),
    ],
)
def test_other_spellings_are_refused_with_the_right_one(name, right):
    with pytest.raises(UserError) as caught:
        variants.parse(name, RULES)
    assert caught.value.expected == right


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("unet_rl=1e-3", "unet_lr"),
        ("resolution=256", "resolution"),
        ("prompts=x", "prompts"),
        ("save_precision=fp16", "save_precision"),
        ("unet_lr=9", "unet_lr"),
        ("unet_lr", "unet_lr"),
        ("best", "base"),
        ("unet_lr=1e-3__unet_lr=1e-3", "unet_lr"),
        ("", "base"),
    ],
)
def test_wrong_names_are_refused_by_name(name, word):
    with pytest.raises(UserError, match=word):
        variants.parse(name, RULES)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.002, "2e-3"),
        (0.0015, "0.0015"),
        (0.01, "0.01"),
        (0.5, "0.5"),
        (8.0, "8"),
        (0.0, "0"),
        (1e-7, "1e-7"),
        (100.0, "100"),
    ],
)
def test_numbers_have_one_short_spelling(value, text):
    assert variants.spell_value(value) == text


@given(st.floats(min_value=0, max_value=1, allow_nan=False))
def test_spelled_numbers_read_back_exactly(value):
    assert float(variants.spell_value(value)) == value


@pytest.mark.parametrize(
    ("name", "comes_to"),
    [
        ("base", "base"),
        ("unet_lr=2e-3", "base"),
        ("network_dim=64__unet_lr=2e-3", "network_dim=64"),
        ("network_dim=64__unet_lr=5e-4", "network_dim=64__unet_lr=5e-4"),
    ],
)
def test_a_value_that_is_the_configs_own_adds_nothing(name, comes_to):
    assert variants.reduce(name, RULES, {"unet_lr": 0.002, "network_dim": 128}) == comes_to
