"""What a device cannot do and what is not installed, by name, for the settings of a job; no torch of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from loramake.capabilities import Capabilities, choose_device, choose_precision
from loramake.errors import UserError
from loramake.optimizerkinds import KINDS, kind_of
from loramake.recipe import Recipe

# module of each optional package, and what pip calls it
PACKAGES = {
    "xformers": "xformers",
    "bitsandbytes": "bitsandbytes",
    "lion_pytorch": "lion-pytorch",
    "prodigyopt": "prodigyopt",
    "schedulefree": "schedulefree",
    "onnxruntime": "onnxruntime",
    "rapidocr": "rapidocr",
}


def training_refusals(recipe: Recipe, device: str, machine: Capabilities) -> list[UserError]:
    """Everything in the settings of a training that this machine cannot do.

    Args:
        device: as in the config.
    """
    refusals: list[UserError] = []
    place = gather(refusals, lambda: choose_device(device, machine))
    # with the device missing, what else would be wrong on it can still be said
    place = str(place or device)
    if place != "cuda" or machine.cards:
        gather(refusals, lambda: choose_precision(recipe.mixed_precision, place, machine))
    refusals += _card_refusals(recipe.num_processes, place, machine)
    refusals += _optimizer_refusals(recipe.optimizer_type, place, machine)
    if recipe.xformers:
        refusals += _xformers_refusals(place, machine)
    if recipe.torch_compile:
        refusals += _compile_refusals(place, machine)
    return refusals


def missing_package(module: str, machine: Capabilities, setting: str) -> list[UserError]:
    """A refusal where an optional package is not installed; `setting` does without it."""
    if module in machine.packages:
        return []
    name = PACKAGES.get(module, module)
    return [
        UserError(
            f"The package {name} is not installed.", expected=f"pip install {name}", setting=f"{setting}, or install it"
        )
    ]


def wanted_packages(recipe: Recipe) -> list[str]:
    """Modules that a training needs beyond what always is there."""
    optional = ["xformers"] * recipe.xformers + ["triton"] * recipe.torch_compile
    return optional + [kind_of(recipe.optimizer_type).path.split(".")[0]]


def gather(refusals: list[UserError], ask: Callable[[], object]) -> object:
    """The answer of `ask`, or None, its refusal then added to the list."""
    try:
        return ask()
    except UserError as error:
        refusals.append(error)
        return None


def refuse(refusals: Iterable[UserError], title: str) -> None:
    """Raise all refusals as one message.

    Raises:
        UserError: there are any.
    """
    texts = list(dict.fromkeys(str(error) for error in refusals))
    if len(texts) == 1:
        raise UserError(texts[0])
    if texts:
        listed = [f"{place}. " + text.replace("\n", "\n   ") for place, text in enumerate(texts, 1)]
        raise UserError("\n".join([f"{len(texts)} things are in the way. {title}".rstrip(), *listed]))


def _card_refusals(processes: int, device: str, machine: Capabilities) -> list[UserError]:
    """On a CPU any number of processes may train, on cards one each."""
    cards = len(machine.cards) if device == "cuda" else processes if device == "cpu" else 1
    if processes <= max(1, cards):
        return []
    return [
        UserError(
            "There are fewer cards than processes.",
            found=f"{cards} of type {device}, num_processes {processes}",
            setting=f"train.num_processes: {max(1, cards)}",
        )
    ]


def _optimizer_refusals(name: str, device: str, machine: Capabilities) -> list[UserError]:
    kind = kind_of(name)
    refusals = []
    if kind.cuda and device != "cuda":
        refusals.append(
            UserError(
                f"{name} runs on CUDA cards only.",
                found=f"device: {device}",
                expected=", ".join(key for key, other in KINDS.items() if not other.cuda),
                setting="train.optimizer_type",
            )
        )
    elif kind.package:
        refusals += missing_package(kind.path.split(".")[0], machine, "train.optimizer_type: AdamW")
    return refusals


def _xformers_refusals(device: str, machine: Capabilities) -> list[UserError]:
    if device != "cuda":
        return [
            UserError(
                "xformers runs on CUDA cards only.",
                found=f"xformers: true, device: {device}",
                expected="xformers: false, PyTorch's own attention",
                setting="train.xformers",
            )
        ]
    return missing_package("xformers", machine, "train.xformers: false")


def _compile_refusals(device: str, machine: Capabilities) -> list[UserError]:
    """What torch.compile asks for: a compiler, on a card Triton too."""
    if device == "mps":
        return [
            UserError(
                "torch_compile works on CUDA cards and CPUs only.",
                found=f"torch_compile: true, device: {device}",
                expected="torch_compile: false",
                setting="train.torch_compile",
            )
        ]
    refusals = missing_package("triton", machine, "train.torch_compile: false") if device == "cuda" else []
    if not machine.compiler:
        refusals.append(
            UserError(
                "torch_compile needs a C++ compiler and Python's headers.",
                found="no g++ (or what CXX names), or no Python.h",
                expected="on Debian the packages g++ and python3-dev",
                setting="train.torch_compile: false, or install them",
            )
        )
    return refusals
