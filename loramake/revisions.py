"""One number per stage, part of its settings file: raise it when the stage's output changes for the same input.

Kept here and not beside the stages, since planning must not import torch.
"""

REVISIONS: dict[str, int] = {
    "download": 1,
    "autotag": 1,
    "screen": 4,
    "clean": 4,
    "tags": 3,
    "dataset": 1,
    "regularisation": 1,
    "steps": 2,
    "report": 3,
    "latents": 1,
    "train": 4,
    "publish": 1,
    "cells": 6,
    "sheet": 1,
    "overview": 1,
    "pick": 3,
}
