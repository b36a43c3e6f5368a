"""How often each picture is shown: repeats, image passes and optimizer steps, in integers only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction

from loramake.errors import UserError


def _ceil_div(amount: int, parts: int) -> int:
    return -(-amount // parts)


def auto_repeats(pairs: int, target_steps: int, epochs: int) -> int:
    """The guide's repeats = ceil(target_steps / epochs / pairs), at least 1.

    Args:
        pairs: pictures with a tag file.
        target_steps: wanted image passes in the whole training (the guide starts with 4000).
        epochs: epochs of the training (the guide starts with 10).

    Raises:
        UserError: one of the numbers is not positive.
    """
    for name, value in (("pairs", pairs), ("dataset.target_steps", target_steps), ("train.max_train_epochs", epochs)):
        if value < 1:
            raise UserError(f"Repeats need a positive {name}.", found=value, expected="1 or more", setting=name)
    return _ceil_div(target_steps, epochs * pairs)


def choose_repeats(pairs: int, repeats: int | str, target_steps: int, epochs: int) -> int:
    """A fixed number as it is; `"auto"` by the guide's rule (see `auto_repeats`).

    Raises:
        UserError: neither a whole number from 1 up nor "auto".
    """
    if repeats == "auto":
        return auto_repeats(pairs, target_steps, epochs)
    if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 1:
        raise UserError(
            "Repeats must be a whole number.",
            found=repr(repeats),
            expected="auto, or 1 or more",
            setting="dataset.repeats or characters.<name>.repeats",
        )
    return repeats


def tier_repeats(
    counts: Mapping[str, int], weights: Mapping[str, float], repeats: int | str, target_steps: int, epochs: int
) -> dict[str, int]:
    """Repeats of each tier: in proportion to the weights, at least 1.

    A fixed number is that of weight 1, times the weight, halves rounded up. "auto" shares the guide's image passes so
    that a picture of weight 2 is shown twice as often as one of weight 1: ceil(weight * target_steps / epochs / sum of
    pairs * weight). With one tier both are `choose_repeats`.

    Args:
        counts: tier → pairs in it, without empty tiers.
        weights: tier → how often its pictures are shown against others, above 0.

    Raises:
        UserError: see `choose_repeats`.
    """
    # 0.1 is meant as a tenth, not as the nearest binary fraction
    exact = {tier: Fraction(str(weights[tier])) for tier in counts}
    if repeats == "auto":
        auto_repeats(sum(counts.values()), target_steps, epochs)
        shares = sum(counts[tier] * exact[tier] for tier in counts)
        return {tier: math.ceil(weight * target_steps / epochs / shares) for tier, weight in exact.items()}
    number = choose_repeats(sum(counts.values()), repeats, target_steps, epochs)
    return {tier: max(1, math.floor(number * weight + Fraction(1, 2))) for tier, weight in exact.items()}


def image_passes(pairs: int, repeats: int, epochs: int = 1) -> int:
    """How many times a picture is shown, all in all."""
    return pairs * repeats * epochs


def optimizer_steps(bucket_counts: Iterable[int], repeats: int, batch_size: int, epochs: int = 1) -> int:
    """Optimizer steps: Σ over buckets of ceil(n · repeats / batch_size), times the epochs.

    A batch never mixes buckets and the short last batch of each is kept, so this is not image passes / batch_size.

    Args:
        bucket_counts: pictures in each bucket, before repeats.
    """
    return epochs * sum(_ceil_div(count * repeats, batch_size) for count in bucket_counts)


def parse_folder(name: str) -> tuple[int, str] | None:
    """Repeats and label of a kohya dataset folder: `6_shim` is (6, "shim"); None where kohya would ignore it."""
    number, separator, label = name.partition("_")
    # int() would also take "+6", " 6" and "1_0"; those are no folder names a user means
    if not separator or not number.isascii() or not number.isdecimal() or int(number) < 1:
        return None
    return int(number), label
