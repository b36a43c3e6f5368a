"""Training a LoRA: the run is found by its content, trained where it is not finished, then linked. Torch loads late."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from loramake.files import hash_value, read_json, to_json, write_if_changed
from loramake.latentfiles import LatentFile, match_latents
from loramake.modelhash import content_hash
from loramake.recipe import Recipe, make_recipe
from loramake.revisions import REVISIONS
from loramake.runs import INDEX, Run
from loramake.trainset import Picture, read_pictures


def train_lora(
    dataset_dir: Path,
    latents_dir: Path,
    out_dir: Path,
    runs_dir: Path,
    *,
    name: str,
    base_model: str,
    base_model_config: str = "",
    vae: str = "",
    device: str = "auto",
    threads: int = 1,
    **settings: object,
) -> dict[str, object]:
    """Train one LoRA, or link the finished run with the same inputs.

    Args:
        dataset_dir: holds the `N_name` folders with images and captions.
        latents_dir: from `latents.cache_latents`.
        out_dir: gets `{name}-{epoch:06d}.safetensors`, loss.tsv and index.json, as links.
        runs_dir: keeps runs by fingerprint; a run that was cut short goes on after its last whole epoch.
        name: stem of the LoRA files.
        base_model, base_model_config, vae, device: see the config.
        threads: CPU threads; results are byte-identical for equal numbers of them.
        settings: the keys of the config's `train` section (see `recipe.Recipe`).

    Returns:
        The run's index: epochs with file and SHA-256, fingerprint, image passes and optimizer steps of the whole run.

    Raises:
        UserError: bad settings, unreadable or foreign files, latents that do not fit, or a LoRA that came out broken.
    """
    recipe = make_recipe(settings)
    runs_dir = Path(runs_dir)
    hashes = runs_dir / "models.json"
    base_hash = content_hash(base_model, hashes)
    vae_hash = content_hash(vae, hashes, setting="vae")
    pictures = read_pictures(dataset_dir)
    latents = match_latents(latents_dir, pictures, vae_hash or base_hash)
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
    run = Run(runs_dir / (fingerprint := hash_value(described)[:32]), fingerprint)
    run.folder.mkdir(parents=True, exist_ok=True)
    with _lock(run):
        if run.is_finished():
            run.note_work("relinked", 0)
            print("relinked finished run, 0 optimizer steps")
        else:
            write_if_changed(run.folder / "made_of.json", to_json(described))
            steps = _train(run, recipe, pictures, latents, name, base_model, base_model_config, vae, device, threads)
            run.note_work("trained", steps)
            print(f"trained {steps} optimizer steps")
        run.link_into(out_dir)
    return read_json(run.folder / INDEX)


def _train(run: Run, recipe: Recipe, pictures: list[Picture], latents: list[LatentFile], *rest: object) -> int:
    # torch, diffusers and transformers take seconds to load: a finished run does not need them
    from loramake.trainloop import run_training

    name, base_model, base_model_config, vae, device, threads = rest
    return run_training(
        run,
        recipe,
        pictures,
        latents,
        name=name,
        base_model=base_model,
        base_model_config=base_model_config,
        vae=vae,
        device=device,
        threads=threads,
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
