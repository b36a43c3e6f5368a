"""Captions to CLIP token ids, in windows of 75 as kohya's trainer makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from loramake.errors import UserError

BOS, EOS = 49406, 49407
WINDOW = 75
LENGTHS = (75, 150, 225)


class Tokenizer(Protocol):
    """What is used of transformers' `CLIPTokenizer`."""

    def __call__(self, text: str, *, add_special_tokens: bool) -> Mapping[str, list[int]]: ...


class ClipTokenizer:
    """CLIP's vocabulary in the tokenizers library, called like transformers' class, which is slow to load.

    Args:
        folder: with `vocab.json` and `merges.txt`.
    """

    # CLIP's own splitting: endings, letters, single digits, runs of other signs
    _PIECES = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"

    def __init__(self, folder: Path) -> None:
        from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
        from tokenizers.models import BPE

        files = str(folder / "vocab.json"), str(folder / "merges.txt")
        self._tokenizer = Tokenizer(BPE.from_file(*files, end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
        self._tokenizer.normalizer = normalizers.Sequence(
            [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
        )
        self._tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(self._PIECES), behavior="removed", invert=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False),
            ]
        )

    def __call__(self, text: str, *, add_special_tokens: bool, verbose: bool = False) -> dict[str, list[int]]:
        if add_special_tokens:
            raise ValueError("BOS and EOS are set by `windows`")
        return {"input_ids": self._tokenizer.encode(text, add_special_tokens=False).ids}


def shipped_tokenizer() -> Tokenizer:
    """CLIP's tokenizer, which every SD 1.x model shares; loads neither torch nor transformers."""
    return ClipTokenizer(Path(__file__).parent / "sd15/tokenizer")


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


@dataclass(frozen=True)
class CaptionLength:
    """How long a caption is.

    Attributes:
        tokens: without BOS and EOS.
        cut: for 75, 150 and 225, the tags of which a token lies beyond, in the caption's order.
    """

    tokens: int
    cut: dict[int, list[str]]


def measure_caption(tokenizer: Tokenizer, caption: str) -> CaptionLength:
    """The caption's length and what each maximum length would cut of it, unshuffled."""
    total = len(text_ids(tokenizer, caption))
    return CaptionLength(
        total, {length: cut_tags(tokenizer, caption, length) if total > length else [] for length in LENGTHS}
    )


def cut_tags(tokenizer: Tokenizer, caption: str, max_length: int) -> list[str]:
    """The tags of a caption, in its order, of which a token lies beyond `max_length`."""
    tags = [tag.strip() for tag in caption.split(",")]
    cut: list[str] = []
    # from the end, since only the last tags are cut; signs of neighbours may merge, so whole beginnings are counted
    for index in range(len(tags), 0, -1):
        if len(text_ids(tokenizer, ", ".join(tags[:index]))) <= max_length:
            break
        cut.append(tags[index - 1])
    return cut[::-1]
