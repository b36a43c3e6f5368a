"""The settings of one training run, checked; no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields

from loramake.contradictions import train_problems, train_warnings
from loramake.errors import UserError
from loramake.optimizerkinds import kind_of, parse_arguments
from loramake.schedules import NAMES as SCHEDULES
from loramake.tokens import LENGTHS

PRECISIONS = ("auto", "no", "fp16", "bf16")
SAVE_PRECISIONS = ("float", "fp16", "bf16")


def _later(default: object) -> object:
    """A key that came after the first runs were made: it is part of a run's identity only where it is not this."""
    return field(default=default, metadata={"later": True})


def _speed(default: object) -> object:
    """A key that changes how fast a run is and nothing else: never part of its identity."""
    return field(default=default, metadata={"speed": True})


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
    gradient_accumulation_steps: int = _later(1)
    max_train_steps: int = _later(0)
    optimizer_args: Sequence[str] = _later(())
    prior_loss_weight: float = _later(1.0)
    network_dropout: float = _later(0.0)
    scale_weight_norms: float = _later(0.0)
    network_weights: str = _later("")
    conv_dim: int = _later(0)
    conv_alpha: float = _later(1.0)
    flip_aug: bool = _later(False)
    v_parameterization: bool | str = _later("auto")
    zero_terminal_snr: bool | str = _later("auto")
    caption_dropout_every_n_epochs: int = _later(0)
    validation_split: float = _later(0.0)
    no_metadata: bool = _later(False)
    num_processes: int = _later(1)
    torch_compile: bool = _later(False)
    max_data_loader_n_workers: int = _speed(0)

    def resolved_text_encoder_lr(self) -> float:
        """The text encoder's learning rate; "auto" is half of the U-Net's, or the same where the optimizer asks it."""
        if self.text_encoder_lr != "auto":
            return float(self.text_encoder_lr)
        return self.unet_lr if kind_of(self.optimizer_type).one_rate else self.unet_lr / 2

    def optimizer_arguments(self) -> dict[str, object]:
        """`optimizer_args` as Python values."""
        return parse_arguments(self.optimizer_args)

    def total_steps(self, steps_per_epoch: int) -> int:
        """Optimizer steps of the whole run."""
        return self.max_train_steps or self.max_train_epochs * steps_per_epoch

    def epochs(self, steps_per_epoch: int) -> int:
        """Epochs of the whole run; the last one is cut short where max_train_steps asks it."""
        return -(-self.total_steps(steps_per_epoch) // steps_per_epoch)

    def canonical(self) -> dict[str, object]:
        """All settings as JSON-able values in which equal meaning has equal spelling.

        A key that came later is left out at its default, so that runs from before are still found.
        """
        values = asdict(self)
        values["optimizer_args"] = list(self.optimizer_args)
        for key in fields(self):
            if "float" in str(key.type) and not isinstance(values[key.name], str):
                values[key.name] = float(values[key.name])
            if key.metadata.get("speed") or (key.metadata.get("later") and getattr(self, key.name) == key.default):
                values.pop(key.name)
        return {**values, "text_encoder_lr": self.resolved_text_encoder_lr()}


def make_recipe(settings: dict[str, object]) -> Recipe:
    """Check the settings of a run and make them a `Recipe`.

    Raises:
        UserError: an unknown key, or a value that cannot work.
    """
    known = {key.name for key in fields(Recipe)}
    for key in settings:
        if key not in known:
            raise UserError("Unknown training setting.", found=key, expected=", ".join(sorted(known)))
    recipe = Recipe(**{**settings, "optimizer_args": tuple(settings.get("optimizer_args", ()))})
    for keys, fits, expected in _RANGES:
        for key in keys:
            _check(recipe, key, fits, expected)
    _check_together(recipe)
    return recipe


def _check_together(recipe: Recipe) -> None:
    """Refuse settings that contradict each other; warn of risky ones."""
    kind_of(recipe.optimizer_type)
    recipe.optimizer_arguments()
    text_encoder_lr = recipe.resolved_text_encoder_lr()
    if kind_of(recipe.optimizer_type).one_rate:
        if text_encoder_lr not in (0, recipe.unet_lr) and recipe.unet_lr:
            raise UserError(
                f"{recipe.optimizer_type} has one learning rate for all weights.",
                found=f"unet_lr {recipe.unet_lr:g}, text_encoder_lr {text_encoder_lr:g}",
                expected="the same for both, or 0 for one of them",
                setting="train.text_encoder_lr: auto",
            )
        if recipe.unet_lr < 0.1:
            print(f"warning: unet_lr {recipe.unet_lr:g} is a factor with {recipe.optimizer_type}; 1 is usual")
    values = asdict(recipe)
    if problems := train_problems(values):
        raise UserError("\n".join(["Settings contradict each other.", *(f"  - {text}" for text in problems)]))
    for text in train_warnings(values):
        print(f"warning: {text}")


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


def _any_of(values: Sequence[object]) -> tuple[Callable[[object], bool], str]:
    return lambda value: value in values, ", ".join(map(str, values))


_AT_LEAST_ONE = (
    "network_dim train_batch_size max_train_epochs save_every_n_epochs clip_skip gradient_accumulation_steps"
    " num_processes"
)
_NOT_NEGATIVE = (
    "network_alpha conv_alpha unet_lr lr_warmup_steps weight_decay keep_tokens max_grad_norm noise_offset"
    " min_snr_gamma max_train_steps prior_loss_weight scale_weight_norms conv_dim caption_dropout_every_n_epochs"
    " max_data_loader_n_workers"
)
_TRUE_FALSE_AUTO = (lambda value: value == "auto" or isinstance(value, bool), "auto, true or false")
_RANGES: tuple[tuple[Sequence[str], Callable[[object], bool], str], ...] = (
    (_AT_LEAST_ONE.split(), lambda value: value >= 1, "1 or more"),
    (_NOT_NEGATIVE.split(), lambda value: value >= 0, "0 or more"),
    (("caption_dropout_rate", "caption_tag_dropout_rate"), lambda value: 0 <= value <= 1, "0…1"),
    (("network_dropout", "validation_split"), lambda value: 0 <= value < 1, "0 or more and less than 1"),
    (("lr_scheduler",), *_any_of(SCHEDULES)),
    (("mixed_precision",), *_any_of(PRECISIONS)),
    (("save_precision",), *_any_of(SAVE_PRECISIONS)),
    (("v_parameterization", "zero_terminal_snr"), *_TRUE_FALSE_AUTO),
    (("max_token_length",), lambda value: value in ("auto", *LENGTHS), "auto, 75, 150 or 225"),
    (("text_encoder_lr",), lambda value: value == "auto" or float(value) >= 0, "auto, or 0 or more"),
)
