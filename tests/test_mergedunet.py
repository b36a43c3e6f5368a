"""The merged U-Net predicts what the U-Net with its bank predicts, whatever it is given in turn."""

from __future__ import annotations

import pytest
import torch
from test_bank import CONV_LORAS, LORAS, base_models

from loramake.bank import LoraBank
from loramake.mergedlayers import onednn_is_there
from loramake.mergedunet import MergedUNet

pytestmark = pytest.mark.skipif(not onednn_is_there(), reason="this PyTorch has no oneDNN")


def inputs(batch: int, side: tuple[int, int] = (8, 8), seed: int = 3) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(batch, 4, *side, generator=generator),
        torch.tensor(321.5),
        torch.randn(batch, 77, 16, generator=generator),
    )


@torch.inference_mode()
def both(loras, taken, given) -> tuple[torch.Tensor, torch.Tensor]:
    models = base_models()
    bank = LoraBank(models.unet, models.text_encoder, loras, "abc")
    merged = MergedUNet(models.unet, lambda layer: bank.weigh(layer, taken))(*given)
    choices = [
        bank.choose([adapter] * len(given[0]), [weight] * len(given[0]), like=given[0]) for adapter, weight in taken
    ]
    with bank.using(*choices):
        return merged, models.unet(*given)[0]


@pytest.mark.parametrize("loras", [LORAS, CONV_LORAS])
@pytest.mark.parametrize("taken", [(), ((1, 0.8),), ((0, 1.0), (2, -0.4))])
@pytest.mark.parametrize(("batch", "side"), [(1, (8, 8)), (3, (7, 9)), (2, (20, 12))])
def test_it_predicts_what_the_bank_does(loras, taken, batch, side):
    merged, banked = both(loras, taken, inputs(batch, side))
    assert merged.shape == banked.shape and merged.is_contiguous()
    assert torch.allclose(merged, banked, atol=1e-5)


@torch.inference_mode()
def test_texts_sizes_and_convolutions_that_were_seen_before_are_told_apart():
    models, convs = base_models(), {}
    first = MergedUNet(models.unet, lambda layer: layer.weight, convs)
    given, other, wider = inputs(2), inputs(2, seed=4), inputs(3, (12, 10))
    expected = [models.unet(*sample)[0] for sample in (given, other, wider)]
    second = MergedUNet(models.unet, lambda layer: layer.weight, convs)
    assert convs
    for merged in (first, second, first):
        for sample, right in zip((given, other, wider, given), [*expected, expected[0]], strict=True):
            assert torch.allclose(merged(*sample), right, atol=1e-5)
        merged.forget_texts()
    assert torch.equal(first(*given), second(*given))


@torch.inference_mode()
def test_a_layer_with_a_lora_is_not_taken_from_an_earlier_merge():
    models, convs, given = base_models(), {}, inputs(2)
    bank = LoraBank(models.unet, models.text_encoder, CONV_LORAS, "abc")
    made = [
        MergedUNet(models.unet, lambda layer, taken=taken: bank.weigh(layer, taken), convs)(*given)
        for taken in ((), ((0, 1.0),), ((0, 1.0),), ())
    ]
    assert torch.equal(made[0], made[3]) and torch.equal(made[1], made[2])
    assert (made[0] - made[1]).abs().max() > 1e-3
