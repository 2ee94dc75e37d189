"""The engine: the one way from rows to probabilities, in training, calibration and serving.

For one bundle and one numerical environment an answer is a pure function of features, passes and
seed, to the last bit: see `app.network.stream` for the noise and `app.network.blocks` for why
neighbours do not matter.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Protocol

import keras
import numpy as np

from app.network.blocks import PASSES, Blocks, blocks_of, count
from app.network.graph import Graph
from app.network.kernels import Array
from app.network.plan import plan
from app.network.stacked import Stacked
from app.uncertainty.decomposition import summarise
from app.values import Floats, Query, Summary

BATCH_NUMBERS = 1 << 22
"""Numbers a layer may put out at a time, which bounds the memory of any request."""


class Execution(Protocol):
    """How a plan is run; every execution gives the same answers within 1e-6, each its own bits."""

    @property
    def name(self) -> str:
        """Part of the numerical environment."""

    def deterministic(self, rows: Floats) -> Array:
        """Probabilities `(N, C)` of the pass without dropout."""

    def draws(self, blocks: Blocks) -> Array:
        """Probabilities `(B, PASSES, C)` of every pass of every block."""


class Engine:
    """Runs one network. Stateless between calls, so threads may share it."""

    def __init__(self, model: keras.Model) -> None:
        """Choose the execution.

        Raises:
            NetworkError: a network that is not made of allowed layers, see `app.network.plan`.
        """
        self._plan = plan(model)
        self._execution = Stacked.of(self._plan) or Graph(self._plan)
        self.path = self._execution.name

    @property
    def shape(self) -> tuple[int, int]:
        """Features and classes `(F, C)`."""
        return self._plan.features, self._plan.classes

    def predict(self, rows: Floats) -> Floats:
        """Probabilities `(N, C)` of the deterministic pass over rows `(N, F)`."""
        return self._execution.deterministic(rows).astype(np.float64)

    def draws(self, query: Query) -> Floats:
        """Probabilities `(T, N, C)` of every pass."""
        return self._draws([query])

    def summarise(self, queries: Sequence[Query]) -> list[Summary]:
        """Statistics over the passes for the rows of every query, in order."""
        parts = [(at, part) for at, query in enumerate(queries) for part in self._parts(query)]
        parts.sort(key=lambda part: part[1].passes)
        found: dict[int, list[Summary]] = {at: [] for at in range(len(queries))}
        for _, same in groupby(parts, key=lambda part: part[1].passes):
            for batch in self._batches(same):
                whole = summarise(self._draws([part for _, part in batch]))
                start = 0
                for at, part in batch:
                    stop = start + len(part.features)
                    found[at].append(whole.rows(start, stop))
                    start = stop
        return [Summary.joined(summaries) for summaries in found.values()]

    def _draws(self, queries: Sequence[Query]) -> Floats:
        """`(T, N, C)` for queries of one number of passes `T`, rows in order."""
        passes = queries[0].passes
        drawn = self._execution.draws(blocks_of(self._plan, queries))
        by_row = drawn.reshape(-1, count(passes) * PASSES, self._plan.classes)
        return np.ascontiguousarray(by_row[:, :passes].swapaxes(0, 1), dtype=np.float64)

    def _numbers(self, query: Query) -> int:
        return len(query.features) * count(query.passes) * PASSES * self._plan.widest

    def _parts(self, query: Query) -> Iterator[Query]:
        """A query cut by rows into pieces of bounded size."""
        rows = len(query.features)
        step = max(1, rows * BATCH_NUMBERS // max(1, self._numbers(query)))
        for start in range(0, rows, step):
            yield replace(query, features=query.features[start : start + step])

    def _batches(self, parts: Iterator[tuple[int, Query]]) -> Iterator[list[tuple[int, Query]]]:
        """Pieces gathered until together they reach the bound."""
        batch: list[tuple[int, Query]] = []
        numbers = 0
        for at, part in parts:
            if batch and numbers + self._numbers(part) > BATCH_NUMBERS:
                yield batch
                batch, numbers = [], 0
            batch.append((at, part))
            numbers += self._numbers(part)
        yield batch
