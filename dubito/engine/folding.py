"""Optimization of programs: folds a dropout mask into the matrix product that follows it.

If `M` inputs of a row share one mask and are equal in all passes, and the product has one output
unit, the mask need not be multiplied with every input in every pass:

    Σᵤ (xₘᵤ · nₜᵤ) · wᵤ  =  Σᵤ nₜᵤ · (xₘᵤ · wᵤ),

so that one product of masks `(T, U)` and weighted inputs `(U, M)` is sufficient.
"""

from dataclasses import dataclass

import numpy as np

from dubito.engine.program import Operation, Program
from dubito.numerics.kernels import Array, Dense
from dubito.numerics.noise import Call, Dropout


@dataclass(frozen=True, slots=True)
class Fold:
    """A Monte-Carlo call fused with the Dense layer that follows it."""

    drop: Operation
    call: Call
    dense: Dense

    def run(self, inputs: Array, masks: Array) -> Array:
        """Compute `(N, L, PASSES, M, 1)` outputs.

        Args:
            inputs: `(N, 1, 1, M, U)`.
            masks: `(N or 1, L, PASSES, 1, U)`.
        """
        weighed = np.swapaxes(inputs[:, :, 0] * self.dense.kernel[:, 0], -1, -2)
        product = np.matmul(masks[..., 0, :], weighed) + self.dense.bias
        return self.dense.activate(product)[..., None]


def folds_of(program: Program) -> dict[int, Fold]:
    """Find the folds of a program, by the output slot of their Dense layer."""
    readers: dict[int, list[Operation]] = {}
    for operation in program.operations:
        for slot in operation.inputs:
            readers.setdefault(slot, []).append(operation)
    random = {operation.output for operation in program.operations if operation.random}
    folds = {}
    for drop in program.operations:
        behind = readers.get(drop.output, [])
        fold = _fold(drop, behind[0], random) if len(behind) == 1 else None
        if fold is not None:
            folds[behind[0].output] = fold
    return folds


def _fold(drop: Operation, behind: Operation, random: set[int]) -> Fold | None:
    """Fuse a call with its reader; None unless both fulfil the conditions for folding."""
    call, dense = drop.run, behind.run
    if not isinstance(call, Call) or not isinstance(dense, Dense):
        return None
    fits = (
        isinstance(call.noise, Dropout)
        and len(call.shape) == 2
        and call.shape[0] == 1
        and call.shape[1] == dense.kernel.shape[0]
        and drop.inputs[0] not in random
        and dense.kernel.shape[1] == 1
        and drop.dtype == behind.dtype
    )
    return Fold(drop, call, dense) if fits else None
