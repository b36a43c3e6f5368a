"""The training loop: epochs of steps, a state and a LoRA file after each, exact resume."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import torch
from tqdm import tqdm

from loramake.devices import SAVE_DTYPES, resolve_device, resolve_precision
from loramake.heap import keep_freed_memory
from loramake.latentfiles import LatentFile
from loramake.lora import Network, attach
from loramake.lorafiles import gate, save_lora
from loramake.models import StableDiffusion1, load_sd1
from loramake.noise import alphas_cumprod
from loramake.optimizing import clip_gradients, make_optimizer, set_learning_rates
from loramake.recipe import Recipe
from loramake.runs import Run, now, read_loss_rows, write_loss_rows
from loramake.runstate import load_state, save_state
from loramake.schedules import learning_rate
from loramake.stepping import training_step
from loramake.trainfeed import Feed
from loramake.trainmeta import describe_run
from loramake.trainset import Picture


def run_training(
    run: Run,
    recipe: Recipe,
    pictures: Sequence[Picture],
    latents: Sequence[LatentFile],
    *,
    name: str,
    base_model: str,
    base_model_config: str,
    vae: str,
    device: str,
    threads: int,
) -> int:
    """Train what is missing of a run and write its index.

    Returns:
        Optimizer steps taken now (fewer than the run's when it was resumed).

    Raises:
        UserError: see `training.train_lora`.
    """
    torch.set_num_threads(threads)
    where = resolve_device(device)
    precision = resolve_precision(recipe.mixed_precision, where)
    if where.type == "cpu":
        keep_freed_memory()
    model = _load_frozen(base_model, base_model_config, recipe, where, precision)
    dim, alpha = recipe.network_dim, recipe.network_alpha
    network = attach(model.unet, model.text_encoder, rank=dim, alpha=alpha, seed=recipe.seed)
    feed = Feed(recipe, pictures, latents, model.tokenizer, model.scaling_factor, where)
    trainer = _Trainer(recipe, model, network, feed, precision)
    common = describe_run(
        recipe,
        pictures,
        latents,
        base_model=base_model,
        vae=vae,
        fingerprint=run.fingerprint,
        precision=precision,
        max_token_length=feed.max_token_length,
        batches_per_epoch=feed.batches_per_epoch,
        prediction_type=model.prediction_type,
        hashes=run.folder.parent / "models.json",
    )
    done, started = load_state(run.state, network, trainer.optimizer, trainer.scaler)
    rows = read_loss_rows(run.loss_log, done)
    started = started or now()
    if done:
        print(f"resuming after epoch {done} of {recipe.max_train_epochs}")
    saved = [(e, run.epoch_path(name, e)) for e in _saved_epochs(recipe) if e <= done]
    for epoch in range(done + 1, recipe.max_train_epochs + 1):
        rows += trainer.train_epoch(epoch)
        gate(network, recipe, precision)
        if epoch in _saved_epochs(recipe):
            path = run.epoch_path(name, epoch)
            steps = epoch * feed.batches_per_epoch
            dtype = SAVE_DTYPES[recipe.save_precision]
            save_lora(path, network, dtype, common, epoch=epoch, steps=steps, started=started, finished=now())
            saved.append((epoch, path))
        write_loss_rows(run.loss_log, rows)
        # last: the state is what says that the epoch is whole
        save_state(run.state, network, trainer.optimizer, trainer.scaler, epoch=epoch, started=started)
    total = recipe.max_train_epochs * feed.batches_per_epoch
    run.finish(saved, image_passes=recipe.max_train_epochs * feed.showings, optimizer_steps=total)
    run.state.unlink(missing_ok=True)  # large, and of no more use
    return (recipe.max_train_epochs - done) * feed.batches_per_epoch


def _saved_epochs(recipe: Recipe) -> list[int]:
    """Epochs that are saved: every n-th, and the last."""
    last = recipe.max_train_epochs
    return sorted({*range(recipe.save_every_n_epochs, last + 1, recipe.save_every_n_epochs), last})


def _load_frozen(
    base_model: str, base_model_config: str, recipe: Recipe, device: torch.device, precision: str
) -> StableDiffusion1:
    """Text encoder and U-Net, frozen, in the precision of the computation."""
    dtype = {"no": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]
    parts = ("text_encoder", "unet")
    model = load_sd1(base_model, config=base_model_config, device=device, dtype=dtype, parts=parts)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(True, warn_only=True)
    if recipe.gradient_checkpointing:
        model.unet.enable_gradient_checkpointing()
        model.text_encoder.gradient_checkpointing_enable()
        # both honour it in training mode alone; neither has active dropout
        model.unet.train()
        model.text_encoder.train()
    if recipe.xformers:
        model.unet.enable_xformers_memory_efficient_attention()
    return model


class _Trainer:
    """Model, LoRA, data and optimizer of one run."""

    def __init__(self, recipe: Recipe, model: StableDiffusion1, network: Network, feed: Feed, precision: str) -> None:
        self.recipe, self.model, self.network, self.feed = recipe, model, network, feed
        self.device = next(network.parameters()).device
        self.kept = alphas_cumprod().to(self.device)
        self.optimizer = make_optimizer(network, weight_decay=recipe.weight_decay)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "fp16")
        self.autocast_dtype = {"no": None, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]
        if recipe.resolved_text_encoder_lr() == 0:
            for parameter in network.parameters("lora_te_"):
                parameter.requires_grad_(False)

    def train_epoch(self, epoch: int) -> list[str]:
        """Train one epoch; returns its rows of the loss log."""
        first = (epoch - 1) * self.feed.batches_per_epoch
        records = []
        title = f"epoch {epoch}/{self.recipe.max_train_epochs}"
        with tqdm(total=self.feed.batches_per_epoch, desc=title, unit="step") as bar:
            for number, batch in enumerate(self.feed.batches(epoch)):
                rates = self._rates(first + number)
                loss, norm = self._step(batch, rates)
                records.append((first + number + 1, rates, loss, norm))
                # reading a loss waits for the device: only now and then
                if number % 20 == 19:
                    bar.set_postfix_str(f"loss {loss.item():.4f}", refresh=False)
                bar.update()
        return [
            f"{step}\t{epoch}\t{loss.item():.6f}\t{rates[0]:.6g}\t{rates[1]:.6g}\t{norm.item():.6f}"
            for step, rates, loss, norm in records
        ]

    def _rates(self, step: int) -> tuple[float, float]:
        """Learning rates of text encoder and U-Net at an optimizer step counted from 0."""
        recipe = self.recipe
        total = recipe.max_train_epochs * self.feed.batches_per_epoch
        text, unet = (
            learning_rate(
                recipe.lr_scheduler,
                base,
                step,
                total,
                warmup=recipe.lr_warmup_steps,
                cycles=recipe.lr_scheduler_num_cycles,
                power=recipe.lr_scheduler_power,
            )
            for base in (recipe.resolved_text_encoder_lr(), recipe.unet_lr)
        )
        return text, unet

    def _step(self, batch: object, rates: tuple[float, float]) -> tuple[torch.Tensor, torch.Tensor]:
        set_learning_rates(self.optimizer, *rates)
        autocast = torch.autocast(self.device.type, self.autocast_dtype) if self.autocast_dtype else nullcontext()
        with autocast:
            loss = training_step(
                self.model.unet,
                self.model.text_encoder,
                batch,
                self.kept,
                clip_skip=self.recipe.clip_skip,
                prediction_type=self.model.prediction_type,
                min_snr_gamma=self.recipe.min_snr_gamma,
            ).loss
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        norm = clip_gradients(self.network, self.recipe.max_grad_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.detach(), norm
