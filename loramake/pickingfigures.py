"""What a LoRA does to the U-Net's predictions: what it learned, what it changed unasked, what it still obeys.

No picture is drawn: every figure compares predictions on the same noisy latents, so a few dozen passes tell a cell.
All are ratios to what the base model does on the same input, and so mean the same at any size, noise and resolution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import torch
from torch import Tensor

from loramake.bank import BASE, LoraBank
from loramake.models import StableDiffusion1
from loramake.noise import add_noise, alphas_cumprod, draw, velocity
from loramake.pickingtexts import text_reader
from loramake.tokens import choose_length, text_ids

TIMES = (125, 375, 625, 875)  # of the loss: the middles of four equal parts, as in validation
WISH_TIME = 800  # noise so strong that the prompt decides what is to be seen
TINY = 1e-12


@dataclass(frozen=True)
class Sample:
    """A picture to measure on.

    Args:
        key: its name, from which its noise is drawn.
        caption: as it was trained.
        latents: (4, h, w), times the VAE's scaling factor, float32.
    """

    key: str
    caption: str
    latents: Tensor


@dataclass(frozen=True)
class _Probe:
    """Noisy latents (B, 4, h, w) with texts, and what the base says to them.

    `target` is the truth where it is known; `said` how far the texts move the base from its answer to no text (RMS).
    """

    noisy: Tensor
    times: Tensor
    texts: tuple[str, ...]
    base: Tensor
    target: Tensor | None = None
    said: float = 1.0


class Gauge:
    """Measures the adapters of a bank against its base.

    Args:
        model: U-Net and text encoder on one device, with `bank` on them.
        samples: pictures of the character: those held out, else some that were trained on.
        trigger: the character's.
        wishes: prompts that ask for other things, by kind: at least two of each kind.
        clip_skip: of the training.
        prediction_type: "epsilon" or "v_prediction".
        seed: of the noise.
    """

    def __init__(
        self,
        model: StableDiffusion1,
        bank: LoraBank,
        samples: Sequence[Sample],
        *,
        trigger: str,
        wishes: dict[str, Sequence[str]],
        clip_skip: int,
        prediction_type: str,
        seed: int,
        zero_terminal_snr: bool = False,
        wish_samples: int = 2,
    ) -> None:
        self._model, self._bank, self._clip_skip, self._seed = model, bank, clip_skip, seed
        self._is_velocity = prediction_type == "v_prediction"
        self._like = next(model.unet.parameters())
        self._kept = alphas_cumprod(zero_terminal_snr=zero_terminal_snr)
        self._trigger = trigger
        counts = [len(text_ids(model.tokenizer, sample.caption)) for sample in samples]
        self._length = choose_length("auto", counts)
        self._pictures = [self._learning(batch, time) for batch in _batches(samples) for time in TIMES]
        first = next(_batches(samples))[:wish_samples]
        self._wishes = {kind: [self._asking(sample, texts) for sample in first] for kind, texts in wishes.items()}

    @torch.no_grad()
    def measure(self, adapter: int, weight: float) -> dict[str, float]:
        """Figures of one adapter at one weight, see `picking.Row`; nan where predictions are not finite."""
        states = self._encoder(adapter, weight)
        figures = self._learned(adapter, weight, states)
        drifts, triggers = [], []
        for kind, probes in self._wishes.items():
            gains = []
            for probe in probes:
                plain = self._predict(probe, probe.texts, adapter, weight, states)
                hers = self._predict(
                    probe, [f"{self._trigger}, {text}" for text in probe.texts], adapter, weight, states
                )
                asked = probe.base - probe.base.mean(0)
                size = asked.pow(2).mean() + TINY
                gains.append(((hers - hers.mean(0)) * asked).mean() / size)
                drifts.append((plain - probe.base).pow(2).mean().sqrt() / probe.said)
                triggers.append((hers - plain).pow(2).mean() / size)
            figures[kind] = float(torch.stack(gains).mean())
        figures["drift"] = float(torch.stack(drifts).mean())
        figures["trigger"] = float(torch.stack(triggers).mean().sqrt())
        return figures

    def _learned(self, adapter: int, weight: float, states: Callable) -> dict[str, float]:
        """Share of the base's loss that is gone, size of the change, and the factor it is too small by."""
        gains, wanted, made = [], [], []  # of each batch and noise level, in units of what the base misses
        for probe in self._pictures:
            change = self._predict(probe, probe.texts, adapter, weight, states) - probe.base
            missing = probe.target - probe.base
            size = missing.pow(2).mean() + TINY
            gains.append(1 - (change - missing).pow(2).mean() / size)
            wanted.append((change * missing).mean() / size)
            made.append(change.pow(2).mean() / size)
        reach = torch.stack(wanted).mean() / (torch.stack(made).mean() + TINY)
        change = torch.stack(made).mean().sqrt()
        return {"gain": float(torch.stack(gains).mean()), "reach": float(reach), "change": float(change)}

    def _learning(self, samples: Sequence[Sample], time: int) -> _Probe:
        noise = torch.stack([self._noise(sample, time) for sample in samples])
        latents = torch.stack([sample.latents for sample in samples])
        target = velocity(latents, noise, self._share(time, len(samples))) if self._is_velocity else noise
        return self._probe(latents, noise, time, [sample.caption for sample in samples], target)

    def _asking(self, sample: Sample, texts: Sequence[str]) -> _Probe:
        """One picture, noised the same way for every text."""
        count = len(texts)
        noise = self._noise(sample, WISH_TIME).expand(count, -1, -1, -1)
        probe = self._probe(sample.latents.expand(count, -1, -1, -1), noise, WISH_TIME, texts, None)
        with torch.no_grad():
            unasked = self._predict(probe, [""] * count, BASE, 0.0, self._encoder(BASE, 0.0))
        return replace(probe, said=float((probe.base - unasked).pow(2).mean().sqrt()) + TINY)

    @torch.no_grad()
    def _probe(self, latents: Tensor, noise: Tensor, time: int, texts: Sequence[str], target: Tensor | None) -> _Probe:
        noisy = add_noise(latents, noise, self._share(time, len(texts))).to(self._like)
        times = torch.full((len(texts),), time, device=self._like.device)
        bare = _Probe(noisy, times, tuple(texts), noisy)
        base = self._predict(bare, texts, BASE, 0.0, self._encoder(BASE, 0.0))
        return _Probe(noisy, times, tuple(texts), base, None if target is None else target.to(base))

    def _share(self, time: int, count: int) -> Tensor:
        return self._kept[time].expand(count)

    def _noise(self, sample: Sample, time: int) -> Tensor:
        return draw(self._seed, 0, f"pick/{sample.key}/{time}", tuple(sample.latents.shape))[0]

    def _predict(
        self, probe: _Probe, texts: Sequence[str], adapter: int, weight: float, states: Callable[[str], Tensor]
    ) -> Tensor:
        """(B, 4, h, w), float32."""
        count = len(texts)
        context = torch.cat([states(text) for text in texts])
        with self._bank.using(self._bank.choose([adapter] * count, [weight] * count, like=self._like)):
            return self._model.unet(probe.noisy, probe.times, context, return_dict=False)[0].float()

    def _encoder(self, adapter: int, weight: float) -> Callable[[str], Tensor]:
        """A function from a text to its states with this adapter."""
        how = {"clip_skip": self._clip_skip, "length": self._length}
        return text_reader(self._model, self._bank, adapter, weight, **how)


def _batches(samples: Sequence[Sample]) -> Iterator[list[Sample]]:
    """Samples of one size together, the most frequent size first."""

    def size(sample: Sample) -> tuple[int, ...]:
        return tuple(sample.latents.shape)

    groups = [list(group) for _, group in groupby(sorted(samples, key=size), key=size)]
    yield from sorted(groups, key=len, reverse=True)
