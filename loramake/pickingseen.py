"""What the drawn cells show, judged by the diffusion model itself: how much they look like her, how far they obey.

A noised picture is shown to the U-Net twice, and one answer differs from the other by what is asked about: with and
without the LoRA, or with and without the prompt's words. How far the picture really lies that way is the factor by
which this difference would have to be multiplied to predict the noise best: 0 where the picture has nothing of it, 1
where it has all of it. (As a diffusion classifier does, Li et al. 2023, arXiv:2303.16203, which compares losses.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from loramake.autoencoder import Autoencoder
from loramake.bank import BASE, LoraBank
from loramake.models import StableDiffusion1
from loramake.noise import add_noise, alphas_cumprod, draw, velocity
from loramake.pickingfigures import TIMES
from loramake.pickingshown import Pair, Seen
from loramake.pickingtexts import text_reader
from loramake.tokens import choose_length, text_ids

WISH_TIMES = (875,)  # where the prompt decides what is to be seen; at less noise the base knows a picture without words
JUDGED_AT = 1.0  # the weight that a LoRA is trained at


class Judge:
    """Looks at pictures with a base model and one LoRA at weight 1.

    Args:
        model: U-Net and text encoder on one device, with `bank` on them.
        vae: in float32, on the same device.
        adapter: the LoRA's place in the bank; the one that knows her best.
        texts: that will be asked about.
        clip_skip: of the training.
        seed: of the noise.
    """

    def __init__(
        self,
        model: StableDiffusion1,
        vae: Autoencoder,
        bank: LoraBank,
        adapter: int,
        texts: Sequence[str],
        *,
        clip_skip: int,
        seed: int,
    ) -> None:
        self._model, self._vae, self._bank, self._adapter, self._seed = model, vae, bank, adapter, seed
        self._is_velocity = model.prediction_type == "v_prediction"
        self._like = next(model.unet.parameters())
        self._kept = alphas_cumprod(zero_terminal_snr=model.zero_terminal_snr)
        how = {
            "clip_skip": clip_skip,
            "length": choose_length("auto", [len(text_ids(model.tokenizer, text)) for text in texts]),
        }
        self._base_states = text_reader(model, bank, BASE, 0.0, **how)
        self._lora_states = text_reader(model, bank, adapter, JUDGED_AT, **how)

    @torch.no_grad()
    def look_at(self, pixels: np.ndarray, name: str, text: str, rest: str) -> Seen:
        """Measure one picture.

        Args:
            pixels: (h, w, 3) uint8.
            name: what its noise is drawn from; the same for all pictures that are compared.
            text: its prompt's plain tags.
            rest: those without the trigger; "" where there are none.
        """
        latents = self._encode(pixels)
        noisy, target = self._noised(latents, name, TIMES)
        plain = self._predict(noisy, TIMES, text, BASE)
        look = pairs(self._predict(noisy, TIMES, text, self._adapter) - plain, target - plain)
        if not rest:
            return Seen(look, None)
        noisy, target = self._noised(latents, name, WISH_TIMES)
        plain = self._predict(noisy, WISH_TIMES, "", BASE)
        return Seen(look, pairs(self._predict(noisy, WISH_TIMES, rest, BASE) - plain, target - plain)[0])

    def _encode(self, pixels: np.ndarray) -> Tensor:
        """(1, 4, h, w), times the scaling factor, float32."""
        values = torch.tensor(pixels, device=self._like.device).permute(2, 0, 1)[None].float()
        return self._vae.encode(values / 127.5 - 1).latent_dist.mean * self._model.scaling_factor

    def _noised(self, latents: Tensor, name: str, times: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Latents with noise of each time, (T, 4, h, w), and what is to be predicted there."""
        shape = tuple(latents.shape[1:])
        noise = torch.stack([draw(self._seed, 0, f"seen/{name}/{time}", shape)[0] for time in times]).to(latents)
        kept = self._kept[list(times)].to(latents)
        latents = latents.expand_as(noise)
        target = velocity(latents, noise, kept) if self._is_velocity else noise
        return add_noise(latents, noise, kept).to(self._like), target

    def _predict(self, noisy: Tensor, times: Sequence[int], text: str, adapter: int) -> Tensor:
        """(T, 4, h, w), float32."""
        count = len(times)
        states = (self._base_states if adapter == BASE else self._lora_states)(text).expand(count, -1, -1)
        weight = 0.0 if adapter == BASE else JUDGED_AT
        with self._bank.using(self._bank.choose([adapter] * count, [weight] * count, like=self._like)):
            steps = torch.tensor(times, device=noisy.device)
            return self._model.unet(noisy, steps, states, return_dict=False)[0].float()


def pairs(pull: Tensor, missing: Tensor) -> list[Pair]:
    """How far `missing` lies along `pull`, and how large that is; of each sample."""
    along, size = (pull * missing).mean(dim=(1, 2, 3)), pull.pow(2).mean(dim=(1, 2, 3))
    return [(float(a), float(b)) for a, b in zip(along, size, strict=True)]
