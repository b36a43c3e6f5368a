"""Noise levels: SD1's timesteps as k-diffusion's sigmas, and the schedules that samplers walk down."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from loramake.noise import alphas_cumprod

KARRAS_RHO = 7.0
_LEAST_KEPT = 4.8973451890853435e-08


def training_sigmas(*, zero_terminal_snr: bool = False) -> Tensor:
    """Noise level of each of SD1's 1000 timesteps, rising, about 0.029 … 14.6. Shape (1000,), float64.

    Args:
        zero_terminal_snr: the last is then about 4,500 instead of infinite, as in the webui and ComfyUI.
    """
    kept = alphas_cumprod(zero_terminal_snr=zero_terminal_snr).double()
    if zero_terminal_snr:
        kept[-1] = _LEAST_KEPT
    return ((1 - kept) / kept) ** 0.5


def sigma_to_timestep(sigma: float, table: Tensor) -> float:
    """The timestep of a noise level, interpolated in log sigma between the trained ones (0 … 999)."""
    log_sigma, logs = math.log(sigma), table.log()
    low = int(torch.searchsorted(logs, log_sigma, right=True)) - 1
    low = min(max(low, 0), len(table) - 2)
    share = (log_sigma - float(logs[low])) / float(logs[low + 1] - logs[low])
    return low + min(max(share, 0.0), 1.0)


def timestep_to_sigma(timestep: Tensor, table: Tensor) -> Tensor:
    """The noise level of real timesteps (0 … 999), interpolated in log sigma."""
    low, high = timestep.floor().long(), timestep.ceil().long()
    share = timestep - low
    return ((1 - share) * table[low].log() + share * table[high].log()).exp()


def even_schedule(table: Tensor, steps: int) -> list[float]:
    """k-diffusion's own schedule: timesteps evenly from 999 to 0, then sigma 0. `steps` + 1 values."""
    timesteps = torch.linspace(len(table) - 1, 0, steps, dtype=torch.float64)
    return [*timestep_to_sigma(timesteps, table).tolist(), 0.0]


def karras_schedule(table: Tensor, steps: int) -> list[float]:
    """The schedule of Karras et al. (2022), eq. 5, rho 7, over the trained range, then sigma 0."""
    low, high = float(table[0]) ** (1 / KARRAS_RHO), float(table[-1]) ** (1 / KARRAS_RHO)
    ramp = torch.linspace(0, 1, steps, dtype=torch.float64)
    return [*((high + ramp * (low - high)) ** KARRAS_RHO).tolist(), 0.0]


def ddim_schedule(table: Tensor, steps: int) -> list[float]:
    """DDIM's: every (1000 // steps)-th timestep plus 1, down to the noise level of timestep 0 (not to zero)."""
    stride = len(table) // steps
    timesteps = [min(index * stride + 1, len(table) - 1) for index in reversed(range(steps))]
    return [float(table[timestep]) for timestep in [*timesteps, 0]]


def unipc_schedule(table: Tensor, steps: int) -> list[float]:
    """UniPC's "time uniform": timesteps evenly from 999 to 0, the last one where it stops (not at zero)."""
    timesteps = torch.linspace(len(table) - 1, 0, steps + 1, dtype=torch.float64)
    return timestep_to_sigma(timesteps, table).tolist()
