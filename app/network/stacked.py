"""The lean execution: NumPy over stacks of blocks, for networks whose layers all have kernels."""

import numpy as np

from app.network.blocks import PASSES, Blocks
from app.network.kernels import Array, Kernel, kernel_of
from app.network.plan import SOURCE, Plan, Step
from app.values import Floats

CHUNK_BYTES = 1 << 18
"""About how large a step's output may be, so that steps hand on through the cache."""


class Stacked:
    """Runs a plan with kernels."""

    name = "stacked"

    def __init__(self, plan: Plan, kernels: dict[int, Kernel]) -> None:
        self._plan = plan
        self._kernels = kernels
        self._once = [step for step in plan.steps if not step.random]
        self._each = [step for step in plan.steps if step.random]
        self._chunk = max(1, CHUNK_BYTES // (PASSES * plan.widest * 4))

    @classmethod
    def of(cls, plan: Plan) -> "Stacked | None":
        """The execution of a plan, or None if one of its layers has no kernel."""
        kernels = {step.output: kernel_of(step.layer) for step in plan.steps if step.noise is None}
        found = {slot: kernel for slot, kernel in kernels.items() if kernel is not None}
        return cls(plan, found) if len(found) == len(kernels) else None

    def deterministic(self, rows: Floats) -> Array:
        """Probabilities `(N, C)` of the pass without dropout."""
        slots = self._source(rows)
        for step in self._plan.steps:
            if step.noise is None:
                slots[step.output] = self._apply(step, slots)
            else:
                slots[step.output] = slots[step.inputs[0]]
        return slots[self._plan.result][:, 0]

    def draws(self, blocks: Blocks) -> Array:
        """Probabilities `(B, PASSES, C)` of every pass of every block."""
        once = self._source(blocks.rows)
        for step in self._once:
            once[step.output] = self._apply(step, once)
        starts = range(0, len(blocks.row), self._chunk)
        chunks = [slice(start, start + self._chunk) for start in starts]
        return np.concatenate([self._draws(once, blocks, chunk) for chunk in chunks])

    def _draws(self, once: dict[int, Array], blocks: Blocks, chunk: slice) -> Array:
        row, share = blocks.row[chunk], blocks.share[chunk]
        slots = {slot: values[row] for slot, values in once.items()}
        noises = iter(blocks.noises)
        for step in self._each:
            if step.noise is None:
                slots[step.output] = self._apply(step, slots)
            else:
                values = slots[step.inputs[0]]
                noise = next(noises)[share].astype(values.dtype)
                slots[step.output] = step.layer.drop(values, noise)
        return slots[self._plan.result]

    def _apply(self, step: Step, slots: dict[int, Array]) -> Array:
        dtype = getattr(step.layer, "compute_dtype", self._plan.dtype)
        inputs = (slots[slot].astype(dtype, copy=False) for slot in step.inputs)
        return self._kernels[step.output](*inputs)

    def _source(self, rows: Floats) -> dict[int, Array]:
        return {SOURCE: rows.astype(self._plan.dtype, order="C")[:, None]}
