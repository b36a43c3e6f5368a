"""What comes out of training broken is refused, with what to change."""

from __future__ import annotations

import pytest
import torch

from loramake.errors import UserError
from loramake.lora import Network
from loramake.loragate import check_effect, gate
from loramake.loralayer import LoraLayer
from loramake.recipe import make_recipe


@pytest.fixture
def network():
    torch.manual_seed(0)
    layer = LoraLayer(torch.nn.Linear(4, 4).requires_grad_(False), 2, 1.0, torch.Generator().manual_seed(0))
    return Network({"lora_unet_x": layer}, ())


def answer(network):
    return lambda: network.layers["lora_unet_x"](torch.ones(1, 4)).detach()


def refusal(network, precision="no", probe=None, **settings):
    recipe = make_recipe(settings)
    with pytest.raises(UserError) as error:
        gate(network, recipe, precision)
        check_effect(network, recipe, precision, probe or answer(network))
    return str(error.value)


def test_a_sound_lora_passes(network):
    network.layers["lora_unet_x"].up.data.fill_(0.1)
    gate(network, make_recipe({}), "no")
    check_effect(network, make_recipe({}), "no", answer(network))
    assert network.layers["lora_unet_x"].factor == 0.5


@pytest.mark.parametrize(("precision", "word"), [("no", "unet_lr"), ("fp16", "bf16")])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite(network, value, precision, word):
    network.layers["lora_unet_x"].up.data[0, 0] = value
    assert word in refusal(network, precision)


def test_values_beyond_the_saved_precision(network):
    network.layers["lora_unet_x"].up.data[0, 0] = 1e6
    assert "save_precision" in refusal(network)


@pytest.mark.parametrize("value", [0.0, 1e-12])
def test_nothing_learned(network, value):
    network.layers["lora_unet_x"].up.data.fill_(value)  # 1e-12 is zero in fp16
    assert "unet_lr" in refusal(network)


def test_no_effect_on_the_output(network):
    network.layers["lora_unet_x"].up.data.fill_(0.1)
    assert "network_alpha" in refusal(network, probe=lambda: torch.ones(1))


def test_nan_in_the_output_of_lora_and_of_base(network):
    layer = network.layers["lora_unet_x"]
    layer.up.data.fill_(0.1)
    assert "With this LoRA" in refusal(network, probe=lambda: torch.tensor(float("nan") if layer.factor else 1.0))
    assert "base_model" in refusal(network, probe=lambda: torch.tensor(float("nan")))
