"""Folding a mask into the matrix product behind it.

Where one mask is shared by `M` inputs of a row that are alike in all passes, and one unit comes
out, the mask need not be multiplied into every input of every pass:

    Σᵤ (xₘᵤ · nₜᵤ) · wᵤ  =  Σᵤ nₜᵤ · (xₘᵤ · wᵤ),

so that masks `(T, U)` times weighed inputs `(U, M)` is all there is to compute.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from app.network.kernels import Array, Kernel, activation_of, is_keras
from app.network.mc import MCDropout
from app.network.plan import Plan, Step


@dataclass(frozen=True, slots=True)
class Fold:
    """A Monte-Carlo call and the Dense layer behind it, as one."""

    drop: Step
    weights: Array
    """`(U,)`"""
    bias: Any
    activate: Kernel

    def run(self, inputs: Array, noise: Array) -> Array:
        """Inputs `(N, 1, 1, M, U)` and masks `(N or 1, L, PASSES, 1, U)` to `(N, L, P, M, 1)`."""
        weighed = np.swapaxes(inputs[:, :, 0] * self.weights, -1, -2)
        masks = self.drop.layer.drop(np.ones((), noise.dtype), noise[..., 0, :])
        return self.activate(np.matmul(masks, weighed) + self.bias)[..., None]


def folds_of(plan: Plan) -> dict[int, Fold]:
    """The folds there are, by the slot of what comes out."""
    readers: dict[int, list[Step]] = {}
    for step in plan.steps:
        for slot in step.inputs:
            readers.setdefault(slot, []).append(step)
    random = {step.output for step in plan.steps if step.random}
    folds = {}
    for drop in plan.calls:
        behind = readers.get(drop.output, [])
        if len(behind) == 1 and _can_fold(drop, behind[0], random):
            folds[behind[0].output] = _fold(drop, behind[0].layer)
    return {slot: fold for slot, fold in folds.items() if fold is not None}


def _can_fold(drop: Step, behind: Step, random: set[int]) -> bool:
    """Whether a call and what reads it are of the kind that can be folded."""
    return (
        type(drop.layer) is MCDropout
        and drop.noise is not None
        and len(drop.noise) == 2
        and drop.noise[0] == 1
        and drop.inputs[0] not in random
        and is_keras(behind.layer, {"Dense"})
        and behind.layer.units == 1
        and drop.dtype == behind.dtype
    )


def _fold(drop: Step, dense: Any) -> Fold | None:
    kernel = np.asarray(dense.kernel)[:, 0]
    bias = np.asarray(dense.bias) if dense.use_bias else kernel.dtype.type(0)
    activate = activation_of(dense.activation)
    return None if activate is None else Fold(drop, kernel, bias, activate)
