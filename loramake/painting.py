"""Draws pictures in batches: every sample with its own prompt, seed, adapter and weight."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy
import torch
from torch import Tensor

from loramake.bank import BASE, LoraBank
from loramake.denoising import compose, guide, make_denoiser, seeded_noise
from loramake.mergedlayers import Conv, onednn_is_there
from loramake.mergedunet import MergedUNet
from loramake.models import StableDiffusion1
from loramake.samplernames import resolve_eta
from loramake.samplers import find_sampler, sample
from loramake.sigmas import training_sigmas
from loramake.smallmodels import SMALL_MODEL_BYTES
from loramake.textstates import PictureText, Request, TextStates, Windows, text_reader
from loramake.unet import UNet

# pictures decoded at once: as many as have this many pixels together, at least one (a decoder takes much memory)
DECODED_PIXELS = 512 * 1024


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
    texts: TextStates | None = None,
    claim: Callable[[], bool] = lambda: True,
) -> Iterator[tuple[int, numpy.ndarray]]:
    """Draw the requests, batch by batch.

    Pictures of one adapter and weight are put together, since they multiply fastest; those of the base skip the bank.
    Small models on a CPU take batches in which all have the same, and merge it once for all steps.

    Args:
        model: its parts on one device; the VAE may be of another precision.
        bank: on `model`.
        sampler: name as in the webui.
        width, height: px, multiples of the VAE's 8.
        batch_size: pictures drawn at once; with guidance the U-Net sees twice as many samples, with AND yet more.
        eta: share of fresh noise, 0 … 1, or "auto": the sampler's own.
        texts: states of an earlier call with this bank and clip_skip, so that no text is encoded twice.
        claim: asked before each batch whether to draw it; batches and their order depend on the other arguments alone.

    Yields:
        the place in `requests` and the picture, (height, width, 3) uint8; not in order.

    Raises:
        UserError: a prompt that cannot be read, an unknown sampler, clip_skip beyond the encoder's layers.
    """
    method, eta = find_sampler(sampler), resolve_eta(sampler, eta)
    texts = texts or TextStates(model.text_encoder, bank, clip_skip)
    reader = text_reader(model.tokenizer, steps)
    read = [reader(request) for request in requests]
    factor = 2 ** (len(model.vae.config.block_out_channels) - 1)
    shape = (model.unet.config.in_channels, height // factor, width // factor)
    like = next(model.unet.parameters())
    table = training_sigmas(zero_terminal_snr=model.zero_terminal_snr)
    merging = _merging_pays(model.unet)
    merger = _Merger(model.unet, bank)
    for places in _batches(requests, read, batch_size, alike=merging):
        if not claim():
            continue
        batch = [requests[place] for place in places]
        noise = seeded_noise([request.seed for request in batch], shape, like.device)
        run = merger.runner(batch[0]) if merging else _runner(model.unet, bank, batch)
        predict = _predictor(run, like, batch, [read[place] for place in places], texts, cfg_scale)
        denoise = make_denoiser(predict, model.prediction_type, table)
        latents = sample(method, denoise, noise(), steps, noise, eta, table)
        yield from zip(places, decode(model.vae, latents / model.scaling_factor), strict=True)


def _merging_pays(unet: torch.nn.Module) -> bool:
    """Whether each batch takes a merged U-Net: a copy of a small model costs little memory and time."""
    like = next(unet.parameters())
    size = sum(parameter.numel() * parameter.element_size() for parameter in unet.parameters())
    plain = like.device.type == "cpu" and like.dtype == torch.float32
    return plain and size <= SMALL_MODEL_BYTES and onednn_is_there()


def _batches(
    requests: Sequence[Request], texts: Sequence[PictureText], batch_size: int, *, alike: bool
) -> Iterator[list[int]]:
    """Places in `requests`, grouped: equal numbers of windows and further LoRAs, base apart, adapters side by side.

    Args:
        alike: only requests of one adapter and weight in a batch.
    """
    groups: dict[tuple, list[int]] = defaultdict(list)
    for place, (request, text) in enumerate(zip(requests, texts, strict=True)):
        base = request.adapter == BASE or request.weight == 0
        own = (request.adapter, request.weight) if alike and not base else None
        groups[text.shape, base, request.extra, own].append(place)
    for places in groups.values():
        places.sort(key=lambda place: (requests[place].adapter, requests[place].weight))
        for start in range(0, len(places), batch_size):
            yield places[start : start + batch_size]


Run = Callable[[Tensor, Tensor, Tensor], Tensor]


def _predictor(
    run: Run,
    like: Tensor,
    batch: Sequence[Request],
    texts: Sequence[PictureText],
    states: TextStates,
    cfg_scale: float,
) -> Callable[[Tensor, float, int], Tensor]:
    """The guided U-Net of one batch, for `denoising.make_denoiser`; `like` gives device and dtype."""
    plain = all(text.weights == (1.0,) for text in texts)
    # (parts, B): pulls of the parts of each prompt
    pulls = torch.tensor([text.weights for text in texts], device=like.device).T
    stacked: dict[tuple, Tensor] = {}

    def context(sides: Sequence[Windows]) -> Tensor:
        if tuple(sides) not in stacked:
            times = len(sides) // len(batch)
            parts = [states(batch[place // times], windows) for place, windows in enumerate(sides)]
            stacked[tuple(sides)] = torch.cat(parts).to(like.dtype)
        return stacked[tuple(sides)]

    def predict(x: Tensor, timestep: float, step: int) -> Tensor:
        x, time = x.to(like.dtype), torch.tensor(timestep, device=x.device)
        sides = list(zip(*(text.sides[step] for text in texts), strict=True))
        if cfg_scale == 1 and plain:
            return run(x, time, context(sides[1]))
        # another number of windows does not fit into one batch; padding would change the picture
        by_length: dict[int, list[int]] = defaultdict(list)
        for place, side in enumerate(sides):
            by_length[len(side[0])].append(place)
        outputs: dict[int, Tensor] = {}
        for places in by_length.values():
            # the sides of one picture next to each other: they take the same LoRA, and neighbours multiply fastest
            text = context([sides[place][picture] for picture in range(len(batch)) for place in places])
            together = run(x.repeat_interleave(len(places), 0), time, text)
            outputs.update({place: together[number :: len(places)] for number, place in enumerate(places)})
        unconditioned, *conditioned = (outputs[place] for place in range(len(sides)))
        if plain:
            return guide(conditioned[0], unconditioned, cfg_scale)
        return compose(conditioned, unconditioned, pulls, cfg_scale)

    return predict


class _Merger:
    """A small U-Net with the LoRAs of a batch merged in; neighbouring batches with the same LoRAs share it."""

    def __init__(self, unet: UNet, bank: LoraBank) -> None:
        self._unet, self._bank = unet, bank
        self._taken: tuple[tuple[int, float], ...] | None = None
        self._merged: MergedUNet | None = None
        self._convs: dict[torch.nn.Module, Conv] = {}

    def runner(self, request: Request) -> Run:
        """The U-Net for a batch of pictures that all take what `request` takes."""
        used = [(request.adapter, request.weight), *((adapter, weight) for adapter, _, weight in request.extra)]
        taken = tuple((adapter, weight) for adapter, weight in used if adapter != BASE and weight)
        if self._merged is None or taken != self._taken:
            merged = MergedUNet(self._unet, lambda layer: self._bank.weigh(layer, taken), self._convs)
            self._taken, self._merged = taken, merged
        self._merged.forget_texts()
        return self._merged


def _runner(unet: torch.nn.Module, bank: LoraBank, batch: Sequence[Request]) -> Run:
    """The U-Net with the LoRAs of a batch: (x with each picture n times in a row, timestep, text) → prediction."""
    like = next(unet.parameters())
    layers = [[(request.adapter, request.weight) for request in batch]]
    layers += [[(adapter, weight)] * len(batch) for adapter, _, weight in batch[0].extra]
    choices: dict[int, list[object]] = {}

    def run(x: Tensor, timestep: Tensor, text: Tensor) -> Tensor:
        times = len(x) // len(batch)
        if times not in choices:
            pairs = [list(zip(*(taken for taken in layer for _ in range(times)), strict=True)) for layer in layers]
            choices[times] = [bank.choose(adapters, weights, like=like) for adapters, weights in pairs]
        with bank.using(*choices[times]):
            return unet(x, timestep, text, return_dict=False)[0].float()

    return run


def decode(vae: torch.nn.Module, latents: Tensor) -> Iterator[numpy.ndarray]:
    """Pictures (H, W, 3) uint8 of unscaled latents (B, 4, h, w); values that are not finite come out black."""
    like = next(vae.parameters())
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    at_once = max(1, DECODED_PIXELS // (latents.shape[2] * latents.shape[3] * factor**2))
    for part in latents.split(at_once):
        pictures = vae.decode(part.to(like.device, like.dtype), return_dict=False)[0].float()
        pictures = torch.nan_to_num(pictures, nan=-1.0).clamp(-1, 1).add(1).mul(127.5).round()
        yield from pictures.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
