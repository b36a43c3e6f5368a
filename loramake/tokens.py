"""Captions to CLIP token ids, in windows of 75 as kohya's trainer makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from loramake.errors import UserError

BOS, EOS = 49406, 49407
WINDOW = 75
LENGTHS = (75, 150, 225)


class Tokenizer(Protocol):
    """What is used of transformers' `CLIPTokenizer`."""

    def __call__(self, text: str, *, add_special_tokens: bool) -> Mapping[str, list[int]]: ...


def text_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    """Token ids of a text of any length, without BOS and EOS.

    Text is mended by ftfy first (curly quotes straightened), as in CLIP's own tokenizer.
    """
    from ftfy import fix_text

    # the length limit is ours to keep: silence the tokenizer's warning beyond 77
    return tokenizer(fix_text(text), add_special_tokens=False, verbose=False)["input_ids"]


def windows(ids: Sequence[int], max_length: int) -> list[list[int]]:
    """Wrap ids into windows of BOS + 75 + EOS, padded with EOS; ids beyond `max_length` are cut.

    Args:
        ids: token ids without BOS and EOS.
        max_length: 75, 150 or 225.

    Returns:
        max_length / 75 lists of 77 ids.
    """
    padded = list(ids[:max_length]) + [EOS] * (max_length - min(len(ids), max_length))
    return [[BOS, *padded[start : start + WINDOW], EOS] for start in range(0, max_length, WINDOW)]


def choose_length(setting: int | str, counts: Sequence[int]) -> int:
    """The maximum length in tokens: as set, or ("auto") the least of 75, 150, 225 that holds every caption.

    Args:
        setting: "auto", 75, 150 or 225.
        counts: tokens of each caption.

    Raises:
        UserError: any other setting.
    """
    if setting == "auto":
        longest = max(counts, default=0)
        return next((length for length in LENGTHS if longest <= length), LENGTHS[-1])
    if str(setting) not in {str(length) for length in LENGTHS}:
        raise UserError(
            "This maximum length of captions is not possible.",
            found=setting,
            expected="auto, 75, 150 or 225",
            setting="train.max_token_length",
        )
    return int(setting)


def cut_tags(tokenizer: Tokenizer, caption: str, max_length: int) -> list[str]:
    """The tags of a caption, in its order, of which a token lies beyond `max_length`."""
    tags = [tag.strip() for tag in caption.split(",")]
    cut = []
    for index, tag in enumerate(tags):
        used = len(text_ids(tokenizer, ", ".join(tags[: index + 1])))
        if used > max_length:
            cut.append(tag)
    return cut
