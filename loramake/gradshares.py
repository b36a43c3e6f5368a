"""Divides each batch among processes on a CPU: a small model cannot fill several threads of one process.

A partner process holds the model too, sees the same LoRA weights in shared memory, and leaves the gradients of its
share of the batch there. Everything else (order, noise, optimizer, files) stays with the process that trains.
"""

from __future__ import annotations

import mmap
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from multiprocessing.connection import Connection, Pipe
from typing import BinaryIO, NamedTuple

import torch

from loramake.errors import UserError
from loramake.lora import Network
from loramake.programs import package_environment
from loramake.recipe import Recipe
from loramake.smallmodels import count_processes
from loramake.stepping import Batch

_FLOAT_BYTES = 4


@dataclass(frozen=True)
class PartnerTask:
    """What a partner must know to compute gradients.

    Attributes:
        base_model, config: see `models.load_sd1`.
        place: which of the gradient areas behind the weights is its own, from 0.
        threads: CPU threads it may use.
    """

    recipe: Recipe
    base_model: str
    config: str
    place: int
    threads: int


class Partner(NamedTuple):
    """A running partner process, and the line to it."""

    process: subprocess.Popen
    line: Connection


@dataclass(frozen=True)
class Partners:
    """All partners of a run, and the memory that they share with it."""

    each: Sequence[Partner]
    memory: BinaryIO


def count_shares(recipe: Recipe, base_model: str, device: torch.device, precision: str, threads: int) -> int:
    """Into how many processes a run's batches are divided; 1 keeps them whole."""
    plain = precision == "no" and not recipe.gradient_checkpointing and not recipe.network_dropout
    plain = plain and not recipe.torch_compile
    if not plain or recipe.num_processes > 1 or os.name != "posix":
        return 1
    return count_processes(base_model, device.type, threads, recipe.train_batch_size)


@contextmanager
def partners(recipe: Recipe, base_model: str, config: str, *, count: int, threads: int) -> Iterator[Partners]:
    """Start partner processes, which load their models meanwhile; they end with the block, or with this process.

    Args:
        base_model, config: see `models.load_sd1`.
        count: of partners; may be 0.
        threads: CPU threads of each.
    """
    with _nameless_file() as memory:
        started = []
        try:
            for place in range(count):
                task = PartnerTask(recipe, base_model, config, place, threads)
                started.append(_start(task, memory))
            yield Partners(started, memory)
        finally:
            for partner in started:
                partner.line.close()
                partner.process.kill()
                partner.process.wait()


def _nameless_file() -> BinaryIO:
    """A file that ends with its last user; in memory on Linux, where /dev/shm is often too small in containers."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("loramake"), "r+b")
    return tempfile.TemporaryFile()


def _start(task: PartnerTask, memory: BinaryIO) -> Partner:
    ours, theirs = Pipe()
    command = [sys.executable, "-m", "loramake.gradpartner", str(theirs.fileno()), str(memory.fileno())]
    process = subprocess.Popen(
        command,
        pass_fds=(theirs.fileno(), memory.fileno()),
        env=package_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    theirs.close()
    ours.send_bytes(pickle.dumps(task))
    return Partner(process, ours)


def map_areas(memory: BinaryIO, network: Network) -> list[list[torch.Tensor]]:
    """The shared memory as tensors of the weights' shapes: the weights, then the gradients of each partner."""
    shared = torch.frombuffer(mmap.mmap(memory.fileno(), 0), dtype=torch.float32)
    parameters = list(network.parameters())
    sizes = [parameter.numel() for parameter in parameters]
    areas = [area.split(sizes) for area in shared.split(sum(sizes))]
    return [[part.view(p.shape) for part, p in zip(area, parameters, strict=True)] for area in areas]


class GradientShares:
    """Computes a batch's gradients together with the partners.

    Args:
        network: its weights move into shared memory; changes in place reach the partners.
        prediction_type, zero_terminal_snr: what the run trains for.
    """

    def __init__(self, partners: Partners, network: Network, prediction_type: str, zero_terminal_snr: bool) -> None:
        self.partners = partners.each
        self.parameters = list(network.parameters())
        size = sum(parameter.numel() for parameter in self.parameters) * _FLOAT_BYTES
        partners.memory.truncate(size * (1 + len(self.partners)))
        weights, *self.gradients = map_areas(partners.memory, network)
        for parameter, place in zip(self.parameters, weights, strict=True):
            place.copy_(parameter.detach())
            parameter.data = place
        for number in range(len(self.partners)):
            self._tell(number, (prediction_type, zero_terminal_snr))

    def backward(self, batch: Batch, loss_of: Callable[[Batch], torch.Tensor], factor: float) -> torch.Tensor:
        """Add factor · gradients of the batch's loss to the weights' gradients; returns the loss.

        The loss is a mean over the batch, so each share counts by its number of pictures.

        Args:
            loss_of: the loss of a batch, computed here for this process's own share.

        Raises:
            UserError: a partner ended.
        """
        shares = cut_batch(batch, 1 + len(self.partners))
        whole = len(batch.timesteps)
        for number, share in enumerate(shares[1:]):
            self._tell(number, (share, factor * len(share.timesteps) / whole))
        own = len(shares[0].timesteps) / whole
        loss = loss_of(shares[0])
        (loss * (own * factor)).backward()
        total = loss.detach() * own
        for number, share in enumerate(shares[1:]):
            total += self._hear(number) * (len(share.timesteps) / whole)
            pairs = zip(self.parameters, self.gradients[number], strict=True)
            there = [(parameter.grad, gradient) for parameter, gradient in pairs if parameter.grad is not None]
            torch._foreach_add_(*map(list, zip(*there, strict=True)))
        return total

    def _tell(self, number: int, message: object) -> None:
        try:
            self.partners[number].line.send_bytes(pickle.dumps(message))
        except OSError as error:
            raise self._ended(number) from error

    def _hear(self, number: int) -> float:
        try:
            answer = pickle.loads(self.partners[number].line.recv_bytes())
        except (EOFError, OSError) as error:
            raise self._ended(number) from error
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _ended(self, number: int) -> UserError:
        return UserError(
            "A process that computes a share of each batch has ended.",
            found=f"exit code {self.partners[number].process.wait()}",
            expected="a process that lives as long as the training; the system may have ended it for want of memory",
            setting="--cores 1, or train.train_batch_size: 1",
        )


def cut_batch(batch: Batch, shares: int) -> list[Batch]:
    """Up to so many smaller batches, as even as possible, the larger ones first; none is empty."""
    whole = len(batch.timesteps)
    edges = [-(-whole * i // shares) for i in range(shares + 1)]

    def part(start: int, end: int) -> Batch:
        values = {entry.name: getattr(batch, entry.name) for entry in fields(Batch)}
        return Batch(**{name: None if value is None else value[start:end] for name, value in values.items()})

    return [part(a, b) for a, b in zip(edges, edges[1:], strict=False) if b > a]
