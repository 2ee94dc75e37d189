"""The random stream: which units a pass keeps, as a pure function of seed, call and pass.

Philox4x64-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) with the
key `(seed, call)`, where `call` is the ordinal of the Monte-Carlo call in topological order.
A mask of `U` units takes `W = ceil(U / 16)` blocks of 256 bits; pass `t` reads the blocks with
counters `t·W + 1 … (t + 1)·W`, sixteen units each, 16 bits a unit, least significant first.
A unit is kept where its 16 bits, as an integer, are at least `round(rate · 65536)`.

Neither the row nor the batch enters, and pass `t` has the same mask whatever the number of
passes. The drop rate is met to 2⁻¹⁷.
"""

import math

import numpy as np
from numpy.typing import NDArray

from app.errors import NetworkError

UNITS_PER_BLOCK = 16
LEVELS = 65536


def threshold(rate: float) -> int:
    """The number of 16-bit levels that drop a unit.

    Raises:
        NetworkError: a rate that drops nothing or everything.
    """
    dropped = round(rate * LEVELS)
    if not 0 < dropped < LEVELS:
        raise NetworkError(f"a Monte-Carlo rate of {rate} drops nothing or everything")
    return dropped


def kept(
    seed: int, call: int, passes: int, shape: tuple[int, ...], rate: float
) -> NDArray[np.bool_]:
    """Masks of the first `passes` passes: `(passes, *shape)`, True where a unit is kept."""
    units = math.prod(shape)
    blocks = -(-units // UNITS_PER_BLOCK)
    words = philox(seed, call).random_raw(passes * blocks * 4)
    levels = words.astype("<u8", copy=False).view("<u2")
    levels = levels.reshape(passes, blocks * UNITS_PER_BLOCK)[:, :units]
    return np.greater_equal(levels, threshold(rate)).reshape(passes, *shape)


def philox(seed: int, call: int) -> np.random.Philox:
    """The generator of one call, at its beginning."""
    return np.random.Philox(key=np.array([seed, call], dtype=np.uint64))
