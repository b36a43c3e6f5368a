"""Learning rate schedules: the factor of the base learning rate at each optimizer step."""

from __future__ import annotations

import math

from loramake.errors import UserError

NAMES = ("cosine", "linear", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup")
POLYNOMIAL_END = 1e-7  # kohya's polynomial ends here, not at 0


def learning_rate(
    name: str, base: float, step: int, total: int, *, warmup: int = 0, cycles: int = 1, power: float = 1.0
) -> float:
    """The learning rate used at an optimizer step, as kohya's trainer (through diffusers' schedulers) sets it.

    Args:
        name: one of `NAMES`.
        base: the learning rate at factor 1.
        step: optimizer step, counted from 0.
        total: optimizer steps of the whole run.
        warmup: steps of linear rise from exactly 0; `constant` ignores it.
        cycles: of cosine_with_restarts.
        power: of polynomial.

    Raises:
        UserError: unknown name.
    """
    if name not in NAMES:
        raise UserError(
            "Unknown learning rate schedule.", found=name, expected=", ".join(NAMES), setting="train.lr_scheduler"
        )
    if name == "constant":
        return base
    if step < warmup:
        return base * (step / max(1.0, warmup))
    if name == "constant_with_warmup":
        return base
    if name == "linear":
        return base * max(0.0, (total - step) / max(1, total - warmup))
    if name == "polynomial":
        if step > total:
            return POLYNOMIAL_END
        remaining = 1 - (step - warmup) / max(1, total - warmup)
        return base * (((base - POLYNOMIAL_END) * remaining**power + POLYNOMIAL_END) / base)
    progress = (step - warmup) / max(1, total - warmup)
    if name == "cosine_with_restarts":
        if progress >= 1.0:
            return 0.0
        return base * max(0.0, 0.5 * (1.0 + math.cos(math.pi * ((cycles * progress) % 1.0))))
    return base * max(0.0, 0.5 * (1.0 + math.cos(math.pi * 0.5 * 2.0 * progress)))
