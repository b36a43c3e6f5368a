"""Draws pictures in batches: every sample with its own prompt, seed, adapter and weight."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy
import torch
from torch import Tensor

from loramake.bank import BASE, LoraBank
from loramake.denoising import guide, make_denoiser, seeded_noise
from loramake.models import StableDiffusion1
from loramake.prompts import Sections, parse, per_step
from loramake.promptwindows import Window, encode_windows, make_windows
from loramake.samplernames import resolve_eta
from loramake.samplers import find_sampler, sample

# pictures decoded at once: as many as have this many pixels together, at least one (a decoder takes much memory)
DECODED_PIXELS = 512 * 1024


@dataclass(frozen=True)
class Request:
    """One picture: `prompt` and `negative_prompt` in the webui's language, `adapter` of the bank or BASE."""

    prompt: str
    negative_prompt: str
    seed: int
    adapter: int = BASE
    weight: float = 0.0


@dataclass(frozen=True)
class _Text:
    """Windows of prompt and negative prompt, each as every step sees them."""

    wanted: tuple[tuple[Window, ...], ...]
    unwanted: tuple[tuple[Window, ...], ...]

    @property
    def shape(self) -> tuple[tuple[int, int], ...]:
        """Numbers of windows of every step: pictures with equal shapes can share a batch."""
        return tuple((len(a), len(b)) for a, b in zip(self.wanted, self.unwanted, strict=True))


class TextStates:
    """Encoded text, each (adapter, weight, windows) once; the LoRA acts on the text encoder too.

    Each is encoded alone, so that its states do not depend on what else is drawn.
    """

    def __init__(self, text_encoder: torch.nn.Module, bank: LoraBank, clip_skip: int) -> None:
        self._text_encoder, self._bank, self._clip_skip = text_encoder, bank, clip_skip
        self._states: dict[tuple[int, float, tuple[Window, ...]], Tensor] = {}
        self._like = next(text_encoder.parameters())

    def __call__(self, request: Request, windows: tuple[Window, ...]) -> Tensor:
        """(1, 77·n, dim)."""
        adapter = request.adapter if request.weight else BASE
        key = (adapter, request.weight if adapter != BASE else 0.0, windows)
        if key not in self._states:
            choice = self._bank.choose([key[0]] * len(windows), [key[1]] * len(windows), like=self._like)
            with self._bank.using(choice):
                self._states[key] = encode_windows(self._text_encoder, windows, self._clip_skip)
        return self._states[key]


@torch.inference_mode()
def paint(
    model: StableDiffusion1,
    bank: LoraBank,
    requests: Sequence[Request],
    *,
    sampler: str,
    steps: int,
    cfg_scale: float,
    width: int,
    height: int,
    clip_skip: int,
    batch_size: int,
    eta: str | float = "auto",
) -> Iterator[tuple[int, numpy.ndarray]]:
    """Draw the requests, batch by batch.

    Pictures of one adapter and weight are put together, since they multiply fastest; those of the base skip the bank.

    Args:
        model: its parts on one device; the VAE may be of another precision.
        bank: on `model`.
        sampler: name as in the webui.
        width, height: px, multiples of the VAE's 8.
        batch_size: pictures drawn at once; with guidance the U-Net sees twice as many samples.
        eta: share of fresh noise, 0 … 1, or "auto": the sampler's own.

    Yields:
        the place in `requests` and the picture, (height, width, 3) uint8; not in order.

    Raises:
        UserError: a prompt that cannot be read, an unknown sampler, clip_skip beyond the encoder's layers.
    """
    method, eta = find_sampler(sampler), resolve_eta(sampler, eta)
    texts = TextStates(model.text_encoder, bank, clip_skip)
    split = _splitter(model.tokenizer, steps)
    read = [_Text(split(request.prompt), split(request.negative_prompt)) for request in requests]
    factor = 2 ** (len(model.vae.config.block_out_channels) - 1)
    shape = (model.unet.config.in_channels, height // factor, width // factor)
    like = next(model.unet.parameters())
    for places in _batches(requests, read, batch_size):
        batch = [requests[place] for place in places]
        noise = seeded_noise([request.seed for request in batch], shape, like.device)
        predict = _predictor(model.unet, bank, batch, [read[place] for place in places], texts, cfg_scale)
        latents = sample(method, make_denoiser(predict, model.prediction_type), noise(), steps, noise, eta)
        yield from zip(places, decode(model.vae, latents / model.scaling_factor), strict=True)


def _splitter(tokenizer: object, steps: int) -> Callable[[str], tuple[tuple[Window, ...], ...]]:
    """A function from a prompt to its windows at every step; equal texts are tokenised once."""
    made: dict[Sections, tuple[Window, ...]] = {}
    read: dict[str, tuple[tuple[Window, ...], ...]] = {}

    def windows(sections: Sections) -> tuple[Window, ...]:
        if sections not in made:
            made[sections] = make_windows(sections, tokenizer)
        return made[sections]

    def split(prompt: str) -> tuple[tuple[Window, ...], ...]:
        if prompt not in read:
            read[prompt] = tuple(windows(sections) for sections in per_step(parse(prompt), steps))
        return read[prompt]

    return split


def _batches(requests: Sequence[Request], texts: Sequence[_Text], batch_size: int) -> Iterator[list[int]]:
    """Places in `requests`, grouped: equal numbers of windows, base apart from LoRA, adapters side by side."""
    groups: dict[tuple, list[int]] = defaultdict(list)
    for place, (request, text) in enumerate(zip(requests, texts, strict=True)):
        groups[text.shape, request.adapter == BASE or request.weight == 0].append(place)
    for places in groups.values():
        places.sort(key=lambda place: (requests[place].adapter, requests[place].weight))
        for start in range(0, len(places), batch_size):
            yield places[start : start + batch_size]


def _predictor(
    unet: torch.nn.Module,
    bank: LoraBank,
    batch: Sequence[Request],
    texts: Sequence[_Text],
    states: TextStates,
    cfg_scale: float,
) -> Callable[[Tensor, float, int], Tensor]:
    """The guided U-Net of one batch, for `denoising.make_denoiser`."""
    like = next(unet.parameters())
    adapters, weights = [request.adapter for request in batch], [request.weight for request in batch]
    once = bank.choose(adapters, weights, like=like)
    twice = bank.choose(adapters * 2, weights * 2, like=like)
    stacked: dict[tuple, Tensor] = {}

    def context(sides: Sequence[tuple[Window, ...]]) -> Tensor:
        if tuple(sides) not in stacked:
            parts = [states(batch[place % len(batch)], windows) for place, windows in enumerate(sides)]
            stacked[tuple(sides)] = torch.cat(parts).to(like.dtype)
        return stacked[tuple(sides)]

    def run(choice: object, x: Tensor, timestep: Tensor, text: Tensor) -> Tensor:
        with bank.using(choice):
            return unet(x, timestep, text, return_dict=False)[0].float()

    def predict(x: Tensor, timestep: float, step: int) -> Tensor:
        x, time = x.to(like.dtype), torch.tensor(timestep, device=x.device)
        wanted, unwanted = [text.wanted[step] for text in texts], [text.unwanted[step] for text in texts]
        if cfg_scale == 1:
            return run(once, x, time, context(wanted))
        if len(wanted[0]) == len(unwanted[0]):
            both = run(twice, torch.cat([x, x]), time, context([*unwanted, *wanted]))
            return guide(both[len(batch) :], both[: len(batch)], cfg_scale)
        # another number of windows does not fit into one batch; padding would change the picture
        return guide(run(once, x, time, context(wanted)), run(once, x, time, context(unwanted)), cfg_scale)

    return predict


def decode(vae: torch.nn.Module, latents: Tensor) -> Iterator[numpy.ndarray]:
    """Pictures (H, W, 3) uint8 of unscaled latents (B, 4, h, w); values that are not finite come out black."""
    like = next(vae.parameters())
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    at_once = max(1, DECODED_PIXELS // (latents.shape[2] * latents.shape[3] * factor**2))
    for part in latents.split(at_once):
        pictures = vae.decode(part.to(like.device, like.dtype), return_dict=False)[0].float()
        pictures = torch.nan_to_num(pictures, nan=-1.0).clamp(-1, 1).add(1).mul(127.5).round()
        yield from pictures.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
