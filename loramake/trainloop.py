"""The training loop: epochs of steps, a state and a LoRA file after each, exact resume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from tqdm import tqdm

from loramake.compiling import warm_up
from loramake.continuing import start_from
from loramake.devices import SAVE_DTYPES, resolve_device, resolve_precision
from loramake.epochs import saved_epochs
from loramake.eventlog import EventLog
from loramake.gradshares import count_shares, partners
from loramake.heap import keep_freed_memory
from loramake.latentfiles import LatentFile
from loramake.lorafiles import save_lora
from loramake.loragate import check_effect, gate
from loramake.optimizing import optimizer_label
from loramake.outofmemory import explain_out_of_memory
from loramake.ranks import ALONE, Ranks
from loramake.recipe import Recipe
from loramake.runresume import resume
from loramake.runs import LOSS_COLUMNS, VALIDATION_COLUMNS, Run, now, write_rows
from loramake.runstate import save_state
from loramake.stepping import Batch
from loramake.trainer import Trainer
from loramake.trainfeed import Feed
from loramake.trainmeta import describe_run
from loramake.trainmodel import as_trained, attach_network, load_frozen
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


def run_training(
    run: Run,
    recipe: Recipe,
    material: Material,
    *,
    name: str,
    device: str,
    threads: int,
    card: int = 0,
    ranks: Ranks = ALONE,
) -> int:
    """Train what is missing of a run and write its index.

    Args:
        card: which of the visible ones to train on, where the device is one.
        ranks: of which this process is the first.

    Returns:
        Optimizer steps taken now (fewer than the run's when it was resumed).

    Raises:
        UserError: see `training.train_lora`.
    """
    where = resolve_device(device, card)
    precision = resolve_precision(recipe.mixed_precision, where)
    if where.type == "cpu":
        keep_freed_memory()
    shares = count_shares(recipe, material.base_model, where, precision, threads)
    torch.set_num_threads(each := max(1, threads // shares))
    base = (material.base_model, material.base_model_config)
    with (
        explain_out_of_memory(recipe, where, precision),
        partners(recipe, *base, count=shares - 1, threads=each) as others,
    ):
        trainer, validating = set_up(recipe, material, where, precision, ranks)
        if others.each:
            trainer.divide_batches(others)
        common = _describe(run, recipe, material, trainer, precision)
        return _run_epochs(run, recipe, trainer, validating, common, name=name, precision=precision)


def set_up(
    recipe: Recipe, material: Material, where: torch.device, precision: str, ranks: Ranks = ALONE
) -> tuple[Trainer, list[Batch]]:
    """The trainer, and the batches to validate with."""
    model = load_frozen(recipe, material.base_model, material.base_model_config, where, precision)
    model = as_trained(recipe, model)
    network = attach_network(recipe, model)
    if recipe.network_weights:
        start_from(network, recipe.network_weights)
    data = (material.pictures, material.latents)
    place = (ranks.number, ranks.count)
    feed = Feed(recipe, *data, model.tokenizer, model.scaling_factor, where, *place)
    trainer = Trainer(
        recipe,
        model,
        network,
        feed,
        precision=precision,
        prediction_type=model.prediction_type,
        zero_terminal_snr=model.zero_terminal_snr,
        ranks=ranks,
    )
    if recipe.torch_compile:
        warm_up(trainer)
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
    trainer.ranks.agree(begun.epoch)
    done, rows, checks = begun.epoch, begun.rows, begun.checks
    started = begun.started or now()
    before = trainer.steps_after(done)
    events = EventLog(run.events, before)
    with tqdm(total=total, initial=before, unit="step") as bar:
        if validating and not checks:
            with trainer.at_rest():
                checks.append(_validate(0, 0, trainer, validating))
            events.add(checks, VALIDATION_COLUMNS.split("\t"))
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
            bar.write(_summary(epoch, epochs, added, checks))
    events.close()
    passes = total / feed.steps_per_epoch * feed.showings  # of a last epoch cut short: about
    run.finish(sorted(wanted.items()), image_passes=round(passes), optimizer_steps=total)
    return total - before


def _summary(epoch: int, epochs: int, rows: Sequence[str], checks: Sequence[str]) -> str:
    """A line for the log, which holds no progress bar."""
    mean = sum(float(row.split("\t")[2]) for row in rows) / len(rows)
    validation = f", validation {float(checks[-1].split()[2]):.4f}" if checks else ""
    return f"epoch {epoch} of {epochs}: {len(rows)} steps, mean loss {mean:.4f}{validation}"


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
