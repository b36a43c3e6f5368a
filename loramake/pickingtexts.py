"""Texts as the states that an adapter of a bank makes of them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from loramake.bank import LoraBank
from loramake.models import StableDiffusion1
from loramake.textencode import encode
from loramake.tokens import text_ids, windows


def text_reader(
    model: StableDiffusion1, bank: LoraBank, adapter: int, weight: float, *, clip_skip: int, length: int
) -> Callable[[str], Tensor]:
    """A function from a text to its states (1, n, dim) in the U-Net's precision; each text is encoded once.

    Args:
        adapter, weight: of the text encoder's LoRA.
        length: of all texts in tokens, see `tokens.windows`.
    """
    known: dict[str, Tensor] = {}
    like = next(model.unet.parameters())

    def states(text: str) -> Tensor:
        if text not in known:
            ids = torch.tensor([windows(text_ids(model.tokenizer, text), length)])
            with bank.using(bank.choose([adapter] * ids.shape[1], [weight] * ids.shape[1], like=like)):
                known[text] = encode(model.text_encoder, ids.to(like.device), clip_skip).to(like.dtype)
        return known[text]

    return states
