"""AdamW for training without torch.compile: the same class, without the compiler that its methods load."""

from __future__ import annotations

import inspect

import torch
from torch.optim import AdamW, Optimizer


class EagerAdamW(AdamW):
    """`torch.optim.AdamW`, whose decorated methods import torch's compiler (1.5 s) only to switch it off.

    State, arguments and results are AdamW's.
    """

    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)
    state_dict = inspect.unwrap(Optimizer.state_dict)
    load_state_dict = inspect.unwrap(Optimizer.load_state_dict)
    step = torch.no_grad()(inspect.unwrap(AdamW.step))
