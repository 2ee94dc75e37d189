"""The lean execution: NumPy over stacks of blocks, for networks whose layers all have kernels."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from app.network.blocks import PASSES, Blocks
from app.network.folding import folds_of
from app.network.kernels import Array, Kernel, kernel_of
from app.network.plan import SOURCE, Plan, Step
from app.values import Floats

CHUNK_NUMBERS = 1 << 16
"""About how many numbers a step puts out at a time, so that steps hand on through the cache."""
ONCE_NUMBERS = 1 << 17
"""The same for what is computed once a row: of fewer numbers, calling NumPy costs more."""
SHARED = 1 << 26
"""Multiplications from which on several threads are sooner done than one."""

Slots = dict[int, Array]


class Stacked:
    """Runs a plan with kernels, in chunks of rows and blocks, which several threads may share.

    What is in a slot is `(N, L, PASSES, …)`; where all passes are alike, both axes are 1.
    """

    name = "stacked 2"

    def __init__(self, plan: Plan, kernels: dict[int, Kernel], threads: int) -> None:
        self._plan = plan
        self._kernels = kernels
        self._folds = folds_of(plan)
        folded = {fold.drop.output for fold in self._folds.values()}
        self._once = [step for step in plan.steps if not step.random]
        self._each = [step for step in plan.steps if step.random and step.output not in folded]
        self._calls = {step.output: call for call, step in enumerate(plan.calls)}
        once = {SOURCE, *(step.output for step in self._once)}
        self._lasting = once & {slot for step in self._each for slot in self._sources(step)}
        self._blocks = max(1, CHUNK_NUMBERS // PASSES // max(step.units for step in self._each))
        self._rows = max(1, ONCE_NUMBERS // max(step.units for step in plan.steps))
        self._work = PASSES * sum(_multiplications(step) for step in self._each)
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, "dubito-chunks") if threads > 1 else None

    @classmethod
    def of(cls, plan: Plan, threads: int = 1) -> "Stacked | None":
        """The execution of a plan, or None if one of its layers has no kernel."""
        kernels = {step.output: kernel_of(step.layer) for step in plan.steps if step.noise is None}
        found = {slot: kernel for slot, kernel in kernels.items() if kernel is not None}
        return cls(plan, found, threads) if len(found) == len(kernels) else None

    def deterministic(self, rows: Floats) -> Array:
        """Probabilities `(N, C)` of the pass without dropout."""
        result = self._plan.result
        return self._by_rows(rows, self._plan.steps, {result})[result][:, 0, 0]

    def draws(self, blocks: Blocks) -> Array:
        """Probabilities `(N, L · PASSES, C)` of every pass of every row."""
        once = self._by_rows(blocks.rows, self._once, self._lasting)
        rows, length = len(blocks.rows), blocks.length
        found = np.empty((rows, length, PASSES, self._plan.classes), self._plan.result_dtype)

        def run(chunks: list[tuple[slice, slice]]) -> None:
            for chunk in chunks:
                found[chunk] = self._run(once, blocks, *chunk)

        chunks = list(self._chunks(rows, length))
        if self._pool is not None and self._work * rows * length >= SHARED:
            # A long part for each thread: taking chunk after chunk they would wait for each other.
            share = -(-len(chunks) // self._threads)
            parts = (chunks[at : at + share] for at in range(0, len(chunks), share))
            list(self._pool.map(run, parts))
        else:
            run(chunks)
        return found.reshape(rows, length * PASSES, -1)

    def _chunks(self, rows: int, length: int) -> Iterator[tuple[slice, slice]]:
        """Which rows, and which of their blocks; all of them, or some of one row."""
        step = max(1, self._blocks // length)
        for start in range(0, rows, step):
            for first in range(0, length, self._blocks):
                yield slice(start, start + step), slice(first, first + self._blocks)

    def _by_rows(self, rows: Floats, steps: list[Step] | tuple[Step, ...], kept: set[int]) -> Slots:
        """Some slots `(N, 1, 1, …)` after steps in which all passes are alike."""
        values = rows.astype(self._plan.dtype, order="C")[:, None, None]
        parts = []
        for start in range(0, len(values), self._rows):
            slots = {SOURCE: values[start : start + self._rows]}
            for step in steps:
                alike = step.noise is not None
                slots[step.output] = slots[step.inputs[0]] if alike else self._apply(step, slots)
            parts.append({slot: slots[slot] for slot in kept})
        return {slot: _joined([part[slot] for part in parts]) for slot in kept}

    def _run(self, once: Slots, blocks: Blocks, rows: slice, length: slice) -> Array:
        """Probabilities `(n, l, PASSES, C)` of some rows and blocks."""
        slots = {slot: values[rows] for slot, values in once.items()}
        for step in self._each:
            fold = self._folds.get(step.output)
            drop = step if fold is None else fold.drop
            if drop.noise is None:
                slots[step.output] = self._apply(step, slots)
                continue
            values = slots[drop.inputs[0]]
            noise = blocks.noises[self._calls[drop.output]]
            noise = noise[rows if len(noise) > 1 else slice(1), length].astype(values.dtype)
            slots[step.output] = (
                drop.layer.drop(values, noise) if fold is None else fold.run(values, noise)
            )
        return slots[self._plan.result]

    def _apply(self, step: Step, slots: Slots) -> Array:
        dtype = getattr(step.layer, "compute_dtype", self._plan.dtype)
        inputs = (slots[slot].astype(dtype, copy=False) for slot in step.inputs)
        return self._kernels[step.output](*inputs)

    def _sources(self, step: Step) -> tuple[int, ...]:
        fold = self._folds.get(step.output)
        return step.inputs if fold is None else fold.drop.inputs


def _joined(parts: list[Array]) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _multiplications(step: Step) -> int:
    """Of one pass' matrix product."""
    kernel = getattr(step.layer, "kernel", None)
    return 0 if kernel is None else step.units * kernel.shape[0]
