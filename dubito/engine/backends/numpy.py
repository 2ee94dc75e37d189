"""The lean execution: NumPy over stacks of blocks, for networks whose layers all have kernels."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from dubito.engine.blocks import PASSES, Blocks
from dubito.engine.folding import folds_of
from dubito.engine.kernels import Array, Dense
from dubito.engine.noise import Call, applied
from dubito.engine.program import SOURCE, Operation, Program
from dubito.types import Floats
from dubito.uncertainty.decomposition import OVERFLOWING

CHUNK_NUMBERS = 1 << 18
"""About how many numbers a step puts out at a time, so that steps hand on through the cache."""
ONCE_NUMBERS = 1 << 17
"""The same for what is computed once a row: of fewer numbers, calling NumPy costs more."""
SHARED = 1 << 26
"""Multiplications from which on several threads are sooner done than one."""

Slots = dict[int, Array]


class Stacked:
    """Runs a program, in chunks of rows and blocks, which several threads may share.

    What is in a slot is `(N, L, PASSES, …)`; where all passes are alike, both axes are 1.
    """

    name = "stacked 3"

    def __init__(self, program: Program, threads: int = 1) -> None:
        """Take a program, and how many threads may share the work of a call."""
        self.program, self.calls, self.shape = program, program.calls, program.shape
        self._folds = folds_of(program)
        folded = {fold.drop.output for fold in self._folds.values()}
        every = program.operations
        self._once = [one for one in every if not one.random]
        self._each = [one for one in every if one.random and one.output not in folded]
        once = {SOURCE, *(one.output for one in self._once)}
        self._lasting = once & {slot for one in self._each for slot in self._sources(one)}
        self._overwriting = set(_overwriting(program))
        self._blocks = max(1, CHUNK_NUMBERS // PASSES // max(one.units for one in self._each))
        self._rows = max(1, ONCE_NUMBERS // max(one.units for one in every))
        self._work = PASSES * sum(one.multiplications for one in self._each)
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, "dubito-chunks") if threads > 1 else None

    def deterministic(self, rows: Floats) -> Array:
        """Probabilities `(N, C)` of the pass without dropout."""
        result = self.program.result
        return self._by_rows(rows, self.program.operations, {result})[result][:, 0, 0]

    def draws(self, blocks: Blocks) -> Array:
        """Probabilities `(N, L · PASSES, C)` of every pass of every row."""
        once = self._by_rows(blocks.rows, self._once, self._lasting)
        rows, length = len(blocks.rows), blocks.length
        found = np.empty((rows, length, PASSES, self.shape[1]), self.program.result_dtype)
        threads = self._threads if self._work * rows * length >= SHARED else 1
        chunks = list(self._chunks(rows, length, threads))
        masks = _Masks(blocks, reused=chunks[0][0].stop < rows)

        def run(chunks: Iterable[tuple[slice, slice]]) -> None:
            for chunk in chunks:
                found[chunk] = self._run(once, masks, *chunk)

        if self._pool is not None and threads > 1:
            # Cores are not equally fast at all times: each thread takes the next chunk there is.
            remaining = iter(chunks)
            list(self._pool.map(run, [remaining] * threads))
        else:
            run(chunks)
        return found.reshape(rows, length * PASSES, -1)

    def _chunks(self, rows: int, length: int, threads: int) -> Iterator[tuple[slice, slice]]:
        """Which rows, and which of their blocks: all blocks of some rows, or some of one row's."""
        each = min(rows, -(-rows * length // self._blocks))
        for some in _even(rows, min(rows, -(-each // threads) * threads)):
            for part in _even(length, -(-length // self._blocks)):
                yield some, part

    @OVERFLOWING
    def _by_rows(self, rows: Floats, operations: Sequence[Operation], kept: set[int]) -> Slots:
        """Some slots `(N, 1, 1, …)` after operations in which all passes are alike."""
        values = rows.astype(self.program.dtype, order="C")[:, None, None]
        parts = []
        for start in range(0, len(values), self._rows):
            slots = {SOURCE: values[start : start + self._rows]}
            for one in operations:
                alike = isinstance(one.run, Call)
                slots[one.output] = slots[one.inputs[0]] if alike else _apply(one, slots)
            parts.append({slot: slots[slot] for slot in kept})
        return {slot: _joined([part[slot] for part in parts]) for slot in kept}

    @OVERFLOWING
    def _run(self, once: Slots, masks: "_Masks", rows: slice, length: slice) -> Array:
        """Probabilities `(n, l, PASSES, C)` of some rows and blocks."""
        slots = {slot: values[rows] for slot, values in once.items()}
        for one in self._each:
            fold = self._folds.get(one.output)
            if fold is not None:
                values = slots[fold.drop.inputs[0]]
                (factor,) = masks.terms(fold.call, values.dtype, rows, length)
                slots[one.output] = fold.run(values, factor)
            elif isinstance(one.run, Call):
                values = slots[one.inputs[0]]
                terms = masks.terms(one.run, values.dtype, rows, length)
                spare = values if one.output in self._overwriting else None
                slots[one.output] = applied(values, terms, spare)
            else:
                slots[one.output] = _apply(one, slots)
        return slots[self.program.result]

    def _sources(self, one: Operation) -> tuple[int, ...]:
        fold = self._folds.get(one.output)
        return one.inputs if fold is None else fold.drop.inputs


class _Masks:
    """The terms of the noise of a call, for some rows and blocks."""

    def __init__(self, blocks: Blocks, *, reused: bool) -> None:
        """Take the noise, and whether more than one chunk of rows has a use for it."""
        self._noises = blocks.noises
        self._reused = reused
        self._whole: dict[int, tuple[Array, ...]] = {}

    def terms(
        self, call: Call, dtype: np.dtype[Any], rows: slice, length: slice
    ) -> tuple[Array, ...]:
        """Of rows that may share them: `(n or 1, l, PASSES, …)` each."""
        noise = self._noises[call.ordinal]
        if len(noise) > 1:
            return call.noise.terms(noise[rows, length].astype(dtype))
        if not self._reused:
            return call.noise.terms(noise[:, length].astype(dtype))
        whole = self._whole.get(call.ordinal)
        if whole is None:
            # Threads that come at once make the same.
            whole = self._whole[call.ordinal] = call.noise.terms(noise.astype(dtype))
        return tuple(term[:, length] for term in whole)


def _even(length: int, parts: int) -> Iterator[slice]:
    """So many parts of a length, which differ by 1 at most."""
    for at in range(parts):
        yield slice(at * length // parts, (at + 1) * length // parts)


def _overwriting(program: Program) -> Iterator[int]:
    """What Monte-Carlo calls give that may be written where their values are.

    Those come of a Dense layer, whose output is an array of its own, and nobody else reads them.
    """
    made = {one.output for one in program.operations if one.random and isinstance(one.run, Dense)}
    read = [slot for one in program.operations for slot in one.inputs]
    for one in program.operations:
        if isinstance(one.run, Call) and one.inputs[0] in made and read.count(one.inputs[0]) == 1:
            yield one.output


def _apply(one: Operation, slots: Slots) -> Array:
    inputs = (slots[slot].astype(one.dtype, copy=False) for slot in one.inputs)
    found: Array = one.run(*inputs)  # type: ignore[operator]
    return found


def _joined(parts: list[Array]) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
