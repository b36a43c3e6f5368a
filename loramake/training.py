"""Training a LoRA: the run is found by its content, trained where it is not finished, then linked. Torch loads late."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from loramake.abilities import refuse, training_refusals, wanted_packages
from loramake.capabilities import choose_device, probe
from loramake.cards import held_cards, visible_cards
from loramake.errors import UserError
from loramake.files import hash_value, read_json, to_json, write_if_changed
from loramake.latentfiles import LatentFile, match_latents
from loramake.modelhash import content_hash
from loramake.recipe import Recipe, make_recipe
from loramake.revisions import REVISIONS
from loramake.runs import INDEX, Run
from loramake.trainset import Picture, count_batches, hold_out, read_class_pictures, read_pictures, share_showings

# pictures to train on, their latents, and what is held out
Shown = tuple[list[Picture], list[LatentFile], list[tuple[Picture, LatentFile]]]


@dataclass(frozen=True)
class Ground:
    """Where a training's inputs lie: dataset, latents and regularisation pictures; and the runs."""

    dataset: Path
    latents: Path
    runs: Path
    reg: Path | None = None


def train_lora(
    dataset_dir: Path,
    latents_dir: Path,
    out_dir: Path,
    runs_dir: Path,
    *,
    name: str,
    title: str = "",
    base_model: str,
    base_model_config: str = "",
    vae: str = "",
    device: str = "auto",
    reg_dir: Path | None = None,
    threads: int = 1,
    **settings: object,
) -> dict[str, object]:
    """Train one LoRA, or link the finished run with the same inputs.

    Args:
        dataset_dir: holds the `N_name` folders with images and captions.
        latents_dir: from `latents.cache_latents`.
        out_dir: gets `{title}-{epoch:06d}.safetensors`, loss.tsv, its plot and index.json, as links.
        runs_dir: keeps runs by fingerprint; a run that was cut short goes on after its last whole epoch.
        name: the character's key.
        title: what the names of the LoRA files begin with, and what the webui calls them; "" for the character's key.
        base_model, base_model_config, vae, device: see the config.
        reg_dir: holds the `N_class` folders of regularisation pictures, where there are any.
        threads: CPU threads; results are byte-identical for equal numbers of them.
        settings: the keys of the config's `train` section (see `recipe.Recipe`).

    Returns:
        The run's index: epochs with file and SHA-256, fingerprint, image passes and optimizer steps of the whole run.

    Raises:
        UserError: bad settings, unreadable or foreign files, latents that do not fit, or a LoRA that came out broken.
    """
    models = (base_model, base_model_config, vae)
    ground = Ground(Path(dataset_dir), Path(latents_dir), Path(runs_dir), Path(reg_dir) if reg_dir else None)
    run, recipe, described, (pictures, latents, held_out) = find_run(ground, settings, name, device, *models)
    run.folder.mkdir(parents=True, exist_ok=True)
    with _lock(run):
        if run.is_finished():
            run.drop_states()
            run.note_work("relinked", 0)
            print("relinked finished run, 0 optimizer steps")
        else:
            # on a cluster this is the first look at the machine that trains
            machine = probe(wanted_packages(recipe), device=device)
            refuse(training_refusals(recipe, device, machine), "")
            write_if_changed(run.folder / "made_of.json", to_json(described))
            material = (pictures, latents, held_out, *models)
            shown_as = run.claim_title(title or name, name)
            steps = _train(
                run, recipe, material, shown_as, device, threads, on_cards=choose_device(device, machine) == "cuda"
            )
            run.note_work("trained", steps)
            print(f"trained {steps} optimizer steps")
        if not run.plot.is_file():
            from loramake.lossplot import draw_losses  # half a second

            draw_losses(run.loss_log, run.validation_log, run.plot)
        shown = run.titled(title or name)
        if not shown:
            from loramake.retitling import retitle

            shown = retitle(run, title or name)
        run.link_into(out_dir, shown)
    return read_json(shown / INDEX)


def _train(run: Run, recipe: Recipe, made_of: tuple, name: str, device: str, threads: int, *, on_cards: bool) -> int:
    """Train what is missing, on cards that no other training holds; optimizer steps taken."""
    # torch, diffusers and transformers take seconds to load: a finished run does not need them
    from loramake.trainloop import Material, run_training

    count, material = recipe.num_processes, Material(*made_of)
    options = {"name": name, "device": device, "threads": threads}
    with held_cards(visible_cards(), count) if on_cards else nullcontext(range(count)) as cards:
        if count == 1:
            return run_training(run, recipe, material, **options, card=cards[0])
        from loramake.dataparallel import run_parallel

        return run_parallel(run, recipe, material, **options, cards=cards)


def find_run(
    ground: Ground,
    settings: dict[str, object],
    name: str,
    device: str,
    base_model: str,
    base_model_config: str,
    vae: str,
) -> tuple[Run, Recipe, dict[str, object], Shown]:
    """The run of these inputs, finished or not: its folder, settings, what it is made of, and what it trains on.

    Raises:
        UserError: as `train_lora`, for settings and files.
    """
    recipe = make_recipe(settings)
    hashes = ground.runs / "models.json"
    base_hash = content_hash(base_model, hashes)
    vae_hash = content_hash(vae, hashes, setting="vae")
    pictures, latents, held_out = material = _gather(ground, vae_hash or base_hash, recipe)
    _check_warmup(recipe, pictures, latents)
    described = {
        "name": name,
        "recipe": recipe.canonical(),
        "device": device,
        "pictures": [_picture_facts(p, file) for p, file in zip(pictures, latents, strict=True)],
        "base_model": base_hash,
        "vae": vae_hash,
        "config": _config_facts(base_model_config),
        "revision": REVISIONS["train"],
    }
    if held_out:
        described["held_out"] = [_picture_facts(*pair) for pair in held_out]
    if recipe.network_weights:
        described["recipe"]["network_weights"] = content_hash(
            recipe.network_weights, hashes, setting="train.network_weights"
        )
    fingerprint = hash_value(described)[:32]
    return Run(ground.runs / fingerprint, fingerprint), recipe, described, material


def _gather(ground: Ground, vae_hash: str, recipe: Recipe) -> Shown:
    """Pictures to train on, their latents, and what is held out to validate with."""
    pictures = read_pictures(ground.dataset)
    latents = match_latents(ground.latents, pictures, vae_hash, flip=recipe.flip_aug)
    apart = hold_out([file.image_hash for file in latents], recipe.validation_split, recipe.seed)
    held_out = [(pictures[place], latents[place]) for place in sorted(apart)]
    if held_out:
        print(f"held out to validate with: {', '.join(picture.key for picture, _ in held_out)}")
    pictures = [picture for place, picture in enumerate(pictures) if place not in apart]
    latents = [file for place, file in enumerate(latents) if place not in apart]
    if ground.reg:
        showings = sum(picture.repeats for picture in pictures)
        classes = share_showings(read_class_pictures(ground.reg), showings)
        pictures += classes
        latents += match_latents(ground.latents, classes, vae_hash, flip=recipe.flip_aug)
    return pictures, latents, held_out


def _check_warmup(recipe: Recipe, pictures: Sequence[Picture], latents: Sequence[LatentFile]) -> None:
    """Refuse a warm-up that the run would end before."""
    showings = [picture.repeats for picture in pictures]
    batches = count_batches([file.bucket for file in latents], showings, recipe.train_batch_size)
    steps = recipe.total_steps(-(-batches // (recipe.gradient_accumulation_steps * recipe.num_processes)))
    if recipe.lr_warmup_steps >= steps and recipe.lr_scheduler != "constant":
        raise UserError(
            "The learning rate would rise to the end of the training.",
            found=f"lr_warmup_steps: {recipe.lr_warmup_steps}",
            expected=f"fewer than the run's {steps} optimizer steps; a few per cent of them",
            setting="train.lr_warmup_steps",
        )


def _lock(run: Run) -> FileLock:
    """The run's lock: a trainer that outlived a killed Snakemake must finish first."""
    lock = FileLock(run.folder.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
        lock.release()
    except Timeout:
        print("another process is training this very run: waiting for it")
    return lock


def _picture_facts(picture: Picture, file: LatentFile) -> list[object]:
    return [picture.key, picture.repeats, picture.caption, file.image_hash, list(file.bucket)]


def _config_facts(folder: str) -> dict[str, object]:
    """The content of a configuration folder's JSON files, without the tokenizer's vocabulary."""
    if not folder:
        return {}
    files = sorted(Path(folder).glob("*/*.json")) + sorted(Path(folder).glob("tokenizer/merges.txt"))
    return {str(file.relative_to(folder).as_posix()): hash_value(file.read_text(encoding="utf-8")) for file in files}
