"""A network lowered for the native kernel, with the formulas that come before it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np

from dubito.engine.backends.native.library import KernelNetwork, Library
from dubito.engine.program import SOURCE, Operation
from dubito.numerics.kernels import Formula
from dubito.types import Floats


@runtime_checkable
class NativeFormula(Protocol):
    """A formula of a domain that brings a kernel of its own."""

    def native(self, rows: Floats) -> Floats:
        """Compute rows `(N, F)` in float64, with bits that depend on the kernel's version alone.

        Raises:
            BackendUnavailable: its kernel was not built.
        """


@dataclass(frozen=True, slots=True)
class Before:
    """A formula that is evaluated before the kernel runs."""

    compute: Callable[[Floats], Floats]
    source: int
    output: int

    @classmethod
    def of(cls, step: Operation) -> "Before":
        """Take the formula's own kernel, or NumPy for a fill, which rounds nothing."""
        assert isinstance(step.run, Formula)  # noqa: S101 - what lowers lists formulas alone
        formula: Any = step.run.formula
        is_native = isinstance(formula, NativeFormula)
        compute = formula.native if is_native else partial(formula, np)
        return cls(compute, step.inputs[0], step.output)


@dataclass(frozen=True, slots=True, eq=False)
class LoweredNetwork:
    """A network for the kernel, with the formulas that come before it."""

    network: KernelNetwork
    dtype: str
    """Dtype to which rows are rounded first."""
    before: Sequence["Before"]
    """Formulas that are evaluated first, in this order."""
    given: Sequence[int]
    """Slots of the network's inputs."""
    owned: Sequence[Any]
    """Arrays that the network's addresses point to."""
    numbers: int
    """Numbers of a row that are in memory besides its draws."""

    def inputs(self, library: Library, rows: Floats) -> list[Floats]:
        """Compute the network's inputs, `(N, …)` each, of rows `(N, F)`."""
        is_rounded = self.before and self.dtype == "float32"
        slots = {SOURCE: library.rounded(rows) if is_rounded else rows}
        for one in self.before:
            slots[one.output] = one.compute(slots[one.source])
        return [slots[slot] for slot in self.given]
