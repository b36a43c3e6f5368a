"""The partner's side of `gradshares`: python -m loramake.gradpartner LINE MEMORY (numbers of open files)."""

from __future__ import annotations

import os
import pickle
import signal
import sys
from multiprocessing.connection import Connection

import torch

from loramake.gradshares import PartnerTask, map_areas
from loramake.heap import keep_freed_memory
from loramake.noise import alphas_cumprod
from loramake.stepping import Batch, training_step
from loramake.trainmodel import attach_network, load_frozen


def serve(line: Connection, memory_number: int) -> None:
    """Compute gradients until the other side closes the line."""
    task: PartnerTask = pickle.loads(line.recv_bytes())
    recipe = task.recipe
    torch.set_num_threads(task.threads)
    keep_freed_memory()
    model = load_frozen(recipe, task.base_model, task.config, torch.device("cpu"), "no")
    network = attach_network(recipe, model)
    prediction_type, zero_terminal_snr = pickle.loads(line.recv_bytes())
    kept = alphas_cumprod(zero_terminal_snr=zero_terminal_snr)
    with os.fdopen(memory_number, "r+b") as memory:
        weights, *areas = map_areas(memory, network)
    gradients = areas[task.place]
    parameters = list(network.parameters())
    for parameter, weight in zip(parameters, weights, strict=True):
        parameter.data = weight
    while True:
        batch, factor = pickle.loads(line.recv_bytes())
        loss = _backward(model, batch, kept, recipe, prediction_type, factor)
        # a weight without gradient has none in the process that trains either, which then does not look here
        there = [(place, p.grad) for place, p in zip(gradients, parameters, strict=True) if p.grad is not None]
        torch._foreach_copy_(*map(list, zip(*there, strict=True)))
        for parameter in parameters:
            parameter.grad = None
        line.send_bytes(pickle.dumps(loss))


def _backward(
    model: object, batch: Batch, kept: torch.Tensor, recipe: object, prediction_type: str, factor: float
) -> float:
    result = training_step(
        model.unet,
        model.text_encoder,
        batch,
        kept,
        clip_skip=recipe.clip_skip,
        prediction_type=prediction_type,
        min_snr_gamma=recipe.min_snr_gamma,
    )
    (result.loss * factor).backward()
    return result.loss.item()


if __name__ == "__main__":
    # the process that trains decides when to stop; it takes this one with it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = Connection(int(sys.argv[1]))
    try:
        serve(connection, int(sys.argv[2]))
    except (EOFError, OSError):
        sys.exit(0)
    except Exception as error:
        connection.send_bytes(pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}")))
        sys.exit(1)
