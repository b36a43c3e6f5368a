"""Text encoding for training: windows of tokens to the states that the U-Net attends to."""

from __future__ import annotations

import torch

from loramake.cliptext import TextEncoder
from loramake.errors import UserError


def encode(text_encoder: TextEncoder, input_ids: torch.Tensor, clip_skip: int) -> torch.Tensor:
    """Encode windows apart and join them as kohya's trainer does.

    Args:
        text_encoder: of the model, with or without a LoRA.
        input_ids: (B, n, 77), each window BOS + 75 + EOS.
        clip_skip: n takes the states n−1 layers before the last, then the final layer norm; 1 is the usual output.

    Returns:
        (B, 75n + 2, dim): first BOS, the inner states of every window, last EOS; 77, 152 or 227 states.

    Raises:
        UserError: clip_skip beyond the encoder's layers.
    """
    batch, count, length = input_ids.shape
    states = _states(text_encoder, input_ids.reshape(batch * count, length), clip_skip)
    if count == 1:
        return states
    states = states.view(batch, count, length, -1)  # (B, n, 77, dim)
    inner = states[:, :, 1:-1].flatten(1, 2)  # (B, 75n, dim)
    return torch.cat([states[:, 0, :1], inner, states[:, -1, -1:]], dim=1)


def _states(text_encoder: TextEncoder, input_ids: torch.Tensor, clip_skip: int) -> torch.Tensor:
    """Final-normed states of (N, 77) ids, (N, 77, dim). Layers that clip_skip discards are not run at all."""
    layers = len(text_encoder.encoder.layers)
    if not 1 <= clip_skip <= layers:
        raise UserError(
            "clip_skip is out of range.",
            found=clip_skip,
            expected=f"1…{layers}, the layers of this text encoder",
            setting="train.clip_skip",
        )
    return text_encoder(input_ids, clip_skip - 1)
