"""Settings that are each allowed alone but not together, and those that are risky or without effect; no torch."""

from __future__ import annotations

from collections.abc import Mapping

from loramake.epochs import saved_epochs
from loramake.errors import UserError
from loramake.optimizerkinds import kind_of, parse_arguments


def config_problems(config: Mapping) -> list[str]:
    """Contradictions of a whole config, a sentence each."""
    train = config["train"]
    return [
        *_bucket_problems(train),
        *train_problems(train),
        *_device_problems(train, config["device"]),
        *_epoch_problems(config),
    ]


def train_problems(train: Mapping) -> list[str]:
    """Contradictions among the settings of a training, a sentence each; `train` is the config's section."""
    problems = []
    if train["unet_lr"] == 0 and train["text_encoder_lr"] in (0, "auto"):
        problems.append("train.unet_lr = 0, train.text_encoder_lr = 0: nothing is trained; expected one above 0")
    if train["zero_terminal_snr"] is True and train["v_parameterization"] is False:
        problems.append(
            "train.zero_terminal_snr = true, train.v_parameterization = false: without signal at the last timestep "
            "only velocity can be predicted, not noise"
        )
    steps, warmup = train["max_train_steps"], train["lr_warmup_steps"]
    if 0 < steps <= warmup and train["lr_scheduler"] != "constant":
        problems.append(
            f"train.lr_warmup_steps = {warmup}: the learning rate would rise to the end; expected fewer than "
            f"train.max_train_steps = {steps}"
        )
    if train["caption_dropout_every_n_epochs"] == 1 or train["caption_dropout_rate"] == 1:
        key = "caption_dropout_rate" if train["caption_dropout_rate"] == 1 else "caption_dropout_every_n_epochs"
        problems.append(f"train.{key} = 1: every caption would be empty; expected 0, or another value")
    try:
        kind_of(train["optimizer_type"])
        parse_arguments(train["optimizer_args"])
    except UserError as error:
        problems.append(f"{error.setting} = {error.found}: expected {error.expected}")
    return problems


def train_warnings(train: Mapping) -> list[str]:
    """What is risky, or has no effect, in the settings of a training."""
    told = []
    for rank, alpha in (("network_dim", "network_alpha"), ("conv_dim", "conv_alpha")):
        if train[alpha] > train[rank] > 0:
            told.append(f"{alpha} {train[alpha]:g} is above {rank} {train[rank]}: risky")
    idle = (
        ("conv_alpha", 1, train["conv_dim"] > 0, "without conv_dim"),
        ("lr_warmup_steps", 0, train["lr_scheduler"] != "constant", "with lr_scheduler constant"),
        ("lr_scheduler_num_cycles", 1, train["lr_scheduler"] == "cosine_with_restarts", "without cosine_with_restarts"),
        ("lr_scheduler_power", 1, train["lr_scheduler"] == "polynomial", "without lr_scheduler polynomial"),
    )
    told += [f"{key} has no effect {why}" for key, usual, used, why in idle if train[key] != usual and not used]
    if kind_of(train["optimizer_type"]).own_schedule and train["lr_scheduler"] != "constant":
        told.append(f"lr_scheduler has no effect: {train['optimizer_type']} makes its own schedule")
    if not train["max_train_steps"] and train["save_every_n_epochs"] > train["max_train_epochs"]:
        told.append("save_every_n_epochs is above max_train_epochs: only the last epoch is saved")
    return told


def _bucket_problems(train: Mapping) -> list[str]:
    problems = []
    low, high = train["min_bucket_reso"], train["max_bucket_reso"]
    if low > high:
        problems.append(f"train.min_bucket_reso = {low}: expected at most train.max_bucket_reso = {high}")
    if train["enable_bucket"] and not low <= train["resolution"] <= high:
        problems.append(
            f"train.resolution = {train['resolution']}: expected between train.min_bucket_reso = {low} and "
            f"train.max_bucket_reso = {high}"
        )
    return problems


def _device_problems(train: Mapping, device: str) -> list[str]:
    """What a device that is asked for by name cannot do; what `auto` finds is told by the preflight."""
    if device not in ("cpu", "mps"):
        return []
    problems = []
    if train["mixed_precision"] == "fp16" and device == "cpu":
        problems.append("train.mixed_precision = fp16: a CPU cannot train in it; expected auto, no or bf16")
    if "8bit" in train["optimizer_type"]:
        problems.append(f"train.optimizer_type = {train['optimizer_type']}: runs on CUDA cards only, not on {device}")
    if train["torch_compile"] and device == "mps":
        problems.append("train.torch_compile = true: works on CUDA cards and CPUs only, not on mps")
    if train["xformers"]:
        problems.append(f"train.xformers = true: runs on CUDA cards only, not on {device}")
    return problems


def _epoch_problems(config: Mapping) -> list[str]:
    """Epochs that are asked for and will not be saved. A run counted in steps has as many as it has."""
    train, asked = config["train"], config["grid"]["epochs"]
    if train["max_train_steps"]:
        return []
    last, every = train["max_train_epochs"], train["save_every_n_epochs"]
    saved = saved_epochs(last, every)
    problems = []
    for key, epochs in (("grid.epochs", asked), ("publish.epoch", config["publish"]["epoch"])):
        wanted = [epochs] if isinstance(epochs, int) else [] if isinstance(epochs, str) else epochs
        if wanted and max(wanted) > last:
            problems.append(f"{key} = {epochs}: expected epochs up to train.max_train_epochs = {last}")
        elif missing := [epoch for epoch in wanted if epoch not in saved]:
            problems.append(
                f"{key} = {epochs}: epoch {missing[0]} is not saved with train.save_every_n_epochs = {every}"
            )
    return problems
