"""The text encoder's first lesson: the tags alone, before any picture.

Trained from scratch inside the U-Net's loss, it learns too slowly for tags to be obeyed; a few
minutes of naming what a caption says are enough to mend that.
"""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch
from drawing import Attributes, caption_tags, random_attributes
from drawing.attributes import VALUES
from torch import nn
from torch.nn import functional
from tqdm import tqdm
from transformers import CLIPTextModel

from loramake.tokens import Tokenizer, text_ids, windows

from . import architecture, curve

START, COMMA, END = 49406, 267, 49407  # CLIP's tokens; the last one pads too


def caption(attributes: Attributes, rng: random.Random) -> str:
    """A training caption: tags shuffled; often some, sometimes nearly all left out; 8 % empty."""
    tags = caption_tags(attributes)
    rng.shuffle(tags)
    chance = rng.random()
    if chance < 0.08:
        return ""
    keep = 1.0 if chance < 0.45 else rng.uniform(0.15, 1.0)
    return ", ".join(tag for tag in tags if rng.random() < keep)


def tokenize(tokenizer: Tokenizer, captions: list[str]) -> torch.Tensor:
    """Token ids (B, 77); words past the window are cut."""
    return torch.tensor([windows(text_ids(tokenizer, text), 75)[0] for text in captions])


def encode(encoder: CLIPTextModel, ids: torch.Tensor) -> torch.Tensor:
    """Hidden states (B, 77, width) at the demo's clip_skip, after the final norm."""
    states = encoder(ids, output_hidden_states=True).hidden_states[-architecture.CLIP_SKIP]
    inner = getattr(encoder, "text_model", encoder)  # transformers >= 5.6 has no inner model
    return inner.final_layer_norm(states)


@cache
def telling_tags(attributes: Attributes, field: str) -> frozenset[str]:
    """The tags of a drawing that no other value of `field` would have given it."""
    tags = set(caption_tags(attributes))
    for value in VALUES[field]:
        if value != getattr(attributes, field):
            tags -= set(caption_tags(replace(attributes, **{field: value})))
    return frozenset(tags)


def told_so_far(tokenizer: Tokenizer, attributes: Attributes, text: str) -> torch.Tensor:
    """Per token (77) and field the index of the value that the caption has named by then, or -100.

    A value is known at the last token of its tag: "hair" after "blue" is the first that can say
    whose blue it is, and every token after it should still know.
    """
    fields = {tag: i for i, field in enumerate(VALUES) for tag in telling_tags(attributes, field)}
    told = torch.full((77, len(VALUES)), -100)
    place = 0
    for tag in filter(None, text.split(", ")):
        place += len(text_ids(tokenizer, tag))
        if tag in fields and place < 77:
            field = list(VALUES)[fields[tag]]
            told[place:, fields[tag]] = VALUES[field].index(getattr(attributes, field))
        place += 1  # the comma
    return told


def tag_codes(codes: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Per token (B, 77) the code of its tag up to there, (B, 77, size): its own token's and, shifted, those before it.

    So "hair" after "blue" gets what "hair" has in common with all hair, and what "blue" has with all that is blue.
    """
    out = codes[ids]
    breaks = (ids == COMMA) | (ids == START)
    length = torch.ones(ids.shape)
    for place in range(1, ids.shape[1]):
        inside = ~breaks[:, place - 1]
        length[:, place] += length[:, place - 1] * inside
        out[:, place] += out[:, place - 1].roll(1, dims=-1) * inside[:, None]
    return out / length.sqrt()[..., None]


def teach(tokenizer: Tokenizer, log: Path, steps: int, seed: int) -> CLIPTextModel:
    """Teach a fresh text encoder to name a caption's attributes.

    Each token's state looks only backwards and is asked for all that was said up to it. Asking the
    end of the caption alone makes a bag of words, in which no colour belongs to anything.

    Args:
        tokenizer: CLIP's.
        log: loss TSV.
        steps: optimizer steps, batches of 48 captions.
        seed: of weights and captions.
    """
    rng = random.Random(seed)
    encoder = architecture.new_text_encoder(seed)
    sizes = [len(values) for values in VALUES.values()]
    heads = nn.Linear(architecture.TEXT_WIDTH, sum(sizes))
    words = nn.Linear(architecture.TEXT_WIDTH, 64)  # a code of the tag itself, so that tags stay distinct
    codes = torch.randn(49408, 64, generator=torch.Generator().manual_seed(seed)) / 8
    optimizer = torch.optim.AdamW([*encoder.parameters(), *heads.parameters(), *words.parameters()], weight_decay=0.0)
    losses = curve.LossLog(log, "text")
    bar = tqdm(range(steps), desc="text encoder")
    for step in bar:
        for group in optimizer.param_groups:
            group["lr"] = curve.rate(step, steps, 1.5e-3)
        people = [random_attributes(rng) for _ in range(48)]
        texts = [caption(person, rng) for person in people]
        told = torch.stack([told_so_far(tokenizer, p, t) for p, t in zip(people, texts, strict=True)])
        ids = tokenize(tokenizer, texts)
        states = encode(encoder, ids)  # (B, 77, width)
        guesses = heads(states).split(sizes, dim=-1)
        asked = [i for i in range(len(sizes)) if (told[..., i] >= 0).any()]
        loss = sum(functional.cross_entropy(guesses[i].flatten(0, 1), told[..., i].flatten()) for i in asked) / 6
        inside = (ids != START) & (ids != COMMA) & (ids != END)
        loss = loss + functional.mse_loss(words(states)[inside], tag_codes(codes, ids)[inside]) * 8
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimizer.step()
        losses.add(step, float(loss.detach()))
        bar.set_postfix(loss=f"{float(loss.detach()):.3f}")
    return encoder.eval()
