"""The metadata of a LoRA file as kohya's trainer writes it (`ss_…`), and `modelspec.…`; no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from loramake import __version__
from loramake.recipe import Recipe
from loramake.trainset import Picture

# what kohya's trainer keeps with its no_metadata
LOADER_KEYS = frozenset(
    f"ss_{key}"
    for key in ("v2", "base_model_version", "network_module", "network_dim", "network_alpha", "network_args")
)


@dataclass(frozen=True)
class ModelFile:
    """A model file as metadata names it: file name, kohya's short hash, full SHA-256."""

    name: str
    short_hash: str
    full_hash: str


def training_metadata(
    recipe: Recipe,
    pictures: Sequence[Picture],
    buckets: Sequence[tuple[int, int]],
    sizes: Sequence[tuple[int, int]],
    *,
    base: ModelFile,
    vae: ModelFile | None,
    session: str,
    precision: str,
    max_token_length: int,
    batches_per_epoch: int,
    prediction_type: str,
    steps_per_epoch: int | None = None,
    zero_terminal_snr: bool = False,
    optimizer: str = "torch.optim.adamw.AdamW",
) -> dict[str, str]:
    """The keys that are the same for all epochs of a run. All values are strings.

    Args:
        buckets: (width, height) each picture trains at, pixels.
        sizes: (width, height) of each picture itself, pixels.
        session: decimal number that names the run.
        precision: of the computation: no, fp16 or bf16.
        max_token_length: 75, 150 or 225.
        steps_per_epoch: optimizer steps; None: one for each batch.
        optimizer: class and arguments (`optimizing.optimizer_label`).
    """
    steps = steps_per_epoch or batches_per_epoch
    own = [p for p in pictures if not p.regularisation]
    values = {
        **_fixed_keys(),
        **_recipe_keys(recipe),
        "session_id": session,
        "mixed_precision": precision,
        "num_train_images": sum(p.repeats for p in own),
        "num_reg_images": sum(p.folder_repeats for p in pictures if p.regularisation),
        "num_batches_per_epoch": -(-batches_per_epoch // recipe.num_processes),
        "num_epochs": recipe.epochs(steps),
        "max_train_steps": recipe.total_steps(steps),
        "optimizer": optimizer,
        "zero_terminal_snr": zero_terminal_snr,
        "base_model_version": "sd_v1_v" if prediction_type == "v_prediction" else "sd_v1",
        "max_token_length": None if max_token_length == 75 else max_token_length,
        "dataset_dirs": json.dumps(_dataset_dirs(own)),
        "reg_dataset_dirs": json.dumps(_dataset_dirs([p for p in pictures if p.regularisation])),
        "tag_frequency": json.dumps(_tag_frequency(pictures)),
        "bucket_info": json.dumps(_bucket_info(pictures, buckets, sizes) if recipe.enable_bucket else None),
        "sd_model_name": base.name,
        "sd_model_hash": base.short_hash,
        "new_sd_model_hash": base.full_hash,
    }
    if vae:
        values |= {"vae_name": vae.name, "vae_hash": vae.short_hash, "new_vae_hash": vae.full_hash}
    made = {f"ss_{key}": str(value) for key, value in values.items()}
    if recipe.no_metadata:
        keys = {f"modelspec.{key}" for key in ("sai_model_spec", "architecture", "prediction_type")} | LOADER_KEYS
        return {key: value for key, value in (made | _modelspec(recipe, own, prediction_type)).items() if key in keys}
    return made | _modelspec(recipe, own, prediction_type)


def epoch_metadata(
    common: Mapping[str, str], *, title: str, epoch: int, steps: int, started: float, finished: float
) -> dict[str, str]:
    """The metadata of one epoch's file. Times in seconds since 1970. Nothing is added to metadata kept to a minimum."""
    if "ss_session_id" not in common:
        return dict(common)
    date = datetime.fromtimestamp(int(finished), UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return {
        **common,
        "ss_output_name": title,
        "ss_epoch": str(epoch),
        "ss_steps": str(steps),
        "ss_training_started_at": str(float(started)),
        "ss_training_finished_at": str(float(finished)),
        "modelspec.title": title,
        "modelspec.date": date,
    }


def model_hashes(header: bytes, chunks: Iterable[bytes | memoryview]) -> dict[str, str]:
    """kohya's two hashes of a LoRA serialised with its `ss_` metadata alone.

    Args:
        header: the serialised file up to the end of its header.
        chunks: the data that follows, in pieces.
    """
    data, window = hashlib.sha256(), hashlib.sha256()
    start, end = 0x100000, 0x110000
    window.update(header[start:end])
    position = len(header)
    for chunk in chunks:
        data.update(chunk)
        window.update(chunk[max(0, start - position) : max(0, end - position)])
        position += len(chunk)
    return {"sshs_model_hash": data.hexdigest(), "sshs_legacy_hash": window.hexdigest()[:8]}


def _recipe_keys(recipe: Recipe) -> dict[str, object]:
    text_encoder_lr = recipe.resolved_text_encoder_lr()
    bucketed = recipe.enable_bucket
    return {
        "learning_rate": float(recipe.unet_lr),
        "text_encoder_lr": float(text_encoder_lr),
        "unet_lr": float(recipe.unet_lr),
        "gradient_accumulation_steps": recipe.gradient_accumulation_steps,
        "gradient_checkpointing": recipe.gradient_checkpointing,
        "lr_warmup_steps": recipe.lr_warmup_steps,
        "lr_scheduler": recipe.lr_scheduler,
        "network_dim": recipe.network_dim,
        "network_alpha": float(recipe.network_alpha),
        "network_dropout": recipe.network_dropout or None,
        "scale_weight_norms": recipe.scale_weight_norms or None,
        **_network_args(recipe),
        "clip_skip": recipe.clip_skip,
        "seed": recipe.seed,
        "noise_offset": recipe.noise_offset or None,
        "min_snr_gamma": recipe.min_snr_gamma or None,
        "max_grad_norm": float(recipe.max_grad_norm),
        "caption_dropout_rate": float(recipe.caption_dropout_rate),
        "caption_tag_dropout_rate": float(recipe.caption_tag_dropout_rate),
        "batch_size_per_device": recipe.train_batch_size,
        "total_batch_size": recipe.train_batch_size * recipe.num_processes * recipe.gradient_accumulation_steps,
        "prior_loss_weight": float(recipe.prior_loss_weight),
        "flip_aug": recipe.flip_aug,
        "caption_dropout_every_n_epochs": recipe.caption_dropout_every_n_epochs,
        "resolution": (recipe.resolution, recipe.resolution),
        "shuffle_caption": recipe.shuffle_caption,
        "enable_bucket": bucketed,
        "bucket_no_upscale": recipe.bucket_no_upscale,
        "min_bucket_reso": recipe.min_bucket_reso if bucketed else None,
        "max_bucket_reso": recipe.max_bucket_reso if bucketed else None,
        "keep_tokens": recipe.keep_tokens,
    }


def _fixed_keys() -> dict[str, object]:
    """Features of kohya's trainer at the values that say they were not used."""
    return {
        "network_module": "networks.lora",
        "sd_scripts_commit_hash": f"loramake {__version__}",
        "loss_type": "l2",
        "cache_latents": True,
        "huber_c": 0.1,
        "huber_schedule": "snr",
        "multires_noise_discount": 0.3,
        **dict.fromkeys(("full_fp16", "v2", "lowram", "color_aug", "random_crop"), False),
        **dict.fromkeys(("debiased_estimation",), False),
        **dict.fromkeys(("noise_offset_random_strength", "ip_noise_gamma_random_strength"), False),
        **dict.fromkeys(("training_comment", "face_crop_aug_range")),
        **dict.fromkeys(("adaptive_noise_scale", "multires_noise_iterations", "ip_noise_gamma")),
    }


def _network_args(recipe: Recipe) -> dict[str, str]:
    """What kohya's trainer is given as `network_args`; the key is missing where there are none."""
    if not recipe.conv_dim:
        return {}
    given = {"conv_dim": str(recipe.conv_dim), "conv_alpha": f"{recipe.conv_alpha:g}"}
    return {"network_args": json.dumps({**given, "dropout": recipe.network_dropout or None})}


def _dataset_dirs(pictures: Sequence[Picture]) -> dict[str, dict[str, int]]:
    folders: dict[str, dict[str, int]] = {}
    for picture in pictures:
        repeats = picture.folder_repeats or picture.repeats
        entry = folders.setdefault(picture.folder, {"n_repeats": repeats, "img_count": 0})
        entry["img_count"] += 1
    return folders


def _tag_frequency(pictures: Sequence[Picture]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for picture in pictures:
        folder = counts.setdefault(picture.folder, {})
        for tag in (tag.strip().lower() for tag in picture.caption.split(",")):
            if tag:
                folder[tag] = folder.get(tag, 0) + 1
    return counts


def _bucket_info(
    pictures: Sequence[Picture], buckets: Sequence[tuple[int, int]], sizes: Sequence[tuple[int, int]]
) -> dict[str, object]:
    counts: dict[tuple[int, int], int] = {}
    for picture, bucket in zip(pictures, buckets, strict=True):
        counts[bucket] = counts.get(bucket, 0) + picture.repeats
    errors = [abs(b[0] / b[1] - s[0] / s[1]) for b, s in zip(buckets, sizes, strict=True)]
    listed = {str(i): {"resolution": list(b), "count": counts[b]} for i, b in enumerate(sorted(counts))}
    return {"buckets": listed, "mean_img_ar_error": sum(errors) / len(errors)}


def _modelspec(recipe: Recipe, pictures: Sequence[Picture], prediction_type: str) -> dict[str, str]:
    spec = {
        "sai_model_spec": "1.0.1",
        "architecture": "stable-diffusion-v1/lora",
        "implementation": "diffusers",
        "resolution": f"{recipe.resolution}x{recipe.resolution}",
        "prediction_type": "v" if prediction_type == "v_prediction" else "epsilon",
        "encoder_layer": str(recipe.clip_skip),
    }
    triggers = sorted({p.folder.split("_", 1)[-1] for p in pictures})
    spec["trigger_phrase"] = ", ".join(triggers)
    return {f"modelspec.{key}": value for key, value in spec.items()}
