"""The engine of a network whose operations the native kernel has, statistics included."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

import numpy as np

from dubito.engine.backends.native.library import LANES, Library
from dubito.engine.backends.native.network import LoweredNetwork
from dubito.engine.program import Program
from dubito.numerics.kernels import Array
from dubito.types import ALONE, Floats, Query, Summary, Threads

MOST_NUMBERS = 1 << 22
"""Most numbers of rows and draws at a time, which bounds the memory of any request."""


class NativeEngine:
    """Predicts with one network. It has no state between calls, so threads may share it.

    A pass depends on its row, its seed and its index alone, by construction: see arithmetic.h.
    """

    path = "native 1"
    members = alignment = 1

    def __init__(
        self,
        library: Library,
        network: LoweredNetwork,
        program: Program,
        threads: Threads = ALONE,
    ) -> None:
        """Take the kernel, the lowered network and its program, and how threads share a call."""
        self._library = library
        self._lowered = network
        self.programs = (program,)
        self.shape = program.shape
        self._once, self._each = _multiplications(program)
        self._threads = threads
        several = threads.most > 1
        self._pool = ThreadPoolExecutor(threads.most, "dubito-rows") if several else None

    def predict(self, rows: Floats) -> Floats:
        """Compute probabilities `(N, C)` of the deterministic pass over rows `(N, F)`."""
        found = np.empty((len(rows), self.shape[1]))
        for part in self._parts(len(rows), self._count(len(rows), 1)):
            inputs = self._lowered.inputs(self._library, rows[part])
            found[part] = self._library.plain(self._lowered.network, inputs)
        return found

    def draws(self, query: Query) -> Floats:
        """Compute probabilities `(T, N, C)` of every pass."""
        parts = [drawn for drawn, _ in self._computed(*_together([query]))]
        whole = np.concatenate(parts).transpose(2, 0, 1)
        return np.ascontiguousarray(whole, dtype=np.float64)

    def summarise(self, queries: Sequence[Query]) -> list[Summary]:
        """Compute statistics over the passes for the rows of every query, in order."""
        if len(queries) == 1:
            return [Summary.of_columns(_joined(self._computed(*_together(queries))))]
        order = sorted(range(len(queries)), key=lambda at: (queries[at].passes, queries[at].first))
        found: dict[int, Summary] = {}
        for _, same in groupby(order, key=lambda at: (queries[at].passes, queries[at].first)):
            alike = list(same)
            together = _together([queries[at] for at in alike])
            whole = Summary.of_columns(_joined(self._computed(*together)))
            start = 0
            for at in alike:
                stop = start + len(queries[at].features)
                found[at] = whole.where(slice(start, stop))
                start = stop
        return [found[at] for at in range(len(queries))]

    def summarise_rows(self, rows: Floats, seeds: Sequence[int], passes: int) -> Summary:
        """Compute statistics over the passes for rows `(N, F)` that have a seed each."""
        return Summary.of_columns(_joined(self._computed(rows, seeds, 0, passes)))

    def reduced(self, draws: Floats) -> Summary:
        """Compute the statistics of draws `(T, N, C)`, with the bits that `summarise` gives."""
        return Summary.of_columns(self._library.statistics(draws.transpose(1, 2, 0)))

    def _computed(
        self, rows: Floats, seeds: Sequence[int], first: int, passes: int
    ) -> list[tuple[Array, Floats]]:
        """Compute draws and statistics of rows that have a seed each, in parts of their rows."""
        count = self._count(len(rows), passes)
        if count == 1:
            inputs = self._lowered.inputs(self._library, rows)
            return [self._library.passes(self._lowered.network, inputs, seeds, first, passes)]

        def compute(part: slice) -> tuple[Array, Floats]:
            inputs = self._lowered.inputs(self._library, rows[part])
            return self._library.passes(self._lowered.network, inputs, seeds[part], first, passes)

        parts = self._parts(len(rows), count)
        if self._pool is None:
            return [compute(part) for part in parts]
        return list(self._pool.map(compute, parts))

    def _count(self, rows: int, passes: int) -> int:
        """Return a number of parts: their memory is bounded, and threads have equal shares."""
        numbers = self.shape[1] * (passes + LANES) + self._lowered.numbers
        most = max(1, MOST_NUMBERS // numbers)
        work = rows * (self._once + passes * self._each)
        threads = self._threads.most if work >= self._threads.shared else 1
        return max(-(-rows // most), min(threads, rows), 1)

    @staticmethod
    def _parts(rows: int, count: int) -> Iterator[slice]:
        """Split rows into parts of about the same size."""
        for at in range(count):
            yield slice(at * rows // count, (at + 1) * rows // count)


def _multiplications(program: Program) -> tuple[int, int]:
    """Return the multiplications of a row that are done once, and those of each pass."""
    whole = sum(one.multiplications for one in program.operations)
    each = sum(one.multiplications for one in program.operations if one.random)
    return whole - each, each


def _together(queries: Sequence[Query]) -> tuple[Floats, list[int], int, int]:
    """Return the rows of queries of the same passes, their seeds, the first pass and the number."""
    several = [query.features for query in queries]
    rows = np.concatenate(several) if len(several) > 1 else several[0]
    seeds = [query.seed for query in queries for _ in query.features]
    return rows, seeds, queries[0].first, queries[0].passes


def _joined(parts: Sequence[tuple[Array, Floats]]) -> Floats:
    """Return the statistics of all parts."""
    found = [statistics for _, statistics in parts]
    return np.concatenate(found) if len(found) > 1 else found[0]
