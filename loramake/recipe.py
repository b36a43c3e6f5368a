"""The settings of one training run, checked; no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields

from loramake.errors import UserError
from loramake.schedules import NAMES as SCHEDULES
from loramake.tokens import LENGTHS

PRECISIONS = ("auto", "no", "fp16", "bf16")
SAVE_PRECISIONS = ("float", "fp16", "bf16")


@dataclass(frozen=True)
class Recipe:
    """The `train` section of the config, key by key; units and advice stand in the schema."""

    resolution: int = 512
    enable_bucket: bool = True
    min_bucket_reso: int = 256
    max_bucket_reso: int = 1024
    bucket_reso_steps: int = 64
    bucket_no_upscale: bool = False
    network_dim: int = 128
    network_alpha: float = 1.0
    unet_lr: float = 2e-3
    text_encoder_lr: float | str = "auto"
    lr_scheduler: str = "cosine"
    lr_warmup_steps: int = 0
    lr_scheduler_num_cycles: int = 1
    lr_scheduler_power: float = 1.0
    optimizer_type: str = "AdamW"
    weight_decay: float = 0.01
    train_batch_size: int = 1
    max_train_epochs: int = 10
    save_every_n_epochs: int = 1
    clip_skip: int = 2
    max_token_length: int | str = "auto"
    keep_tokens: int = 1
    shuffle_caption: bool = True
    caption_dropout_rate: float = 0.0
    caption_tag_dropout_rate: float = 0.0
    noise_offset: float = 0.0
    min_snr_gamma: float = 0.0
    max_grad_norm: float = 1.0
    seed: int = 1337
    mixed_precision: str = "auto"
    save_precision: str = "fp16"
    gradient_checkpointing: bool = False
    xformers: bool = False

    def resolved_text_encoder_lr(self) -> float:
        """The text encoder's learning rate; "auto" is half of the U-Net's."""
        return self.unet_lr / 2 if self.text_encoder_lr == "auto" else float(self.text_encoder_lr)

    def canonical(self) -> dict[str, object]:
        """All settings as JSON-able values in which equal meaning has equal spelling."""
        values = asdict(self)
        for field in fields(self):
            if "float" in str(field.type) and not isinstance(values[field.name], str):
                values[field.name] = float(values[field.name])
        return {**values, "text_encoder_lr": self.resolved_text_encoder_lr()}


def make_recipe(settings: dict[str, object]) -> Recipe:
    """Check the settings of a run and make them a `Recipe`.

    Raises:
        UserError: an unknown key, or a value that cannot work.
    """
    known = {field.name for field in fields(Recipe)}
    for key in settings:
        if key not in known:
            raise UserError("Unknown training setting.", found=key, expected=", ".join(sorted(known)))
    recipe = Recipe(**settings)
    at_least_one = ("network_dim", "train_batch_size", "max_train_epochs", "save_every_n_epochs", "clip_skip")
    rates = ("caption_dropout_rate", "caption_tag_dropout_rate")
    not_negative = ("network_alpha", "unet_lr", "lr_warmup_steps", "weight_decay", "keep_tokens", "max_grad_norm")
    for key in at_least_one:
        _check(recipe, key, lambda value: value >= 1, "1 or more")
    for key in not_negative + ("noise_offset", "min_snr_gamma"):
        _check(recipe, key, lambda value: value >= 0, "0 or more")
    for key in rates:
        _check(recipe, key, lambda value: 0 <= value <= 1, "0…1")
    _check(recipe, "lr_scheduler", lambda value: value in SCHEDULES, ", ".join(SCHEDULES))
    _check(recipe, "mixed_precision", lambda value: value in PRECISIONS, ", ".join(PRECISIONS))
    _check(recipe, "save_precision", lambda value: value in SAVE_PRECISIONS, ", ".join(SAVE_PRECISIONS))
    _check(recipe, "optimizer_type", lambda value: value == "AdamW", "AdamW")
    _check(recipe, "max_token_length", lambda value: value in ("auto", *LENGTHS), "auto, 75, 150 or 225")
    _check(recipe, "text_encoder_lr", lambda value: value == "auto" or float(value) >= 0, "auto, or 0 or more")
    if recipe.network_alpha > recipe.network_dim:
        print(f"warning: network_alpha {recipe.network_alpha} is above network_dim {recipe.network_dim}: risky")
    return recipe


def _check(recipe: Recipe, key: str, fits: Callable[[object], bool], expected: str) -> None:
    value = getattr(recipe, key)
    try:
        good = fits(value)
    except (TypeError, ValueError):
        good = False
    if not good:
        raise UserError(
            "A training setting is out of range.", found=f"{key}: {value}", expected=expected, setting=f"train.{key}"
        )
