"""Where in a drawing its attributes show, as weights of the loss."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from drawing import Attributes, geometry
from drawing.attributes import VALUES
from tqdm import tqdm

# Ears and eyes are a few latents among hundreds of background, yet they decide whether a prompt was obeyed.
WEIGHTS = {"legs": 1.5, "torso": 2.0, "head": 4.0, "headwear": 3.0, "left_eye": 4.0, "right_eye": 4.0}
EARS = 5.0
SHY_EARS = 3.0  # where cat ears would be on a head that has none: their absence is to be learned too


def weights(people: Iterable[Attributes], size: tuple[int, int], first_seed: int) -> torch.Tensor:
    """Weights (n, 1, h/8, w/8), 1 in the mean, of drawings of `size` pixels with seeds from `first_seed` on."""
    maps = [_one(person, size, first_seed + i) for i, person in enumerate(tqdm(people, desc=f"regions {size}"))]
    return torch.stack(maps)[:, None]


def _one(person: Attributes, size: tuple[int, int], seed: int) -> torch.Tensor:
    boxes = geometry(person, size, seed)
    marks = [(boxes[part], weight) for part, weight in WEIGHTS.items()]
    ears = EARS
    if person.ears == "none":
        eared = Attributes(**{**vars(person), "ears": VALUES["ears"][1]})
        boxes, ears = geometry(eared, size, seed), SHY_EARS
    marks += [(boxes[side], ears) for side in ("left_ear", "right_ear")]
    out = torch.ones(size[1] // 8, size[0] // 8)
    for box, weight in marks:
        if box:
            x0, y0, x1, y1 = (round(edge / 8) for edge in box)
            part = out[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
            part.clamp_(min=weight)
    return out / out.mean()
