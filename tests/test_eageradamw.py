"""Our AdamW is torch's: same steps, same state, same name in the files."""

from __future__ import annotations

import torch

from loramake.eageradamw import EagerAdamW
from loramake.optimizing import optimizer_label

OPTIONS = {"betas": (0.9, 0.99), "weight_decay": 0.1, "fused": True}


def weights() -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(1)
    return [torch.nn.Parameter(torch.randn(3, size, generator=generator)) for size in (1, 4, 9)]


def trained(kind: type, steps: int, stop_after: int = 0) -> list[torch.nn.Parameter]:
    """Weights after some steps; with another optimizer from its predecessor's state in between."""
    own, generator = weights(), torch.Generator().manual_seed(2)
    make = lambda: kind([{"params": own[:1], "lr": 0.1}, {"params": own[1:], "lr": 0.01}], **OPTIONS)  # noqa: E731
    optimizer = make()
    for step in range(steps):
        for weight in own[: 2 + step % 2]:  # the last one gets no gradient now and then
            weight.grad = torch.randn(weight.shape, generator=generator)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        assert all(weight.grad is None for weight in own) and torch.is_grad_enabled()
        if step + 1 == stop_after:
            state = optimizer.state_dict()
            optimizer = make()
            optimizer.load_state_dict(state)
    return own


def test_steps_are_torchs_to_the_bit_also_after_a_restart():
    expected = trained(torch.optim.AdamW, 5)
    for found in (trained(EagerAdamW, 5), trained(EagerAdamW, 5, stop_after=3)):
        assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_files_name_torchs_class():
    optimizer = EagerAdamW(weights())
    assert optimizer_label(optimizer, {"betas": (0.9, 0.99)}) == "torch.optim.adamw.AdamW(betas=(0.9, 0.99))"
