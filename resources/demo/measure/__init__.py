"""Reads attributes back off a picture, drawn or generated; for tests and benchmarks, not for the product.

A small network trained on drawings that were changed to look generated (``python -m
measure.train``), and for the one character's signature details plain colour tests on top.
"""

from .classes import FIELDS, HEADS, HIDDEN, UNKNOWN, visible
from .reading import Reading, obeys, read, read_many

__all__ = ["FIELDS", "HEADS", "HIDDEN", "UNKNOWN", "Reading", "obeys", "read", "read_many", "visible"]
