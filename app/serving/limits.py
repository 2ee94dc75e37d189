"""Limits of a batcher, in work (rows × passes) and in seconds."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Limits of a batcher."""

    batch: int
    """Maximum work of a batch, rows × passes; a single job may exceed it."""
    queue: int
    """Maximum queued work, rows × passes; a job beyond it is refused."""
    seconds: float = math.inf
    """Approximate maximum duration of a batch, seconds."""
    quiet_seconds: float = math.inf
    """Approximate maximum duration of a batch of large jobs while no small ones arrive, seconds."""
    slice: float = math.inf
    """Maximum work of a slice, rows × passes; a job with more is large."""
    slice_seconds: float = math.inf
    """Approximate maximum duration of a slice, seconds; longer beside batches of small jobs that
    take much longer, see `app.serving.batch_sizing`."""
