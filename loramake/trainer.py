"""One run's optimizer steps: learning rates, gradients over accumulated batches, clipping, the loss log's rows."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import islice

import torch
from tqdm import tqdm

from loramake.gradshares import GradientShares, Partners
from loramake.lora import Network
from loramake.models import StableDiffusion1
from loramake.noise import alphas_cumprod
from loramake.optimizerkinds import kind_of
from loramake.optimizing import clip_gradients, make_optimizer, set_averaging, set_learning_rates, used_rates
from loramake.ranks import ALONE, Ranks
from loramake.recipe import Recipe
from loramake.schedules import learning_rate
from loramake.seeds import derived_seed
from loramake.stepping import Batch, training_step
from loramake.textencode import encode
from loramake.trainfeed import Feed

_SECONDS_SHOWN = 2.0  # between two looks at the loss
_STEPS_SHOWN = 50  # over which the loss on show is a mean
_PROBE_SIDE = 8  # latent pixels; the smallest that every SD1 U-Net takes


class Trainer:
    """Model, LoRA, data and optimizer of one run.

    Args:
        precision: of the computation: no, fp16 or bf16.
        prediction_type, zero_terminal_snr: what the run trains for, settings and base model considered.
        ranks: the processes that train together.
    """

    def __init__(
        self,
        recipe: Recipe,
        model: StableDiffusion1,
        network: Network,
        feed: Feed,
        *,
        precision: str,
        prediction_type: str = "epsilon",
        zero_terminal_snr: bool = False,
        ranks: Ranks = ALONE,
    ) -> None:
        self.ranks = ranks
        self.recipe, self.model, self.network, self.feed = recipe, model, network, feed
        self.prediction_type = prediction_type
        self.device = next(network.parameters()).device
        self.kept = alphas_cumprod(zero_terminal_snr=zero_terminal_snr).to(self.device)
        self.total_steps = recipe.total_steps(feed.steps_per_epoch)
        self.base_rates = (recipe.resolved_text_encoder_lr(), float(recipe.unet_lr))
        self.scheduled = not kind_of(recipe.optimizer_type).own_schedule
        self.optimizer = make_optimizer(
            network,
            weight_decay=recipe.weight_decay,
            name=recipe.optimizer_type,
            arguments=recipe.optimizer_arguments(),
            rates=self.base_rates,
        )
        set_averaging(self.optimizer, training=True)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "fp16")
        self.autocast_dtype = {"no": None, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]
        self.zero_terminal_snr = zero_terminal_snr
        self.shares: GradientShares | None = None

    def divide_batches(self, others: Partners) -> None:
        """Compute gradients together with partner processes from now on."""
        self.shares = GradientShares(others, self.network, self.prediction_type, self.zero_terminal_snr)

    def steps_after(self, epoch: int) -> int:
        """Optimizer steps done after so many epochs."""
        return min(epoch * self.feed.steps_per_epoch, self.total_steps)

    def train_epoch(self, epoch: int, bar: tqdm) -> list[str]:
        """Train one epoch; returns its rows of the loss log.

        Args:
            epoch: counted from 1.
            bar: the run's progress bar, in optimizer steps.
        """
        first = (epoch - 1) * self.feed.steps_per_epoch
        records, read = [], 0.0
        bar.set_description_str(f"epoch {epoch}/{self.recipe.epochs(self.feed.steps_per_epoch)}", refresh=False)
        for number, batches in enumerate(islice(self.feed.steps(epoch), self.total_steps - first)):
            rates = self._rates(first + number)
            if self.recipe.network_dropout:
                others = [self.ranks.number] if self.ranks.number else []
                torch.manual_seed(derived_seed(self.recipe.seed, "dropout", first + number, *others))
            loss, norm = self._step(batches, rates)
            records.append((first + number + 1, used_rates(self.optimizer, rates), loss, norm))
            # reading a loss waits for the device: only now and then
            if time.monotonic() - read > _SECONDS_SHOWN or not number:
                mean = torch.stack([record[2] for record in records[-_STEPS_SHOWN:]]).mean().item()
                bar.set_postfix_str(f"loss {mean:.4f}, {_gigabytes(self.device):.1f} GB", refresh=False)
                read = time.monotonic()
            bar.update()
        return [
            f"{step}\t{epoch}\t{loss.item():.6f}\t{float(rates[0]):.6g}\t{float(rates[1]):.6g}\t{norm.item():.6f}"
            for step, rates, loss, norm in records
        ]

    def _rates(self, step: int) -> tuple[float, float]:
        """Learning rates of text encoder and U-Net at an optimizer step counted from 0."""
        if not self.scheduled:
            return self.base_rates
        recipe = self.recipe
        text, unet = (
            learning_rate(
                recipe.lr_scheduler,
                base,
                step,
                self.total_steps,
                warmup=recipe.lr_warmup_steps,
                cycles=recipe.lr_scheduler_num_cycles,
                power=recipe.lr_scheduler_power,
            )
            for base in self.base_rates
        )
        return text, unet

    def _step(self, batches: Sequence[Batch], rates: tuple[float, float]) -> tuple[torch.Tensor, torch.Tensor]:
        """One optimizer step over one or more batches: mean loss, and the gradients' norm before clipping."""
        set_learning_rates(self.optimizer, *rates)
        # kohya's (accelerate's) division: also the short group at an epoch's end is divided by the full number
        share = 1.0 / self.feed.batches_per_step
        losses = []
        for batch in batches:
            if self.shares:
                losses.append(self.shares.backward(batch, self._training_loss, share))
                continue
            loss = self._training_loss(batch)
            self.scaler.scale(loss if share == 1.0 else loss * share).backward()
            losses.append(loss.detach())
        if not losses:
            self.scaler.scale(torch.zeros((), device=self.device))  # it must have seen something
        loss = self.ranks.combine(list(self.network.parameters()), losses)
        self.scaler.unscale_(self.optimizer)
        norm = clip_gradients(self.network, self.recipe.max_grad_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        if self.recipe.scale_weight_norms:
            self.network.limit_norms(self.recipe.scale_weight_norms)
        return loss, norm

    def _training_loss(self, batch: Batch) -> torch.Tensor:
        return self.loss(batch, self.recipe.min_snr_gamma)

    def loss(self, batch: Batch, min_snr_gamma: float = 0.0) -> torch.Tensor:
        """The loss of one batch with the LoRA as it is, in the precision of the computation."""
        with self._autocast():
            return training_step(
                self.model.unet,
                self.model.text_encoder,
                batch,
                self.kept,
                clip_skip=self.recipe.clip_skip,
                prediction_type=self.prediction_type,
                min_snr_gamma=min_snr_gamma,
            ).loss

    @torch.no_grad()
    def probe(self) -> torch.Tensor:
        """The U-Net's answer to one small fixed input, (1, 4, 8, 8), with the LoRA as it is."""
        noise = torch.randn((1, 4, _PROBE_SIDE, _PROBE_SIDE), generator=torch.Generator().manual_seed(0))
        dtype = next(self.model.unet.parameters()).dtype
        with self._autocast():
            states = encode(self.model.text_encoder, self.feed.plain_ids(0), self.recipe.clip_skip)
            noise, time = noise.to(self.device, dtype), torch.tensor([500], device=self.device)
            return self.model.unet(noise, time, states.to(dtype), return_dict=False)[0]

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """The weights as they are saved, without dropout: for saving, validating and checking between epochs."""
        set_averaging(self.optimizer, training=False)
        self.network.set_training(False)
        yield
        self.network.set_training(True)
        set_averaging(self.optimizer, training=True)

    def _autocast(self) -> object:
        return torch.autocast(self.device.type, self.autocast_dtype) if self.autocast_dtype else nullcontext()


def _gigabytes(device: torch.device) -> float:
    """Most memory held so far: the card's where there is one, else the process's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device) / 2**30
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
