"""Text encoding against kohya's recorded states."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from tinymodels import tiny_models
from vectors import vectors

from loramake.errors import UserError
from loramake.models import load_sd1
from loramake.textencode import encode


def test_recorded_hidden_states():
    folder = vectors()
    model = load_sd1(folder / "tiny_sd1.safetensors", config=folder / "tiny_sd1_config", parts=("text_encoder",))
    recorded = np.load(folder / "hidden_states.npz")
    for entry in json.loads((folder / "tokens.json").read_text()):
        ids = torch.tensor(entry["input_ids"])[None]
        for skip in ("none", "1", "2"):
            theirs = recorded[f"cap{entry['caption_index']}_len{entry['max_token_length']}_skip{skip}"]
            with torch.no_grad():
                ours = encode(model.text_encoder, ids, 1 if skip == "none" else int(skip)).numpy()
            assert ours.shape == theirs.shape
            assert np.abs(ours - theirs).max() <= 2e-5


def test_clip_skip_beyond_the_layers_is_refused():
    with pytest.raises(UserError):
        encode(tiny_models().text_encoder, torch.zeros(1, 1, 77, dtype=torch.long), 4)
