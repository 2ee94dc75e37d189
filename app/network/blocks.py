"""Blocks: the unit of work of the engine.

A block is one row and `PASSES` consecutive passes. Its shape never changes, whatever the number of
passes asked for (the last block is computed whole and cut), so its bits cannot depend on what
else is computed beside it. Pass `t` stands at position `t mod PASSES` of block `t div PASSES`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.network.plan import Plan
from app.network.stream import kept
from app.values import Floats, Query

PASSES = 50
"""Passes in a block: a hundred, the usual number, is two blocks, and BLAS is near its best rate."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Work for an execution: `B` blocks over `N` rows and `M` blocks of masks."""

    rows: Floats
    """`(N, F)`"""
    row: NDArray[np.intp]
    """`(B,)` the row of each block."""
    mask: NDArray[np.intp]
    """`(B,)` the masks of each block."""
    keeps: tuple[NDArray[np.bool_], ...]
    """For each Monte-Carlo call `(M, PASSES, *mask shape)`."""


def count(passes: int) -> int:
    """Blocks a row needs for so many passes."""
    return -(-passes // PASSES)


def blocks_of(plan: Plan, queries: Sequence[Query]) -> Blocks:
    """The blocks of all queries in order: query by query, row by row, pass by pass.

    Rows of one query share its seed and therefore its masks.
    """
    row, mask, rows_before, masks_before = [], [], 0, 0
    for query in queries:
        rows, length = len(query.features), count(query.passes)
        row.append(np.repeat(np.arange(rows_before, rows_before + rows), length))
        mask.append(np.tile(np.arange(masks_before, masks_before + length), rows))
        rows_before, masks_before = rows_before + rows, masks_before + length
    return Blocks(
        rows=np.concatenate([query.features for query in queries]),
        row=np.concatenate(row),
        mask=np.concatenate(mask),
        keeps=tuple(_masks(plan, queries, call) for call in range(len(plan.calls))),
    )


def _masks(plan: Plan, queries: Sequence[Query], call: int) -> NDArray[np.bool_]:
    step = plan.calls[call]
    shape = step.mask or ()
    masks = [
        kept(query.seed, call, count(query.passes) * PASSES, shape, step.layer.rate)
        for query in queries
    ]
    return np.concatenate(masks).reshape(-1, PASSES, *shape)
