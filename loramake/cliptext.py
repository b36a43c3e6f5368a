"""CLIP's text encoder (Radford et al. 2021, arXiv:2103.00020) as SD1 uses it, with transformers' names."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from loramake.architecture import Config, read_config
from loramake.unetblocks import run_block

_DEFAULTS = {
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_hidden_layers": 12,
    "num_attention_heads": 8,
    "vocab_size": 49408,
    "max_position_embeddings": 77,
    "layer_norm_eps": 1e-5,
}
_FIXED = {"hidden_act": "quick_gelu", "attention_dropout": 0.0}

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]


class CLIPTextEmbeddings(nn.Module):
    """Of tokens and of their places, added up."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.token_embedding = _embedding(config.vocab_size, config.hidden_size)
        self.position_embedding = _embedding(config.max_position_embeddings, config.hidden_size)

    def forward(self, input_ids: Tensor) -> Tensor:
        """(N, 77) → (N, 77, C)."""
        return self.token_embedding(input_ids) + self.position_embedding.weight[: input_ids.shape[1]]


def _embedding(count: int, size: int) -> nn.Embedding:
    """Not yet filled: PyTorch would load its compiler, which takes two seconds, to fill one without memory."""
    return nn.Embedding(count, size, _weight=torch.empty(count, size))


def attend_back(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of each token to itself and those before, (N, heads, 77, d)."""
    return functional.scaled_dot_product_attention(q, k, v, is_causal=True)


class CLIPAttention(nn.Module):
    """Attention of each token to itself and those before; `attend` is what it computes with."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        size = config.hidden_size
        self.heads, self.attend = config.num_attention_heads, attend_back
        self.k_proj, self.v_proj = nn.Linear(size, size), nn.Linear(size, size)
        self.q_proj, self.out_proj = nn.Linear(size, size), nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 77, C) → (N, 77, C)."""
        parts = (self.q_proj(x), self.k_proj(x), self.v_proj(x))
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        return self.out_proj(self.attend(q, k, v).transpose(1, 2).flatten(2))


class CLIPMLP(nn.Module):
    """Two linear layers with CLIP's quick approximation of GELU between them."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """(…, C) → (…, C)."""
        x = self.fc1(x)
        return self.fc2(x * torch.sigmoid(1.702 * x))


class CLIPEncoderLayer(nn.Module):
    """Attention and two linear layers, each after a norm and added to its input."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.self_attn = CLIPAttention(config)
        self.layer_norm1 = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.mlp = CLIPMLP(config)
        self.layer_norm2 = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 77, C) → (N, 77, C)."""
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class CLIPEncoder(nn.Module):
    """The layers."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.layers = nn.ModuleList([CLIPEncoderLayer(config) for _ in range(config.num_hidden_layers)])


class TextEncoder(nn.Module):
    """The whole; `textencode.encode` runs as many of its layers as clip skip leaves.

    Args:
        config: `text_encoder/config.json` in transformers' layout, or its keys.

    Raises:
        UserError: an architecture that is none of SD1's.
    """

    def __init__(self, config: Mapping[str, object]) -> None:
        super().__init__()
        self.config = config = read_config(config, _DEFAULTS, _FIXED)
        self.embeddings = CLIPTextEmbeddings(config)
        self.encoder = CLIPEncoder(config)
        self.final_layer_norm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.gradient_checkpointing = False

    def forward(self, input_ids: Tensor, skipped: int = 0) -> Tensor:
        """States of (N, 77) ids without the last `skipped` layers, normed: (N, 77, C)."""
        x = self.embeddings(input_ids)
        for layer in self.encoder.layers[: len(self.encoder.layers) - skipped]:
            x = run_block(layer, x, again=self.gradient_checkpointing)
        return self.final_layer_norm(x)

    def enable_gradient_checkpointing(self) -> None:
        """Compute the layers again in the backward pass instead of keeping what is inside."""
        self.gradient_checkpointing = True
