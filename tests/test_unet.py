"""SD1's parts written out here are those of diffusers and transformers: names, order, numbers, gradients."""

from __future__ import annotations

import pytest
import torch
from theirmodels import as_diffusers
from tinymodels import TEXT, UNET, VAE, tiny_models

from loramake import lora
from loramake.autoencoder import Autoencoder
from loramake.cliptext import TextEncoder
from loramake.errors import UserError
from loramake.textencode import encode
from loramake.unet import UNet

pytest.importorskip("diffusers", reason="compared with it")


@pytest.fixture(scope="module", params=[1, 2])
def both(request):
    ours = tiny_models(layers=request.param)
    return ours, as_diffusers(ours)


def test_weights_have_their_names_in_their_order(both):
    for part in ("unet", "vae", "text_encoder"):
        assert list(getattr(both[0], part).state_dict()) == list(getattr(both[1], part).state_dict())


@pytest.mark.parametrize("conv", [False, True])
def test_a_lora_finds_the_same_layers_in_the_same_order(both, conv):
    ours, theirs = ([t.name for t in lora.find_targets(m.unet, m.text_encoder, conv=conv)] for m in both)
    assert ours == theirs


@pytest.mark.parametrize("side", [(8, 8), (7, 9)])
@pytest.mark.parametrize("times", [torch.tensor(321.5), torch.tensor([3, 998])])
def test_unet(both, side, times):
    ours, theirs = both
    x, text = torch.randn(2, 4, *side), torch.randn(2, 77, 16)
    with torch.no_grad():
        expected = theirs.unet(x, times, text, return_dict=False)[0]
        assert torch.allclose(ours.unet(x, times, text)[0], expected, atol=1e-6)


def test_gradients_with_and_without_checkpointing(both):
    ours, theirs = both
    x, text = torch.randn(1, 4, 8, 8), torch.randn(1, 77, 16)

    def slopes(unet) -> tuple[torch.Tensor, torch.Tensor]:
        inputs = x.clone().requires_grad_(), text.clone().requires_grad_()
        unet(inputs[0], torch.tensor([500]), inputs[1], return_dict=False)[0].square().sum().backward()
        return inputs[0].grad, inputs[1].grad

    expected, plain = slopes(theirs.unet), slopes(ours.unet)
    ours.unet.enable_gradient_checkpointing()
    again = slopes(ours.unet)
    for one, other, reference in zip(plain, again, expected, strict=True):
        assert torch.equal(one, other)
        assert torch.allclose(one, reference, atol=1e-5, rtol=1e-4)


def test_checkpointing_keeps_less():
    unet, kept = tiny_models().unet, []
    x, text = torch.randn(1, 4, 16, 16, requires_grad=True), torch.randn(1, 77, 16)
    for _ in range(2):
        sizes: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, s=sizes: s.append(t.numel()) or t, lambda t: t):
            unet(x, torch.tensor([500]), text)
        kept.append(sum(sizes))
        unet.enable_gradient_checkpointing()
    assert kept[1] < kept[0] / 3


def test_vae(both):
    ours, theirs = both
    latents, pictures = torch.randn(2, 4, 6, 8), torch.randn(2, 3, 48, 64)
    with torch.no_grad():
        assert torch.allclose(ours.vae.decode(latents)[0], theirs.vae.decode(latents).sample, atol=1e-5)
        mine, reference = (models.vae.encode(pictures).latent_dist for models in both)
    assert torch.allclose(mine.mean, reference.mean, atol=1e-5)
    assert torch.allclose(mine.std, reference.std, atol=1e-5)


@pytest.mark.parametrize("clip_skip", [1, 2, 3])
def test_text_encoder(both, clip_skip):
    ours, theirs = both
    ids = torch.randint(0, 49000, (2, 77))
    with torch.no_grad():
        states = theirs.text_encoder(ids, output_hidden_states=True).hidden_states[-clip_skip]
        expected = theirs.text_encoder.final_layer_norm(states)
        assert torch.allclose(encode(ours.text_encoder, ids[:, None], clip_skip), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda: UNet({**UNET, "use_linear_projection": True}), "use_linear_projection: True"),
        (lambda: UNet({**UNET, "addition_embed_type": "text_time"}), "addition_embed_type: text_time"),
        (lambda: Autoencoder({**VAE, "act_fn": "relu"}), "act_fn: relu"),
        (lambda: TextEncoder({**TEXT, "hidden_act": "gelu"}), "hidden_act: gelu"),
    ],
)
def test_another_architecture_is_refused(make, found):
    with pytest.raises(UserError) as error:
        make()
    assert found in str(error.value)
