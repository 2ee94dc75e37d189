"""The engine: computes probabilities of rows, in evaluation, calibration and serving alike.

`Engine` is what others use; `BlockEngine` is the one of backends that compute blocks, and
`dubito.engine.ensemble` joins those of several networks.

For one bundle and one numerical environment a result is a pure function of features, passes and
seed, to the last bit: see `dubito.numerics.rng` for the noise, and `dubito.engine.blocks` for why
results do not depend on other rows of a batch.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Protocol

import numpy as np

from dubito.engine.blocks import PASSES, Blocks, block_count, blocks_of
from dubito.engine.program import Program
from dubito.numerics.kernels import Array
from dubito.numerics.noise import Call
from dubito.types import Floats, Query, Summary
from dubito.uncertainty.decomposition import summarise

BATCH_NUMBERS = 1 << 22
"""Most numbers in draws and masks at a time, which bounds the memory of any request."""
MANY_ROWS = 16
"""Least rows for which a query is a batch of its own, so that its rows share one set of masks."""


class Execution(Protocol):
    """A backend that runs one network. Backends agree within 1e-6, not to the last bit."""

    @property
    def name(self) -> str:
        """Name and version of the backend, a part of the numerical environment."""

    @property
    def shape(self) -> tuple[int, int]:
        """Features and classes `(F, C)`."""

    @property
    def calls(self) -> tuple[Call, ...]:
        """Calls of the network's Monte-Carlo layers."""

    @property
    def program(self) -> Program | None:
        """The network as NumPy functions; None if the backend needs Keras."""

    def deterministic(self, rows: Floats) -> Array:
        """Compute probabilities `(N, C)` of the deterministic pass, without dropout."""

    def draws(self, blocks: Blocks) -> Array:
        """Compute probabilities `(N, L · PASSES, C)` of every pass of every row."""


class Engine(Protocol):
    """Predicts with one network. It has no state between calls, so threads may share it."""

    @property
    def path(self) -> str:
        """Name and version of the backend, a part of the numerical environment."""

    @property
    def alignment(self) -> int:
        """Number of which the first pass of a query must be a multiple."""

    @property
    def members(self) -> int:
        """Number of networks whose passes alternate; 1 if it is not an ensemble."""

    @property
    def programs(self) -> tuple[Program, ...]:
        """The networks as NumPy functions; none if the backend of one needs Keras."""

    @property
    def shape(self) -> tuple[int, int]:
        """Features and classes `(F, C)`."""

    def predict(self, rows: Floats) -> Floats:
        """Compute probabilities `(N, C)` of the deterministic pass over rows `(N, F)`."""

    def draws(self, query: Query) -> Floats:
        """Compute probabilities `(T, N, C)` of every pass."""

    def summarise(self, queries: Sequence[Query]) -> list[Summary]:
        """Compute statistics over the passes for the rows of every query, in order."""

    def summarise_rows(self, rows: Floats, seeds: Sequence[int], passes: int) -> Summary:
        """Compute statistics over the passes for rows `(N, F)` that have a seed each."""

    def reduced(self, draws: Floats) -> Summary:
        """Compute the statistics of draws `(T, N, C)`, with the bits that `summarise` gives."""


def queries_of(rows: Floats, seeds: Sequence[int], passes: int) -> list[Query]:
    """Return a query for each of the rows `(N, F)`, which have a seed each."""
    return [Query(rows[at : at + 1], passes, seed) for at, seed in enumerate(seeds)]


class BlockEngine:
    """Predicts with a backend that computes blocks of fixed shape."""

    members, alignment = 1, PASSES

    def __init__(self, execution: Execution) -> None:
        """Take the backend that runs the network, see `dubito.engine.compiler.compiler`."""
        self._execution = execution
        self._masks = sum(math.prod(call.shape) for call in execution.calls)
        self.path = execution.name
        self.programs = () if execution.program is None else (execution.program,)

    @property
    def shape(self) -> tuple[int, int]:
        """Features and classes `(F, C)`."""
        return self._execution.shape

    def predict(self, rows: Floats) -> Floats:
        """Compute probabilities `(N, C)` of the deterministic pass over rows `(N, F)`."""
        return self._execution.deterministic(rows).astype(np.float64)

    def draws(self, query: Query) -> Floats:
        """Compute probabilities `(T, N, C)` of every pass.

        Raises:
            ValueError: the query's first pass is not the first of a block, see
                `dubito.engine.blocks`.
        """
        return np.ascontiguousarray(self._draws([query]).swapaxes(0, 1), dtype=np.float64)

    def summarise(self, queries: Sequence[Query]) -> list[Summary]:
        """Compute statistics over the passes for the rows of every query, in order."""
        parts = [(at, part) for at, query in enumerate(queries) for part in self._parts(query)]
        parts.sort(key=lambda part: part[1].passes)
        found: dict[int, list[Summary]] = {at: [] for at in range(len(queries))}
        for _, same in groupby(parts, key=lambda part: part[1].passes):
            for batch in self._batches(same):
                whole = summarise(self._draws([part for _, part in batch]).swapaxes(0, 1))
                if len(batch) == 1:
                    found[batch[0][0]].append(whole)
                    continue
                start = 0
                for at, part in batch:
                    stop = start + len(part.features)
                    found[at].append(whole.where(slice(start, stop)))
                    start = stop
        return [Summary.joined(summaries) for summaries in found.values()]

    def summarise_rows(self, rows: Floats, seeds: Sequence[int], passes: int) -> Summary:
        """Compute statistics over the passes for rows `(N, F)` that have a seed each."""
        return Summary.joined(self.summarise(queries_of(rows, seeds, passes)))

    def reduced(self, draws: Floats) -> Summary:
        """Compute the statistics of draws `(T, N, C)`, with the bits that `summarise` gives."""
        return summarise(draws)

    def _draws(self, queries: Sequence[Query]) -> Array:
        """Compute draws `(N, T, C)` for queries of one number of passes `T`, rows in order."""
        drawn = self._execution.draws(blocks_of(self._execution.calls, queries))
        return drawn[:, : queries[0].passes]

    def _numbers(self, query: Query) -> int:
        """Count the numbers in a query's draws and masks."""
        passes = block_count(query.passes) * PASSES
        return passes * (len(query.features) * self.shape[1] + self._masks)

    def _parts(self, query: Query) -> Iterator[Query]:
        """Split a query by rows into parts of bounded size."""
        rows = len(query.features)
        step = max(1, rows * BATCH_NUMBERS // max(1, self._numbers(query)))
        if step >= rows:
            yield query
            return
        for start in range(0, rows, step):
            yield replace(query, features=query.features[start : start + step])

    def _batches(self, parts: Iterator[tuple[int, Query]]) -> Iterator[list[tuple[int, Query]]]:
        """Group parts into batches up to the bound; a large part is a batch of its own.

        A batch of several queries stores masks for each row, a batch of one query stores them once.
        """
        batch: list[tuple[int, Query]] = []
        numbers = 0
        for at, part in parts:
            large = len(part.features) >= MANY_ROWS
            if batch and (large or numbers + self._numbers(part) > BATCH_NUMBERS):
                yield batch
                batch, numbers = [], 0
            batch.append((at, part))
            numbers += BATCH_NUMBERS if large else self._numbers(part)
        yield batch
