"""A training step with plain and with compiled transformer blocks, in turns in one process.

    python benchmarks/compiled.py                                       the demo's base, 160 px, batch 8, rank 32
    python benchmarks/compiled.py --tiny --side 128 --batch 2 --rank 8  the small model that kohya.py compares on

Random latents and captions; gradients of the LoRA, without the optimizer. One thread, medians.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(HOUSE), str(HOUSE / "benchmarks")]

import torch  # noqa: E402

from loramake.noise import alphas_cumprod  # noqa: E402
from loramake.recipe import Recipe  # noqa: E402
from loramake.stepping import Batch, training_step  # noqa: E402
from loramake.trainmodel import attach_network, load_frozen  # noqa: E402


class Trained:
    """One model with its LoRA, plain or compiled."""

    def __init__(self, base: str, rank: int, compiled: bool) -> None:
        recipe = Recipe(network_dim=rank, mixed_precision="no", torch_compile=compiled)
        self.model = load_frozen(recipe, base, "", torch.device("cpu"), "no")
        self.network = attach_network(recipe, self.model)
        self._kept = alphas_cumprod(zero_terminal_snr=False)

    def step(self, batch: Batch) -> tuple[float, float]:
        """Seconds of a forward and backward pass, and the loss."""
        begun = time.perf_counter()
        loss = training_step(self.model.unet, self.model.text_encoder, batch, self._kept, clip_skip=2).loss
        loss.backward()
        seconds = time.perf_counter() - begun
        for parameter in self.network.parameters():
            parameter.grad = None
        return seconds, loss.item()


def random_batch(count: int, side: int) -> Batch:
    """A batch of square latents."""
    draw = torch.Generator().manual_seed(1)
    latents, noise = torch.randn(2, count, 4, side // 8, side // 8, generator=draw)
    ids = torch.randint(1, 400, (count, 1, 77), generator=draw)
    return Batch(ids, latents, noise, torch.randint(0, 1000, (count,), generator=draw))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--base", type=Path, default=HOUSE / "resources/demo/base.safetensors")
    parser.add_argument("--tiny", action="store_true", help="another base: small and random, with narrow heads")
    parser.add_argument("--side", type=int, default=160, help="pixels")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=14)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        if options.tiny:
            from kohyaground import TINY, make_checkpoint

            options.base = Path(folder, "base.safetensors")
            make_checkpoint(options.base, TINY.sizes)
        plain, compiled = (Trained(str(options.base), options.rank, which) for which in (False, True))
    batch = random_batch(options.batch, options.side)
    begun = time.perf_counter()
    (_, expected), (_, loss) = plain.step(batch), compiled.step(batch)
    seconds = time.perf_counter() - begun
    print(f"first steps with their graphs: {seconds:.0f} s; losses differ by {abs(expected - loss):.1e}")
    rounds = [(plain.step(batch)[0], compiled.step(batch)[0]) for _ in range(options.rounds)]
    medians = [statistics.median(times) for times in zip(*rounds, strict=True)]
    ratio = statistics.median(before / after for before, after in rounds)
    print(f"a step: plain {medians[0]:.3f} s, compiled {medians[1]:.3f} s; plain / compiled {ratio:.2f} (median)")


if __name__ == "__main__":
    main()
