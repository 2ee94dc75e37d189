"""The engine: the one way from rows to probabilities, in training, calibration and serving.

For one bundle and one numerical environment an answer is a pure function of features, passes and
seed, to the last bit: see `dubito.engine.rng` for the noise and `dubito.engine.blocks` for why
neighbours do not matter.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Protocol

import numpy as np

from dubito.engine.blocks import PASSES, Blocks, blocks_of, count
from dubito.engine.kernels import Array
from dubito.engine.noise import Call
from dubito.engine.program import Program
from dubito.types import Floats, Query, Summary
from dubito.uncertainty.decomposition import summarise

BATCH_NUMBERS = 1 << 22
"""Numbers that draws and masks may hold at a time, which bounds the memory of any request."""
MANY_ROWS = 16
"""Rows of a query that share their masks sooner than they share a batch."""


class Execution(Protocol):
    """How a network is run; all give the same answers within 1e-6, each its own bits."""

    @property
    def name(self) -> str:
        """Part of the numerical environment."""

    @property
    def shape(self) -> tuple[int, int]:
        """Features and classes `(F, C)`."""

    @property
    def calls(self) -> tuple[Call, ...]:
        """Of the network's Monte-Carlo layers."""

    @property
    def program(self) -> Program | None:
        """The network as functions that need no Keras, where it has such."""

    def deterministic(self, rows: Floats) -> Array:
        """Probabilities `(N, C)` of the pass without dropout."""

    def draws(self, blocks: Blocks) -> Array:
        """Probabilities `(N, L · PASSES, C)` of every pass of every row."""


class Engine:
    """Runs one network. Stateless between calls, so threads may share it."""

    def __init__(self, execution: Execution) -> None:
        """Take how the network is run, see `dubito.engine.compiler.compiler`."""
        self._execution = execution
        self._masks = sum(math.prod(call.shape) for call in execution.calls)
        self.path, self.program = execution.name, execution.program

    @property
    def shape(self) -> tuple[int, int]:
        """Features and classes `(F, C)`."""
        return self._execution.shape

    def predict(self, rows: Floats) -> Floats:
        """Probabilities `(N, C)` of the deterministic pass over rows `(N, F)`."""
        return self._execution.deterministic(rows).astype(np.float64)

    def draws(self, query: Query) -> Floats:
        """Probabilities `(T, N, C)` of every pass.

        Raises:
            ValueError: a query that does not begin with a block, see `dubito.engine.blocks`.
        """
        return np.ascontiguousarray(self._draws([query]).swapaxes(0, 1), dtype=np.float64)

    def summarise(self, queries: Sequence[Query]) -> list[Summary]:
        """Statistics over the passes for the rows of every query, in order."""
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
                    found[at].append(whole.rows(start, stop))
                    start = stop
        return [Summary.joined(summaries) for summaries in found.values()]

    def _draws(self, queries: Sequence[Query]) -> Array:
        """`(N, T, C)` for queries of one number of passes `T`, rows in order."""
        drawn = self._execution.draws(blocks_of(self._execution.calls, queries))
        return drawn[:, : queries[0].passes]

    def _numbers(self, query: Query) -> int:
        """Numbers that a query's draws and masks are made of."""
        passes = count(query.passes) * PASSES
        return passes * (len(query.features) * self.shape[1] + self._masks)

    def _parts(self, query: Query) -> Iterator[Query]:
        """A query cut by rows into pieces of bounded size."""
        rows = len(query.features)
        step = max(1, rows * BATCH_NUMBERS // max(1, self._numbers(query)))
        if step >= rows:
            yield query
            return
        for start in range(0, rows, step):
            yield replace(query, features=query.features[start : start + step])

    def _batches(self, parts: Iterator[tuple[int, Query]]) -> Iterator[list[tuple[int, Query]]]:
        """Pieces gathered until together they reach the bound; a large one stays by itself.

        Masks of several queries are held for each row, those of one query once.
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
