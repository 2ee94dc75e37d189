"""Folding a mask into the matrix product behind it.

Where one mask is shared by `M` inputs of a row that are alike in all passes, and one unit comes
out, the mask need not be multiplied into every input of every pass:

    Σᵤ (xₘᵤ · nₜᵤ) · wᵤ  =  Σᵤ nₜᵤ · (xₘᵤ · wᵤ),

so that masks `(T, U)` times weighed inputs `(U, M)` is all there is to compute.
"""

from dataclasses import dataclass

import numpy as np

from dubito.engine.kernels import Array, Dense
from dubito.engine.noise import Call, Dropout
from dubito.engine.program import Operation, Program


@dataclass(frozen=True, slots=True)
class Fold:
    """A Monte-Carlo call and the Dense layer behind it, as one."""

    drop: Operation
    call: Call
    dense: Dense

    def run(self, inputs: Array, masks: Array) -> Array:
        """Inputs `(N, 1, 1, M, U)` and masks `(N or 1, L, PASSES, 1, U)` to `(N, L, P, M, 1)`."""
        weighed = np.swapaxes(inputs[:, :, 0] * self.dense.kernel[:, 0], -1, -2)
        product = np.matmul(masks[..., 0, :], weighed) + self.dense.bias
        return self.dense.activate(product)[..., None]


def folds_of(program: Program) -> dict[int, Fold]:
    """The folds there are, by the slot of what comes out."""
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
    """A call and what reads it as one, where they are of the kind that can be folded."""
    call, dense = drop.run, behind.run
    if not isinstance(call, Call) or not isinstance(dense, Dense):
        return None
    fits = (
        isinstance(call.noise, Dropout)
        and len(call.shape) == 2
        and call.shape[0] == 1
        and drop.inputs[0] not in random
        and dense.kernel.shape[1] == 1
        and drop.dtype == behind.dtype
    )
    return Fold(drop, call, dense) if fits else None
