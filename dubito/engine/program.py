"""A network as NumPy functions over numbered slots: no Keras in here, so that it can travel."""

from dataclasses import dataclass

from dubito.engine.kernels import Dense, Kernel
from dubito.engine.noise import Call

SOURCE = 0
"""The slot that holds the rows."""


@dataclass(frozen=True, slots=True)
class Operation:
    """From slots to a slot."""

    run: Kernel | Call
    inputs: tuple[int, ...]
    output: int
    dtype: str
    """That inputs are taken in."""
    random: bool
    """Whether the output differs between passes."""
    units: int
    """Numbers in one pass' output."""

    @property
    def multiplications(self) -> int:
        """Of one pass' matrix product, where it is one."""
        return self.units * len(self.run.kernel) if isinstance(self.run, Dense) else 0


@dataclass(frozen=True, slots=True)
class Program:
    """Operations in topological order, and what they are given and give."""

    operations: tuple[Operation, ...]
    calls: tuple[Call, ...]
    """Of Monte-Carlo layers."""
    result: int
    """The slot that holds the probabilities."""
    shape: tuple[int, int]
    """Features and classes."""
    dtype: str
    """Of the rows as the network takes them."""
    result_dtype: str
    """Of the probabilities."""
    portable: bool
    """Whether a process without Keras can run it."""

    def light(self, numbers: int, multiplications: int) -> int:
        """How many passes of a row together put out so many numbers and multiplications."""
        random = [operation for operation in self.operations if operation.random]
        put_out = sum(operation.units for operation in random)
        return min(
            numbers // put_out,
            multiplications // max(1, sum(operation.multiplications for operation in random)),
        )
