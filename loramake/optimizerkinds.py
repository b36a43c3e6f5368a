"""Optimizers by the names that kohya's trainer knows them by: class, package, what they ask of settings; no torch."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass

from loramake.errors import UserError


@dataclass(frozen=True)
class Kind:
    """What is particular about an optimizer.

    Attributes:
        path: module and class.
        package: what pip installs it from; empty where it comes with the trainer.
        cuda: it runs on CUDA cards only.
        one_rate: all groups must have the same learning rate (or 0); the rate is a factor and usually 1.
        own_schedule: the learning rate is not scheduled from outside.
    """

    path: str
    package: str = ""
    cuda: bool = False
    one_rate: bool = False
    own_schedule: bool = False


KINDS = {
    "AdamW": Kind("loramake.eageradamw.EagerAdamW"),
    "AdamW8bit": Kind("bitsandbytes.optim.AdamW8bit", "bitsandbytes", cuda=True),
    "PagedAdamW8bit": Kind("bitsandbytes.optim.PagedAdamW8bit", "bitsandbytes", cuda=True),
    "Lion": Kind("lion_pytorch.Lion", "lion-pytorch"),
    "Lion8bit": Kind("bitsandbytes.optim.Lion8bit", "bitsandbytes", cuda=True),
    "Prodigy": Kind("prodigyopt.Prodigy", "prodigyopt", one_rate=True),
    "AdamWScheduleFree": Kind("schedulefree.AdamWScheduleFree", "schedulefree", own_schedule=True),
    "Adafactor": Kind("transformers.optimization.Adafactor"),
}
_CLASS_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def kind_of(name: str) -> Kind:
    """The optimizer of a name in `KINDS`, or of a class path such as "torch.optim.RAdam".

    Raises:
        UserError: neither.
    """
    if name in KINDS:
        return KINDS[name]
    if not _CLASS_PATH.fullmatch(name):
        raise UserError(
            "Unknown optimizer.",
            found=name,
            expected=", ".join(KINDS) + ", or a class path such as torch.optim.RAdam",
            setting="train.optimizer_type",
        )
    return Kind(name, name.split(".")[0])


def parse_arguments(texts: Sequence[str]) -> dict[str, object]:
    """Arguments written as kohya's `optimizer_args`: "key=value" with a Python literal as the value.

    Raises:
        UserError: not of this form.
    """
    values = {}
    for text in texts:
        key, equals, value = (part.strip() for part in str(text).partition("="))
        try:
            if not (equals and key.isidentifier()):
                raise ValueError(text)
            values[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError) as error:
            raise UserError(
                "An argument of the optimizer cannot be read.",
                found=text,
                expected='key=value with a number, true value or tuple, such as "betas=0.9,0.99" or "decouple=True"',
                setting="train.optimizer_args",
            ) from error
    return values
