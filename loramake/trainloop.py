"""The training loop: epochs of steps, a state and a LoRA file after each, exact resume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from tqdm import tqdm

from loramake.continuing import start_from
from loramake.devices import SAVE_DTYPES, resolve_device, resolve_precision
from loramake.epochs import saved_epochs
from loramake.errors import UserError
from loramake.eventlog import EventLog
from loramake.heap import keep_freed_memory
from loramake.latentfiles import LatentFile
from loramake.lora import attach
from loramake.lorafiles import save_lora
from loramake.loragate import check_effect, gate
from loramake.models import StableDiffusion1, load_sd1
from loramake.optimizing import optimizer_label
from loramake.outofmemory import explain_out_of_memory
from loramake.recipe import Recipe
from loramake.runresume import resume
from loramake.runs import LOSS_COLUMNS, VALIDATION_COLUMNS, Run, now, write_rows
from loramake.runstate import save_state
from loramake.stepping import Batch
from loramake.trainer import Trainer
from loramake.trainfeed import Feed
from loramake.trainmeta import describe_run
from loramake.trainset import Picture
from loramake.validation import make_batches, validation_loss


@dataclass(frozen=True)
class Material:
    """What a run is made from.

    Attributes:
        pictures, latents: to train on, regularisation pictures included.
        held_out: pictures and their latents to validate with.
        base_model, base_model_config, vae: see `models.load_sd1`.
    """

    pictures: Sequence[Picture]
    latents: Sequence[LatentFile]
    held_out: Sequence[tuple[Picture, LatentFile]]
    base_model: str
    base_model_config: str
    vae: str


def run_training(run: Run, recipe: Recipe, material: Material, *, name: str, device: str, threads: int) -> int:
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
    with explain_out_of_memory(recipe, where, precision):
        trainer, validating = _set_up(recipe, material, where, precision)
        common = _describe(run, recipe, material, trainer, precision)
        return _run_epochs(run, recipe, trainer, validating, common, name=name, precision=precision)


def _set_up(recipe: Recipe, material: Material, where: torch.device, precision: str) -> tuple[Trainer, list[Batch]]:
    """The trainer, and the batches to validate with."""
    model = _load_frozen(material, recipe, where, precision)
    prediction = _prediction_type(recipe, model)
    network = attach(
        model.unet,
        model.text_encoder,
        rank=recipe.network_dim,
        alpha=recipe.network_alpha,
        seed=recipe.seed,
        conv_rank=recipe.conv_dim,
        conv_alpha=recipe.conv_alpha,
        dropout=recipe.network_dropout,
    )
    if recipe.network_weights:
        start_from(network, recipe.network_weights)
    feed = Feed(recipe, material.pictures, material.latents, model.tokenizer, model.scaling_factor, where)
    trainer = Trainer(
        recipe,
        model,
        network,
        feed,
        precision=precision,
        prediction_type=prediction,
        zero_terminal_snr=_zero_terminal_snr(recipe, model, prediction),
    )
    validating = make_batches(
        [picture.key for picture, _ in material.held_out],
        [feed.caption_ids(picture.caption) for picture, _ in material.held_out],
        [file for _, file in material.held_out],
        seed=recipe.seed,
        scaling_factor=model.scaling_factor,
        device=where,
    )
    return trainer, validating


def _run_epochs(
    run: Run,
    recipe: Recipe,
    trainer: Trainer,
    validating: Sequence[Batch],
    common: Mapping[str, str],
    *,
    name: str,
    precision: str,
) -> int:
    """Go on after the last whole epoch; returns the optimizer steps taken."""
    network, feed = trainer.network, trainer.feed
    total, epochs = trainer.total_steps, recipe.epochs(feed.steps_per_epoch)
    wanted = {epoch: run.epoch_path(name, epoch) for epoch in saved_epochs(epochs, recipe.save_every_n_epochs)}
    begun = resume(run, wanted, network, trainer.optimizer, trainer.scaler, rows_after=trainer.steps_after)
    done, rows, checks = begun.epoch, begun.rows, begun.checks
    started = begun.started or now()
    before = trainer.steps_after(done)
    events = EventLog(run.events, before)
    with tqdm(total=total, initial=before, unit="step") as bar:
        if validating and not checks:
            checks.append(_validate(0, 0, trainer, validating))
        for epoch in range(done + 1, epochs + 1):
            added = trainer.train_epoch(epoch, bar)
            rows += added
            steps = trainer.steps_after(epoch)
            with trainer.at_rest():
                gate(network, recipe, precision)
                if validating:
                    checks.append(_validate(steps, epoch, trainer, validating))
                if epoch in wanted:
                    check_effect(network, recipe, precision, trainer.probe)
                    dtype = SAVE_DTYPES[recipe.save_precision]
                    times = {"started": started, "finished": now()}
                    save_lora(wanted[epoch], network, dtype, common, epoch=epoch, steps=steps, **times)
            write_rows(run.loss_log, LOSS_COLUMNS, rows)
            if checks:
                write_rows(run.validation_log, VALIDATION_COLUMNS, checks)
            events.add(added, LOSS_COLUMNS.split("\t"))
            events.add(checks[-1:], VALIDATION_COLUMNS.split("\t"))
            # last: the state is what says that the epoch is whole
            save_state(run.folder, network, trainer.optimizer, trainer.scaler, epoch=epoch, started=started)
    events.close()
    passes = total / feed.steps_per_epoch * feed.showings  # of a last epoch cut short: about
    run.finish(sorted(wanted.items()), image_passes=round(passes), optimizer_steps=total)
    return total - before


def _validate(steps: int, epoch: int, trainer: Trainer, batches: Sequence[Batch]) -> str:
    """One row of the validation log."""
    return f"{steps}\t{epoch}\t{validation_loss(batches, trainer.loss):.6f}"


def _describe(run: Run, recipe: Recipe, material: Material, trainer: Trainer, precision: str) -> dict[str, str]:
    return describe_run(
        recipe,
        material.pictures,
        material.latents,
        base_model=material.base_model,
        vae=material.vae,
        fingerprint=run.fingerprint,
        precision=precision,
        max_token_length=trainer.feed.max_token_length,
        batches_per_epoch=trainer.feed.batches_per_epoch,
        steps_per_epoch=trainer.feed.steps_per_epoch,
        prediction_type=trainer.prediction_type,
        zero_terminal_snr=not bool(trainer.kept[-1]),
        optimizer=optimizer_label(trainer.optimizer, recipe.optimizer_arguments()),
        hashes=run.folder.parent / "models.json",
    )


def _load_frozen(material: Material, recipe: Recipe, device: torch.device, precision: str) -> StableDiffusion1:
    """Text encoder and U-Net, frozen, in the precision of the computation."""
    dtype = {"no": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]
    parts = ("text_encoder", "unet")
    config = material.base_model_config
    model = load_sd1(material.base_model, config=config, device=device, dtype=dtype, parts=parts)
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


def _prediction_type(recipe: Recipe, model: StableDiffusion1) -> str:
    """What the U-Net predicts: as set, else as the base model says."""
    if recipe.v_parameterization == "auto":
        return model.prediction_type
    return "v_prediction" if recipe.v_parameterization else "epsilon"


def _zero_terminal_snr(recipe: Recipe, model: StableDiffusion1, prediction_type: str) -> bool:
    """Whether the noise schedule ends without signal: as set, else as the base model says.

    Raises:
        UserError: with a model that predicts noise, which it then cannot.
    """
    wanted = model.zero_terminal_snr if recipe.zero_terminal_snr == "auto" else bool(recipe.zero_terminal_snr)
    if wanted and prediction_type == "epsilon" and recipe.zero_terminal_snr is True:
        raise UserError(
            "Without signal at the last timestep only velocity can be predicted, and this base model predicts noise.",
            found="zero_terminal_snr: true",
            expected="zero_terminal_snr: auto, or a base model that predicts velocity",
            setting="train.zero_terminal_snr, or train.v_parameterization: true",
        )
    return wanted and prediction_type == "v_prediction"
