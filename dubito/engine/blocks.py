"""Blocks: the unit of work of the engine.

A block is one row and `PASSES` consecutive passes. Its shape never changes, whatever the number of
passes asked for (the last block is computed whole and cut), so its bits cannot depend on what
else is computed beside it. Pass `t` stands at position `t mod PASSES` of block `t div PASSES`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dubito.engine.noise import Call
from dubito.engine.rng import Run
from dubito.types import Floats, Query

PASSES = 50
"""Passes in a block: a hundred, the usual number, is two blocks, and BLAS is near its best rate."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Work for an execution: `L` blocks of each of `N` rows."""

    rows: Floats
    """`(N, F)`"""
    length: int
    """`L`"""
    noises: tuple[NDArray[Any], ...]
    """For each Monte-Carlo call `(G, L, PASSES, *shape of its noise)`; `G` is
    `N`, or 1 where all rows have one seed."""


def count(passes: int) -> int:
    """Blocks a row needs for so many passes."""
    return -(-passes // PASSES)


def blocks_of(calls: Sequence[Call], queries: Sequence[Query]) -> Blocks:
    """The blocks of queries that need equally many a row, their rows in order.

    Rows of one query share its seed and therefore its noise.

    Raises:
        ValueError: a query that does not begin with a block.
    """
    if any(query.first % PASSES for query in queries):
        raise ValueError(f"a query's first pass must be a multiple of {PASSES}")
    length = count(queries[0].passes)
    runs = [Run(query.seed, query.first, length * PASSES) for query in queries]
    rows = np.concatenate([query.features for query in queries])
    noises = (_noise(call, runs) for call in calls)
    if len(queries) not in (1, len(rows)):
        own = np.repeat(np.arange(len(queries)), [len(query.features) for query in queries])
        noises = (noise[own] for noise in noises)
    return Blocks(rows, length, tuple(noises))


def _noise(call: Call, runs: Sequence[Run]) -> NDArray[Any]:
    noise = call.noise.drawn(runs, call.ordinal, call.shape)
    return noise.reshape(len(runs), -1, PASSES, *call.shape)
