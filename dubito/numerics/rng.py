"""The random stream: a pass' noise as a pure function of seed, Monte-Carlo call, pass and unit.

Philox4x64-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) with the
key `(seed, call)`, where `call` is the ordinal of the Monte-Carlo call in topological order.
A pass of `U` units takes `W = ceil(U / V)` blocks of 256 bits, `V` units each; pass `t` reads the
blocks with counters `t·W + 1 … (t + 1)·W`, their bits from the least significant word and bit on.

A mask uses 16 bits a unit (`V` = 16): a unit is kept if they, as an integer, are at least
`round(rate · 65536)`, so the drop rate is exact to 2⁻¹⁷. A normal uses 64 bits a unit (`V` = 4):
their upper 52 bits, `k`, give the probability `(k + ½) / 2⁵²`, whose quantile is the normal.

The noise depends on neither the row nor the batch, and pass `t` has the same noise for every number
of passes. A call has one kind of noise, so masks and normals never share bits.
"""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dubito.errors import NetworkError
from dubito.numerics.normal import quantile
from dubito.types import Floats

WORDS_PER_BLOCK = 4
LEVELS = 65536


def drop_levels(rate: float) -> int:
    """Compute the number of 16-bit levels that drop a unit, of 65536.

    Raises:
        NetworkError: the rate drops nothing or everything.
    """
    dropped = round(rate * LEVELS)
    if not 0 < dropped < LEVELS:
        raise NetworkError(f"a Monte-Carlo rate of {rate} drops nothing or everything")
    return dropped


@dataclass(frozen=True, slots=True)
class PassRange:
    """Consecutive passes under one seed."""

    seed: int
    first: int
    """Index of the first pass."""
    count: int


def keep_masks(
    runs: Sequence[PassRange], call: int, shape: tuple[int, ...], rate: float
) -> NDArray[np.bool_]:
    """Draw masks of the passes of all runs: `(passes, *shape)`, True where a unit is kept."""
    units = math.prod(shape)
    levels = _words(runs, call, -(-units // 16)).view("<u2")[:, :units]
    return np.greater_equal(levels, drop_levels(rate)).reshape(-1, *shape)


def normals(runs: Sequence[PassRange], call: int, shape: tuple[int, ...]) -> Floats:
    """Draw standard normals of the passes of all runs: `(passes, *shape)`."""
    units = math.prod(shape)
    words = _words(runs, call, -(-units // WORDS_PER_BLOCK))[:, :units]
    upper = (words >> np.uint64(12)).astype(np.float64)
    return quantile((upper + 0.5) * 2.0**-52).reshape(-1, *shape)


def _words(runs: Sequence[PassRange], call: int, blocks: int) -> NDArray[np.uint64]:
    """Draw the 64-bit words of the passes of all runs: `(passes, blocks · 4)`."""
    words = np.empty((sum(run.count for run in runs), blocks * WORDS_PER_BLOCK), dtype="<u8")
    flat, start = words.reshape(-1), 0
    for run in runs:
        stop = start + run.count * words.shape[1]
        flat[start:stop] = _generators.at(run.seed, call, run.first * blocks, stop - start)
        start = stop
    return words


class _Generators(threading.local):
    """A thread's Philox generator, set to a new position for each read.

    Creating a generator for each read would take ten times as long.
    """

    def __init__(self) -> None:
        self._philox = np.random.Philox(key=0)
        self._state = self._philox.state

    def at(self, seed: int, call: int, counter: int, words: int) -> NDArray[np.uint64]:
        """Read words, starting at the block after `counter`."""
        self._state["state"]["key"][:] = seed, call
        self._state["state"]["counter"][0] = counter
        self._philox.state = self._state
        return self._philox.random_raw(words)


_generators = _Generators()
