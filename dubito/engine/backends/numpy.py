"""NumPy backend: runs a program of kernels over stacked blocks, optionally on several threads."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from dubito.engine.blocks import PASSES, Blocks
from dubito.engine.folding import folds_of
from dubito.engine.program import SOURCE, Operation, Program
from dubito.numerics.kernels import Array, Dense
from dubito.numerics.noise import Call, applied
from dubito.types import Floats
from dubito.uncertainty.decomposition import OVERFLOWING

CHUNK_NUMBERS = 1 << 18
"""Approximate numbers in an operation's output for one chunk, so that it stays in the cache."""
ONCE_NUMBERS = 1 << 17
"""Approximate numbers in an output computed once a row; with fewer, NumPy's call overhead wins."""
SHARED = 1 << 26
"""Least multiplications of a call for which several threads are faster than one."""

Slots = dict[int, Array]


class Stacked:
    """Runs a program in chunks of rows and blocks, which several threads may share.

    Slots hold arrays `(N, L, PASSES, …)`; `L` and `PASSES` are 1 if all passes are equal.
    """

    name = "stacked 3"

    def __init__(self, program: Program, threads: int = 1) -> None:
        """Take a program, and the number of threads that may share the work of a call."""
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
        """Compute probabilities `(N, C)` of the deterministic pass, without dropout."""
        result = self.program.result
        return self._by_rows(rows, self.program.operations, {result})[result][:, 0, 0]

    def draws(self, blocks: Blocks) -> Array:
        """Compute probabilities `(N, L · PASSES, C)` of every pass of every row."""
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
            # Threads take chunks from one iterator: equal shares would wait for the slowest core.
            remaining = iter(chunks)
            list(self._pool.map(run, [remaining] * threads))
        else:
            run(chunks)
        return found.reshape(rows, length * PASSES, -1)

    def _chunks(self, rows: int, length: int, threads: int) -> Iterator[tuple[slice, slice]]:
        """Yield slices of rows and blocks: all blocks of some rows, or some blocks of one row."""
        each = min(rows, -(-rows * length // self._blocks))
        for some in _even(rows, min(rows, -(-each // threads) * threads)):
            for part in _even(length, -(-length // self._blocks)):
                yield some, part

    @OVERFLOWING
    def _by_rows(self, rows: Floats, operations: Sequence[Operation], kept: set[int]) -> Slots:
        """Run operations in which all passes are equal; return the slots `kept`, `(N, 1, 1, …)`."""
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
        """Compute probabilities `(n, l, PASSES, C)` of a chunk of rows and blocks."""
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
    """Provides the terms of a Monte-Carlo call's noise for a chunk, cached if rows share them."""

    def __init__(self, blocks: Blocks, *, reused: bool) -> None:
        """Take the noise, and whether more than one chunk of rows uses it."""
        self._noises = blocks.noises
        self._reused = reused
        self._whole: dict[int, tuple[Array, ...]] = {}

    def terms(
        self, call: Call, dtype: np.dtype[Any], rows: slice, length: slice
    ) -> tuple[Array, ...]:
        """Return the terms of a call, `(n, l, PASSES, …)` each; n is 1 if rows share the noise."""
        noise = self._noises[call.ordinal]
        if len(noise) > 1:
            return call.noise.terms(noise[rows, length].astype(dtype))
        if not self._reused:
            return call.noise.terms(noise[:, length].astype(dtype))
        whole = self._whole.get(call.ordinal)
        if whole is None:
            # No lock: threads that race here compute equal terms.
            whole = self._whole[call.ordinal] = call.noise.terms(noise.astype(dtype))
        return tuple(term[:, length] for term in whole)


def _even(length: int, parts: int) -> Iterator[slice]:
    """Yield `parts` slices of a length, whose sizes differ by at most 1."""
    for at in range(parts):
        yield slice(at * length // parts, (at + 1) * length // parts)


def _overwriting(program: Program) -> Iterator[int]:
    """Yield the output slots of Monte-Carlo calls that may overwrite their input in place.

    The input must be the output of a Dense layer, which is a new array, and have no other reader.
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
