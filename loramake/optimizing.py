"""The optimizer over a LoRA: which one, two groups, clipping, and its state as plain tensors."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import torch

from loramake.errors import UserError
from loramake.lora import Network
from loramake.optimizerkinds import KINDS, Kind, kind_of

GROUPS = ("lora_te_", "lora_unet_")


def make_optimizer(
    network: Network,
    *,
    weight_decay: float,
    name: str = "AdamW",
    arguments: Mapping[str, object] | None = None,
    rates: tuple[float, float] = (0.0, 0.0),
) -> torch.optim.Optimizer:
    """The optimizer over text encoder and U-Net as two groups, in this order.

    A weight that gets no gradient (a layer that clip_skip passes over) is left untouched, weight decay included.

    Args:
        weight_decay: of AdamW and AdamW8bit; other optimizers have their own default.
        name: see `optimizerkinds.kind_of`.
        arguments: of the optimizer's class; they win over everything else.
        rates: learning rates of both groups at factor 1.

    Raises:
        UserError: unknown, not installed, not for this device, or arguments that it refuses.
    """
    kind, given = kind_of(name), dict(arguments or {})
    device = next(network.parameters()).device
    made = _load_class(name, kind, device)
    options: dict[str, object] = {}
    if name in ("AdamW", "AdamW8bit"):
        options |= {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": weight_decay}
    if name == "AdamW":
        options["fused"] = device.type in ("cpu", "cuda")
    options |= given
    groups: list[dict[str, object]] = [{"params": list(network.parameters(prefix))} for prefix in GROUPS]
    if name == "Adafactor" and given.get("relative_step", True):
        print("Adafactor sets its own learning rates; unet_lr counts with optimizer_args: [relative_step=False]")
    else:
        # some constructors refuse a rate of 0; every step sets the groups' own rates
        options.setdefault("lr", max(rates) or 1e-4)
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate
    return _construct(made, groups, options, name, given)


def check_arguments(name: str, arguments: Mapping[str, object]) -> None:
    """Refuse arguments that an optimizer does not take, before there is anything to train.

    Raises:
        UserError: as `make_optimizer`.
    """
    kind = kind_of(name)
    # the 8-bit ones want a card to be made at all, and take what they take by name
    made = _load_class(name, kind, torch.device("cuda" if kind.cuda else "cpu"))
    weights = [{"params": [torch.nn.Parameter(torch.zeros(2, 2))]}]
    relative = name == "Adafactor" and arguments.get("relative_step", True)
    _construct(made, weights, {**({} if relative else {"lr": 1e-4}), **arguments}, name, arguments)


def _construct(
    made: type[torch.optim.Optimizer],
    groups: list[dict[str, object]],
    options: Mapping[str, object],
    name: str,
    given: Mapping[str, object],
) -> torch.optim.Optimizer:
    """An optimizer with these options; `given` are those of the user."""
    try:
        return made(groups, **options)
    except (TypeError, ValueError, AssertionError) as error:
        raise UserError(
            f"{name} does not take these arguments.",
            found=", ".join(f"{key}={value}" for key, value in given.items()) or "none given",
            expected=str(error),
            setting="train.optimizer_args",
        ) from error


def _load_class(name: str, kind: Kind, device: torch.device) -> type[torch.optim.Optimizer]:
    if kind.cuda and device.type != "cuda":
        raise UserError(
            f"{name} runs on CUDA cards only.",
            found=f"device: {device.type}",
            expected=", ".join(key for key, other in KINDS.items() if not other.cuda),
            setting="train.optimizer_type",
        )
    module, _, attribute = kind.path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"The optimizer {name} is not installed.",
            found=error,
            expected=f"the package {kind.package or module}",
            setting=f"pip install {kind.package or module}, or train.optimizer_type: AdamW",
        ) from error


def optimizer_label(optimizer: torch.optim.Optimizer, arguments: Mapping[str, object]) -> str:
    """Class and given arguments as kohya's `ss_optimizer` writes them."""
    stated = ",".join(f"{key}={value}" for key, value in arguments.items())
    # our AdamW is torch's
    kind = next(kind for kind in type(optimizer).__mro__ if not kind.__module__.startswith("loramake."))
    return f"{kind.__module__}.{kind.__name__}" + (f"({stated})" if stated else "")


def set_learning_rates(optimizer: torch.optim.Optimizer, text_encoder_lr: float, unet_lr: float) -> None:
    """Set both groups' learning rates for the next step."""
    for group, rate in zip(optimizer.param_groups, (text_encoder_lr, unet_lr), strict=True):
        group["lr"] = rate


def used_rates(
    optimizer: torch.optim.Optimizer, rates: tuple[float, float]
) -> tuple[float, float] | tuple[torch.Tensor, ...]:
    """The learning rates of the step just taken, by group: those that were set, unless the optimizer sets its own.

    Adafactor with relative_step gives each weight a rate of its own, by step and size (Shazeer & Stern 2018,
    arXiv:1804.04235, algorithm 5): the mean over a group's weights, 0 where none was trained. Not read from the
    device here, which would wait for it.
    """
    if not any(group.get("relative_step") for group in optimizer.param_groups):
        return rates
    means = []
    for group in optimizer.param_groups:
        pairs = [(weight, optimizer.state.get(weight)) for weight in group["params"]]
        own = [
            torch.as_tensor(optimizer._get_lr(group, state), dtype=torch.float32, device=weight.device)
            for weight, state in pairs
            if state
        ]
        means.append(torch.stack(own).mean() if own else torch.zeros(()))
    return tuple(means)


def set_averaging(optimizer: torch.optim.Optimizer, *, training: bool) -> None:
    """Put a schedule-free optimizer's weights at the point of training, or at the average that is kept; else nothing.

    Defazio et al. 2024, arXiv:2405.15682: what is trained and what is saved are two points.
    """
    switch = getattr(optimizer, "train" if training else "eval", None)
    if callable(switch):
        switch()


def clip_gradients(network: Network, max_norm: float) -> torch.Tensor:
    """Scale all gradients so that their common 2-norm is at most `max_norm` (0: no clipping); returns the old norm."""
    return torch.nn.utils.clip_grad_norm_(list(network.parameters()), max_norm or float("inf"))


def pack_state(optimizer: torch.optim.Optimizer) -> tuple[dict[str, torch.Tensor], object]:
    """The state of any optimizer as named tensors, and the rest as a JSON-able value that refers to them."""
    tensors: dict[str, torch.Tensor] = {}

    def pack(value: object, name: str) -> object:
        if isinstance(value, torch.Tensor):
            tensors[name] = value.detach().cpu().clone()
            return {"tensor": name}
        if isinstance(value, Mapping):
            return {"map": [[key, pack(item, f"{name}.{key}")] for key, item in value.items()]}
        if isinstance(value, list | tuple):
            kind = "tuple" if isinstance(value, tuple) else "list"
            return {kind: [pack(item, f"{name}.{place}") for place, item in enumerate(value)]}
        return value

    plain = pack(optimizer.state_dict(), "optimizer")
    return tensors, plain


def unpack_state(optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor], plain: object) -> None:
    """Restore what `pack_state` gave."""

    def unpack(value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        ((kind, content),) = value.items()
        if kind == "tensor":
            return tensors[content].clone()
        if kind == "map":
            return {key: unpack(item) for key, item in content}
        items = [unpack(item) for item in content]
        return tuple(items) if kind == "tuple" else items

    optimizer.load_state_dict(unpack(plain))
