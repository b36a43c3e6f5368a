"""torch.compile for training: the U-Net's transformer blocks, which share their graphs, made before the first step."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from loramake.attending import NarrowProcessor
from loramake.errors import UserError
from loramake.stepping import Batch
from loramake.unetblocks import BasicTransformerBlock

if TYPE_CHECKING:
    from loramake.trainer import Trainer

# graphs of one block's code: a U-Net has blocks of four widths, each at batches of one and of several pictures
_GRAPHS = 64


def compile_blocks(unet: torch.nn.Module) -> int:
    """Let each transformer block of a U-Net run compiled where gradients are wanted; returns how many there are.

    Without gradients (validation, the look at an epoch's effect) the blocks run as they are: that would be another
    graph, for a few passes. Attention that is faster without a graph stays out of it.
    """
    torch._dynamo.config.recompile_limit = _GRAPHS
    blocks = [module for module in unet.modules() if isinstance(module, BasicTransformerBlock)]
    for block in blocks:
        for attention in (block.attn1, block.attn2):
            if isinstance(attention.processor, NarrowProcessor):
                attention.forward = torch.compiler.disable(attention.forward)
        # sizes as variables: one graph serves all buckets, whichever comes first
        block.forward = _where_trained(block.forward, torch.compile(block.forward, dynamic=True))
    return len(blocks)


def _where_trained(plain: Callable, compiled: Callable) -> Callable:
    def forward(*arguments: object, **options: object) -> torch.Tensor:
        return (compiled if torch.is_grad_enabled() else plain)(*arguments, **options)

    return forward


def warm_up(trainer: Trainer) -> None:
    """Make all graphs of a run, with batches of nothing in a fixed order.

    A graph may depend on the sizes that it is first asked for: made on the way, a resumed run would get others.

    Raises:
        UserError: a block cannot be compiled here.
    """
    started = time.monotonic()
    feed = trainer.feed
    ids = feed.plain_ids(0)
    for count, (width, height) in feed.batch_shapes():
        latents = torch.zeros(count, 4, height // 8, width // 8, device=trainer.device)
        times = torch.zeros(count, dtype=torch.long, device=trainer.device)
        try:
            trainer.loss(Batch(ids.expand(count, -1, -1), latents, latents, times)).backward()
        except torch._dynamo.exc.TorchDynamoException as error:
            raise UserError(
                "The U-Net cannot be compiled on this machine.",
                found=str(error).strip().splitlines()[0],
                expected="a compiler that torch.compile can use",
                setting="train.torch_compile: false",
            ) from error
    for parameter in trainer.network.parameters():
        parameter.grad = None
    print(f"compiled the U-Net's transformer blocks in {time.monotonic() - started:.0f} s")
    if trainer.device.type == "cpu":
        print("warning: torch_compile has not been seen to gain anything on a CPU")
