"""What this machine can compute with, as plain values: cards, memory, packages. Torch loads late, if at all."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil

from loramake.errors import UserError

DEVICES = ("cuda", "mps", "cpu")  # in the order in which `auto` takes them; ROCm's cards go by the name cuda


@dataclass(frozen=True)
class Card:
    """A graphics card: its name, memory and free memory in bytes, and whether it computes in bf16 by itself."""

    name: str
    memory: int
    free: int
    bf16: bool


@dataclass(frozen=True)
class Capabilities:
    """What a machine has.

    Attributes:
        cards: CUDA and ROCm cards that this process sees; the first is the one that is used.
        mps: whether Apple's graphics can be used.
        packages: which of the optional packages asked for are installed.
        ram, ram_free: bytes in all, and bytes that programs may still take.
        compiler: whether C++ programs that use Python's headers can be made here.
    """

    cards: tuple[Card, ...] = ()
    mps: bool = False
    packages: frozenset[str] = frozenset()
    ram: int = 0
    ram_free: int = 0
    compiler: bool = False


def probe(packages: Iterable[str] = (), *, device: str = "auto") -> Capabilities:
    """Look at this machine.

    Args:
        packages: names of modules to look for.
        device: as in the config; for "cpu" torch is not asked, which saves a second.
    """
    memory = psutil.virtual_memory()
    found = frozenset(name for name in packages if find_spec(name))
    cards, mps = ((), False) if device == "cpu" else _graphics()
    return Capabilities(cards, mps, found, memory.total, memory.available, _has_compiler())


def _has_compiler() -> bool:
    """Whether what torch.compile calls is there: a C++ compiler, and Python's headers."""
    usual = "clang++" if sys.platform == "darwin" else "g++"
    header = Path(sysconfig.get_path("include"), "Python.h")
    return bool(shutil.which(os.environ.get("CXX", usual))) and header.is_file()


def _graphics() -> tuple[tuple[Card, ...], bool]:
    import torch

    cards = []
    for place in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        with torch.cuda.device(place):
            free, total = torch.cuda.mem_get_info(place)
            bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        cards.append(Card(torch.cuda.get_device_name(place), total, free, bf16))
    return tuple(cards), torch.backends.mps.is_available()


def choose_device(setting: str, machine: Capabilities) -> str:
    """The device for "auto" (the first of `DEVICES` that is there), "cuda", "mps" or "cpu".

    Raises:
        UserError: the device asked for is not there.
    """
    there = {"cuda": bool(machine.cards), "mps": machine.mps, "cpu": True}
    usable = [name for name in DEVICES if there[name]]
    if setting == "auto":
        return usable[0]
    if setting not in usable:
        raise UserError(
            "This device is not available.", found=setting, expected=", ".join(["auto", *usable]), setting="device"
        )
    return setting


def choose_precision(setting: str, device: str, machine: Capabilities) -> str:
    """The precision of the computation: no (float32), fp16 or bf16.

    "auto" takes bf16 where the card computes in it, else fp16; float32 on a CPU and on MPS.

    Args:
        device: from `choose_device`.

    Raises:
        UserError: fp16 on a CPU, bf16 on a card that lacks it.
    """
    bf16 = bool(machine.cards) and machine.cards[0].bf16
    if setting == "auto":
        return ("bf16" if bf16 else "fp16") if device == "cuda" else "no"
    if setting == "fp16" and device == "cpu":
        raise UserError(
            "Half precision (fp16) cannot train on a CPU.",
            found="mixed_precision: fp16, device: cpu",
            expected="auto, no or bf16",
            setting="train.mixed_precision",
        )
    if setting == "bf16" and device == "cuda" and not bf16:
        raise UserError(
            "This card does not compute in bf16.",
            found=f"mixed_precision: bf16, {machine.cards[0].name if machine.cards else 'no card'}",
            expected="auto or fp16",
            setting="train.mixed_precision",
        )
    return setting
