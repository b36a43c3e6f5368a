"""The text encoder's first lesson: the tags alone, before any picture.

Trained from scratch inside the U-Net's loss, it learns too slowly for tags to be obeyed; a few
minutes of naming what a caption says are enough to mend that.
"""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import torch
from drawing import Attributes, caption_tags, random_attributes
from drawing.attributes import VALUES
from torch import nn
from torch.nn import functional
from tqdm import tqdm
from transformers import CLIPTextModel, CLIPTokenizer

from . import architecture, curve


def caption(attributes: Attributes, rng: random.Random) -> str:
    """A training caption: tags shuffled; often some, sometimes nearly all left out; 8 % empty."""
    tags = caption_tags(attributes)
    rng.shuffle(tags)
    chance = rng.random()
    if chance < 0.08:
        return ""
    keep = 1.0 if chance < 0.45 else rng.uniform(0.15, 1.0)
    return ", ".join(tag for tag in tags if rng.random() < keep)


def tokenize(tokenizer: CLIPTokenizer, captions: list[str]) -> torch.Tensor:
    """Token ids (B, 77); words past the window are cut."""
    made = tokenizer(captions, padding="max_length", truncation=True, max_length=77, return_tensors="pt")
    return made.input_ids


def encode(encoder: CLIPTextModel, ids: torch.Tensor) -> torch.Tensor:
    """Hidden states (B, 77, width) at the demo's clip_skip, after the final norm."""
    states = encoder(ids, output_hidden_states=True).hidden_states[-architecture.CLIP_SKIP]
    inner = getattr(encoder, "text_model", encoder)  # transformers >= 5.6 has no inner model
    return inner.final_layer_norm(states)


def telling_tags(attributes: Attributes, field: str) -> set[str]:
    """The tags of a drawing that no other value of `field` would have given it."""
    tags = set(caption_tags(attributes))
    for value in VALUES[field]:
        if value != getattr(attributes, field):
            tags -= set(caption_tags(replace(attributes, **{field: value})))
    return tags


def _targets(attributes: Attributes, text: str) -> list[int]:
    """Per field the index of the value that `text` names, or -100 where it does not say."""
    named = set(text.split(", "))
    return [
        values.index(getattr(attributes, field)) if named & telling_tags(attributes, field) else -100
        for field, values in VALUES.items()
    ]


def teach(tokenizer: CLIPTokenizer, log: Path, steps: int, seed: int) -> CLIPTextModel:
    """Teach a fresh text encoder to name a caption's attributes.

    The state of every token looks only backwards, so each position is asked for what was said up to
    it (by the end token: all), which spreads the meaning over the states that cross attention reads.

    Args:
        tokenizer: CLIP's.
        log: loss TSV.
        steps: optimizer steps, batches of 48 captions.
        seed: of weights and captions.
    """
    rng = random.Random(seed)
    encoder = architecture.new_text_encoder(seed)
    heads = nn.ModuleList(nn.Linear(architecture.TEXT_WIDTH, len(v)) for v in VALUES.values())
    words = nn.Linear(architecture.TEXT_WIDTH, 64)  # a code of the token itself, so that tags stay distinct
    codes = torch.randn(49408, 64, generator=torch.Generator().manual_seed(seed)) / 8
    optimizer = torch.optim.AdamW([*encoder.parameters(), *heads.parameters(), *words.parameters()], weight_decay=0.0)
    losses = curve.LossLog(log, "text")
    bar = tqdm(range(steps), desc="text encoder")
    for step in bar:
        for group in optimizer.param_groups:
            group["lr"] = curve.rate(step, steps, 1.5e-3)
        people = [random_attributes(rng) for _ in range(48)]
        texts = [caption(person, rng) for person in people]
        targets = torch.tensor([_targets(p, t) for p, t in zip(people, texts, strict=True)])
        ids = tokenize(tokenizer, texts)
        states = encode(encoder, ids)  # (B, 77, width)
        ends = ids.eq(49407).int().argmax(1)
        # the end token and all padding after it: the states that close the sentence
        last = states[torch.arange(len(ids)), ends]
        final = states[:, -1]
        loss = torch.zeros(())
        for index, head in enumerate(heads):
            for state in (last, final):
                if (targets[:, index] >= 0).any():
                    loss = loss + functional.cross_entropy(head(state), targets[:, index], ignore_index=-100) / 12
        inside = torch.arange(77)[None] < ends[:, None]
        loss = loss + functional.mse_loss(words(states)[inside], codes[ids[inside]]) * 8
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimizer.step()
        losses.add(step, float(loss.detach()))
        bar.set_postfix(loss=f"{float(loss.detach()):.3f}")
    return encoder.eval()
