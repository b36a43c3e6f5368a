"""The network that reads a picture: a small convolutional one with a looking glass per attribute."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .classes import HEADS

WEIGHTS = Path(__file__).with_name("weights.safetensors")
AREA = 128 * 128  # pixels of the picture the network sees, whatever its shape
WIDTHS = (16, 32, 64, 96)


def _layer(inner: int, outer: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inner, outer, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outer),
        nn.ReLU(inplace=True),
    )


class Reader(nn.Module):
    """Pictures (B, 3, h, w) in [-1, 1], h and w multiples of 8, to one row of logits per head.

    Every head looks where its own attention map (softmax over the places of an
    h/8 x w/8 grid) points, so that eyes a few pixels wide are not averaged away.
    """

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = WIDTHS
        self.fine = nn.Sequential(
            _layer(3, a, 5, 2), _layer(a, b, 3, 2), _layer(b, b), _layer(b, c, 3, 2), _layer(c, c)
        )
        self.coarse = nn.Sequential(_layer(c, d, 3, 2), _layer(d, d), _layer(d, d, 3, 2))
        self.across = nn.Conv2d(c, d, 1)
        self.mixed = _layer(d, d)
        self.look = nn.Conv2d(d, len(HEADS), 1)
        self.heads = nn.ModuleDict({field: nn.Linear(3 * d, len(values)) for field, values in HEADS.items()})

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        """Logits (B, values) of every head."""
        fine = self.fine(pictures)
        coarse = self.coarse(fine)
        wide = nn.functional.interpolate(coarse, size=fine.shape[-2:], mode="nearest")
        features = self.mixed(torch.relu(self.across(fine) + wide))
        flat = features.flatten(2)  # (B, d, places)
        maps = self.look(features).flatten(2).softmax(-1)  # (B, heads, places)
        seen = torch.einsum("bhp,bdp->bhd", maps, flat)
        whole = torch.cat([coarse.mean((2, 3)), flat.amax(-1)], 1)
        return {field: head(torch.cat([seen[:, i], whole], 1)) for i, (field, head) in enumerate(self.heads.items())}


def seen_size(width: int, height: int) -> tuple[int, int]:
    """The size (width, height) a picture is brought to: about ``AREA``, multiples of 8."""
    scale = (AREA / (width * height)) ** 0.5
    return max(32, round(width * scale / 8) * 8), max(32, round(height * scale / 8) * 8)


def to_input(pictures: Tensor) -> Tensor:
    """uint8 (B, h, w, 3) to the network's float input (B, 3, h, w)."""
    return (pictures.permute(0, 3, 1, 2).float() / 127.5 - 1.0).contiguous(memory_format=torch.channels_last)


def save(reader: Reader, path: Path) -> None:
    """Write the weights at half precision (counters of the batch norms left out)."""
    tensors = {k: v.half().contiguous() for k, v in reader.state_dict().items() if v.is_floating_point()}
    save_file(tensors, path)


@lru_cache(maxsize=2)
def load(path: Path = WEIGHTS) -> Reader:
    """The trained network, ready to read."""
    reader = Reader()
    reader.load_state_dict({k: v.float() for k, v in load_file(path).items()}, strict=False)
    return reader.eval().to(memory_format=torch.channels_last)
