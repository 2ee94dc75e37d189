"""Blocks: the engine's unit of work, of fixed shape so that results do not depend on the batch.

A block is one row and `PASSES` consecutive passes. Its shape is the same for every requested number
of passes (the last block is computed whole and cut), so its bits cannot depend on what else is
computed with it. Pass `t` is at position `t mod PASSES` of block `t div PASSES`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dubito.numerics.noise import Call
from dubito.numerics.rng import PassRange
from dubito.types import Floats, Query

PASSES = 50
"""Passes in a block. At 50, BLAS is near its best rate and the usual 100 passes fill two blocks."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Input of a backend: `L` blocks for each of `N` rows."""

    rows: Floats
    """`(N, F)` feature values."""
    length: int
    """Number of blocks a row, `L`."""
    noises: tuple[NDArray[Any], ...]
    """Noise of each Monte-Carlo call, `(G, L, PASSES, *shape of its noise)`; `G` is
    `N`, or 1 if all rows have one seed."""


def block_count(passes: int) -> int:
    """Count the blocks that a row needs for a number of passes."""
    return -(-passes // PASSES)


def blocks_of(calls: Sequence[Call], queries: Sequence[Query]) -> Blocks:
    """Build the blocks of queries that need the same number of blocks a row; rows keep their order.

    Rows of one query share its seed and therefore its noise.

    Raises:
        ValueError: a query's first pass is not the first of a block.
    """
    if any(query.first % PASSES for query in queries):
        raise ValueError(f"a query's first pass must be a multiple of {PASSES}")
    length = block_count(queries[0].passes)
    runs = [PassRange(query.seed, query.first, length * PASSES) for query in queries]
    rows = np.concatenate([query.features for query in queries])
    noises = (_noise(call, runs) for call in calls)
    if len(queries) not in (1, len(rows)):
        own = np.repeat(np.arange(len(queries)), [len(query.features) for query in queries])
        noises = (noise[own] for noise in noises)
    return Blocks(rows, length, tuple(noises))


def _noise(call: Call, runs: Sequence[PassRange]) -> NDArray[Any]:
    noise = call.noise.drawn(runs, call.ordinal, call.shape)
    return noise.reshape(len(runs), -1, PASSES, *call.shape)
