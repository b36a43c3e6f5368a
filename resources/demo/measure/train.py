"""Make the reader's weights again: ``python -m measure.train`` from resources/demo.

About ten minutes of one CPU core; drawings are made by the program and changed to look generated.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from .augment import imitate
from .classes import FIELDS, target
from .drawn import sample
from .network import WEIGHTS, Reader, save, to_input

SHAPES = {(128, 128): 0.65, (104, 160): 0.2, (160, 104): 0.15}  # as ``seen_size`` gives them
FIRST_SEED = 5_000_000  # far from the seeds of tests and of the base model
BATCH = 32
SMOOTHING = 0.05


def drawings(count: int) -> list[tuple[np.ndarray, torch.Tensor]]:
    """For every shape its pictures, uint8 (n, h, w, 3), and targets, (n, fields)."""
    sets, seed = [], FIRST_SEED
    with tqdm(total=sum(round(count * s) for s in SHAPES.values()), desc="drawings") as bar:
        for size, share in SHAPES.items():
            pictures, targets = [], []
            for _ in range(round(count * share)):
                attributes, picture = sample(seed, size)
                pictures.append(picture)
                targets.append(target(attributes))
                seed += 1
                bar.update()
            sets.append((np.stack(pictures), torch.tensor(targets)))
    return sets


def batches(sets: list[tuple[np.ndarray, torch.Tensor]], rng: np.random.Generator) -> list[tuple[int, np.ndarray]]:
    """One epoch: (set, indices) in random order; a batch holds one shape."""
    out = []
    for i, (pictures, _) in enumerate(sets):
        order = rng.permutation(len(pictures))
        out += [(i, order[k : k + BATCH]) for k in range(0, len(order) - BATCH + 1, BATCH)]
    rng.shuffle(out)
    return out


def loss_of(logits: dict[str, torch.Tensor], targets: torch.Tensor) -> torch.Tensor:
    """The heads' mean cross entropy."""
    losses = [cross_entropy(logits[f].float(), targets[:, i], label_smoothing=SMOOTHING) for i, f in enumerate(FIELDS)]
    return torch.stack(losses).mean()


def train(count: int, epochs: int, rate: float, seed: int) -> Reader:
    """A reader taught on ``count`` drawings, each changed anew in every epoch."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    sets = drawings(count)
    reader = Reader().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(reader.parameters(), lr=rate, weight_decay=0.02)
    per_epoch = len(batches(sets, rng))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, epochs * per_epoch, pct_start=0.15)
    for epoch in range(epochs):
        total, bar = 0.0, tqdm(batches(sets, rng), desc=f"epoch {epoch + 1}")
        for i, chosen in bar:
            pictures = np.stack([imitate(sets[i][0][k], rng) for k in chosen])
            with torch.autocast("cpu", torch.bfloat16):
                logits = reader(to_input(torch.from_numpy(pictures)))
            loss = loss_of(logits, sets[i][1][chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        tqdm.write(f"epoch {epoch + 1}: loss {total / per_epoch:.4f}")
    return reader.eval()


def main() -> None:
    """Train and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--drawings", type=int, default=9000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=1337)
    parser.add_argument("--output", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    start = time.process_time()
    reader = train(options.drawings, options.epochs, options.rate, options.seed)
    save(reader, options.output)
    size = options.output.stat().st_size / 1e3
    print(f"{options.output.name}: {size:.0f} kB after {time.process_time() - start:.0f} s of CPU time")


if __name__ == "__main__":
    main()
