"""Limits: how much a batcher takes, in work (rows × passes) and in time."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a batcher takes."""

    batch: int
    """Most work of a batch; one job alone may exceed it."""
    queue: int
    """Most work waiting; a job beyond it is refused."""
    seconds: float = math.inf
    """About how long a batch may take."""
    quiet_seconds: float = math.inf
    """About how long a batch of large jobs may take where no small ones come."""
    slice: float = math.inf
    """Most work of a slice; a job of more is large."""
    slice_seconds: float = math.inf
    """About how long a slice may take, if a batch of small jobs takes less; else as long as
    that."""
