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

from app.network.plan import Plan
from app.values import Floats, Query

PASSES = 50
"""Passes in a block: a hundred, the usual number, is two blocks, and BLAS is near its best rate."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Work for an execution: `B` blocks over `N` rows and `M` blocks of noise."""

    rows: Floats
    """`(N, F)`"""
    row: NDArray[np.intp]
    """`(B,)` the row of each block."""
    share: NDArray[np.intp]
    """`(B,)` the noise of each block."""
    noises: tuple[NDArray[Any], ...]
    """For each Monte-Carlo call `(M, PASSES, *shape of its noise)`, of the layer's dtype."""


def count(passes: int) -> int:
    """Blocks a row needs for so many passes."""
    return -(-passes // PASSES)


def blocks_of(plan: Plan, queries: Sequence[Query]) -> Blocks:
    """The blocks of all queries in order: query by query, row by row, pass by pass.

    Rows of one query share its seed and therefore its noise.
    """
    row, share, rows_before, shares_before = [], [], 0, 0
    for query in queries:
        rows, length = len(query.features), count(query.passes)
        row.append(np.repeat(np.arange(rows_before, rows_before + rows), length))
        share.append(np.tile(np.arange(shares_before, shares_before + length), rows))
        rows_before, shares_before = rows_before + rows, shares_before + length
    return Blocks(
        rows=np.concatenate([query.features for query in queries]),
        row=np.concatenate(row),
        share=np.concatenate(share),
        noises=tuple(_noise(plan, queries, call) for call in range(len(plan.calls))),
    )


def _noise(plan: Plan, queries: Sequence[Query], call: int) -> NDArray[Any]:
    step = plan.calls[call]
    shape = step.noise or ()
    parts = [
        step.layer.noise(query.seed, call, count(query.passes) * PASSES, shape) for query in queries
    ]
    return np.concatenate(parts).reshape(-1, PASSES, *shape)
