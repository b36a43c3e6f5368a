"""The bank gives what the training module gives, whatever shares the batch."""

import copy
import functools

import pytest
import torch
from tinymodels import tiny_models

from loramake import lora
from loramake.bank import BASE, LoraBank
from loramake.errors import UserError

# built once: most of the time of these tests would go into it
first_models = functools.cache(tiny_models)


def base_models():
    return copy.deepcopy(first_models())


def random_lora(rank: int, alpha: float, seed: int, conv_rank: int = 0) -> dict[str, torch.Tensor]:
    models = base_models()
    network = lora.attach(models.unet, models.text_encoder, rank=rank, alpha=alpha, seed=seed, conv_rank=conv_rank)
    generator = torch.Generator().manual_seed(seed)
    tensors = network.tensors()
    for name in tensors:
        if name.endswith("up.weight"):
            tensors[name] = torch.randn(tensors[name].shape, generator=generator) * 0.2
    return tensors


# different ranks and alphas in one bank
LORAS = [random_lora(4, 1, 1), random_lora(4, 4, 2), random_lora(2, 0.5, 3)]
FILES = ["a", "b", "c"]


def inputs(batch: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(9)
    return {
        "latents": torch.randn(batch, 4, 8, 8, generator=generator),
        "context": torch.randn(batch, 77, 16, generator=generator),
        "ids": torch.randint(0, 49000, (batch, 77), generator=generator),
    }


@torch.inference_mode()
def run(models, given) -> tuple[torch.Tensor, torch.Tensor]:
    predicted = models.unet(given["latents"], torch.tensor(321.0), given["context"])[0]
    return predicted, models.text_encoder(given["ids"])


def trained(tensors, weight: float, given):
    """What lora.py's own module gives at this weight."""
    models = base_models()
    rank = tensors["lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight"].shape[0]
    alpha = float(tensors["lora_te_text_model_encoder_layers_0_mlp_fc1.alpha"])
    network = lora.attach(models.unet, models.text_encoder, rank=rank, alpha=alpha, seed=0)
    # up times weight is the output times weight
    network.load({name: tensor * weight if "lora_up" in name else tensor for name, tensor in tensors.items()})
    return run(models, given)


def one(given, index):
    return {name: value[index : index + 1] for name, value in given.items()}


def banked(adapters, weights, given, loras=LORAS):
    models = base_models()
    bank = LoraBank(models.unet, models.text_encoder, loras, FILES[: len(loras)])
    with bank.using(bank.choose(adapters, weights, like=given["latents"])):
        return run(models, given)


@pytest.mark.parametrize("weight", [1.0, 0.4, -0.5])
@pytest.mark.parametrize("adapter", [0, 1, 2])
def test_one_adapter_is_the_training_module(adapter, weight):
    given = inputs(2)
    for got, expected in zip(
        banked([adapter] * 2, [weight] * 2, given), trained(LORAS[adapter], weight, given), strict=True
    ):
        assert (got - expected).abs().max() < 1e-5
    base = run(first_models(), given)
    assert (expected - base[1]).abs().max() > 1e-2


@pytest.mark.parametrize(
    ("adapters", "weights"),
    [
        ([0, 1, 2], [1.0, 0.5, 0.8]),
        ([1, BASE, 1], [1.0, 1.0, 0.3]),
        ([2, 0, 0], [0.0, 0.7, 0.7]),
        ([1, 1, 1], [0.7, 0.2, 1.0]),
    ],
)
def test_each_sample_takes_its_own(adapters, weights):
    given = inputs(3)
    together = banked(adapters, weights, given)
    for index, (adapter, weight) in enumerate(zip(adapters, weights, strict=True)):
        alone = one(given, index)
        expected = run(first_models(), alone) if adapter == BASE else trained(LORAS[adapter], weight, alone)
        for got, right in zip(together, expected, strict=True):
            assert (got[index] - right[0]).abs().max() < 1e-5


# one with larger convolutions, one without, one of another rank there
CONV_LORAS = [random_lora(4, 1, 1, conv_rank=3), LORAS[1], random_lora(2, 0.5, 3, conv_rank=1)]


@pytest.mark.parametrize("adapters", [[0, 0, 0], [0, 1, 2], [2, BASE, 0]])
def test_loras_with_convolutions(adapters):
    given, weights = inputs(3), [1.0, 0.5, 0.8]
    together = banked(adapters, weights, given, CONV_LORAS)
    for index, (adapter, weight) in enumerate(zip(adapters, weights, strict=True)):
        alone = one(given, index)
        weight = 0.0 if adapter == BASE else weight
        expected = merged([CONV_LORAS[adapter]], [weight], [weight], alone)
        assert close([got[index : index + 1] for got in together], expected)
    plain = banked(adapters, weights, given, [LORAS[0], LORAS[1], LORAS[2]])
    assert not close(together, plain)


def merged(loras, text_weights, unet_weights, given):
    """What the base gives with the LoRAs added into its weights."""
    models = base_models()
    for target in lora.find_targets(models.unet, models.text_encoder, conv=True):
        weights = text_weights if target.name.startswith("lora_te") else unet_weights
        for tensors, weight in zip(loras, weights, strict=True):
            if f"{target.name}.alpha" not in tensors:
                continue
            down, up = (tensors[f"{target.name}.lora_{side}.weight"] for side in ("down", "up"))
            change = up.flatten(1) @ down.flatten(1) * float(tensors[f"{target.name}.alpha"]) / down.shape[0]
            target.module.weight += weight * change.view_as(target.module.weight)
    return run(models, given)


@pytest.mark.parametrize("own", [[0, 0], [0, 1]])
def test_several_loras_add_up(own):
    given, models = inputs(2), base_models()
    bank = LoraBank(models.unet, models.text_encoder, LORAS, FILES)
    like = given["latents"]
    with bank.using(bank.choose(own, [0.6, 0.6], like=like), bank.choose([2, 2], [-0.5, -0.5], like=like)):
        together = run(models, given)
    for index, adapter in enumerate(own):
        expected = merged([LORAS[adapter], LORAS[2]], [0.6, -0.5], [0.6, -0.5], one(given, index))
        for got, right in zip(together, expected, strict=True):
            assert (got[index] - right[0]).abs().max() < 1e-5


def close(got, expected) -> bool:
    return all((a - b).abs().max() < 1e-5 for a, b in zip(got, expected, strict=True))


def test_weight_zero_is_the_base():
    given = inputs(2)
    base, zero = banked([BASE, BASE], [1.0, 1.0], given), banked([0, 1], [0.0, 0.0], given)
    assert close(base, run(first_models(), given))
    # bit for bit, also where no LoRA was loaded at all
    for other in zero, banked([BASE, BASE], [1.0, 1.0], given, []):
        assert all(torch.equal(a, b) for a, b in zip(base, other, strict=True))


def test_outside_of_a_choice_and_after_removal_the_model_is_the_base():
    given, models = inputs(1), base_models()
    expected = run(models, given)
    names = {name for name, _ in models.unet.named_modules()}
    bank = LoraBank(models.unet, models.text_encoder, LORAS, FILES)
    assert close(run(models, given), expected)
    bank.remove()
    assert {name for name, _ in models.unet.named_modules()} == names
    assert all(torch.equal(a, b) for a, b in zip(run(models, given), expected, strict=True))


def test_a_file_for_the_unet_alone():
    unet_only = {name: tensor for name, tensor in LORAS[0].items() if name.startswith("lora_unet")}
    given = inputs(1)
    predicted, states = banked([0], [1.0], given, [unet_only])
    assert (states - run(first_models(), given)[1]).abs().max() < 1e-5
    assert (predicted - trained(LORAS[0], 1.0, given)[0]).abs().max() < 1e-5


def changed(change) -> dict[str, torch.Tensor]:
    tensors = dict(LORAS[0])
    change(tensors)
    return tensors


UP = "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight"


@pytest.mark.parametrize(
    "tensors",
    [
        {name: torch.zeros_like(tensor) if "up" in name.split(".")[1] else tensor for name, tensor in LORAS[0].items()},
        changed(lambda tensors: tensors.update({UP: tensors[UP] * float("nan")})),
        changed(lambda tensors: tensors.update({UP: tensors[UP][1:]})),
        changed(lambda tensors: tensors.pop(UP)),
        changed(lambda tensors: tensors.update({"lora_te2_x.lora_up.weight": tensors[UP]})),
        {name: tensor[..., :1] if tensor.shape[2:] == (3, 3) else tensor for name, tensor in CONV_LORAS[0].items()},
    ],
    ids=["no effect", "not finite", "another size", "half", "another family", "another kernel"],
)
def test_bad_files_are_refused_by_name(tensors):
    models = base_models()
    with pytest.raises(UserError, match="b.safetensors"):
        LoraBank(models.unet, models.text_encoder, [LORAS[1], tensors], ["a.safetensors", "b.safetensors"])
