"""A network as NumPy kernels over numbered slots, without Keras, to be sent between processes."""

import math
from dataclasses import dataclass

from dubito.numerics.encoding import Encoding
from dubito.numerics.kernels import Dense, Fill, Formula, Kernel
from dubito.numerics.lookup import Binning, Selection, TokenLookup
from dubito.numerics.noise import Call

CHEAP = (Fill, Encoding, Selection, TokenLookup, Binning)
"""Formulas that take about as long as their output is wide; a domain's may take any time."""

SOURCE = 0
"""Slot that holds the rows."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One kernel or Monte-Carlo call, which reads slots and writes one."""

    run: Kernel | Call
    inputs: tuple[int, ...]
    output: int
    dtype: str
    """Dtype the inputs are cast to."""
    random: bool
    """Whether the output differs between passes."""
    shape: tuple[int, ...]
    """Shape of one pass' output."""

    @property
    def units(self) -> int:
        """Count of numbers in one pass' output."""
        return math.prod(self.shape)

    @property
    def multiplications(self) -> int:
        """Multiplications in one pass' matrix product; 0 if the kernel is not Dense."""
        return self.units * len(self.run.kernel) if isinstance(self.run, Dense) else 0


@dataclass(frozen=True, slots=True)
class Program:
    """Operations in topological order, with the network's input and output."""

    operations: tuple[Operation, ...]
    calls: tuple[Call, ...]
    """Calls of Monte-Carlo layers, in order of their ordinals."""
    result: int
    """Slot that holds the probabilities."""
    shape: tuple[int, int]
    """Features and classes, `(F, C)`."""
    dtype: str
    """Dtype of the network's input."""
    result_dtype: str
    """Dtype of the probabilities."""

    @property
    def is_simple(self) -> bool:
        """Whether no operation is a domain's formula, which may take any time."""
        formulas = [one.run.formula for one in self.operations if isinstance(one.run, Formula)]
        return all(isinstance(formula, CHEAP) for formula in formulas)

    def light(self, numbers: int, multiplications: int) -> int:
        """Compute how many passes of a row stay within given outputs and multiplications.

        0 if a domain's formula takes an unknown time besides.
        """
        if not self.is_simple:
            return 0
        random = [operation for operation in self.operations if operation.random]
        put_out = sum(operation.units for operation in random)
        return min(
            numbers // put_out,
            multiplications // max(1, sum(operation.multiplications for operation in random)),
        )
