"""Out of memory: one message with three settings and their values."""

from __future__ import annotations

import pytest
import torch

from loramake.errors import UserError
from loramake.outofmemory import explain_out_of_memory, list_remedies
from loramake.recipe import make_recipe


def test_three_settings_in_order_with_their_values():
    recipe = make_recipe({"train_batch_size": 6, "resolution": 768, "max_bucket_reso": 1024})
    with pytest.raises(UserError) as error, explain_out_of_memory(recipe, torch.device("cuda"), "bf16"):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore")
    places = [
        error.value.setting.index(text)
        for text in ("gradient_checkpointing: true (now false)", "3 (now 6)", "AdamW8bit (now AdamW)")
    ]
    assert places == sorted(places) and error.value.setting.count("now ") == 3


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_what_is_used_up_is_not_advised_again(device):
    recipe = make_recipe(
        {"gradient_checkpointing": True, "optimizer_type": "AdamW8bit", "text_encoder_lr": 0, "network_dim": 4}
    )
    remedies = list_remedies(recipe, device, "bf16")
    assert len(remedies) >= 3 and "resolution: 384 (now 512)" in remedies[0]


def test_a_cpu_without_memory_and_other_errors():
    recipe = make_recipe({})
    with pytest.raises(UserError), explain_out_of_memory(recipe, torch.device("cpu"), "no"):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
    with pytest.raises(RuntimeError), explain_out_of_memory(recipe, torch.device("cpu"), "no"):
        raise RuntimeError("shape mismatch")
