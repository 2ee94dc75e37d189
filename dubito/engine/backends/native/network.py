"""Lowers a program of NumPy kernels to the operations of the native kernel."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dubito.engine.backends.native.library import LANES, KernelNetwork, KernelOperation
from dubito.engine.program import SOURCE, Operation, Program
from dubito.numerics.kernels import (
    Affine,
    Array,
    Dense,
    Fill,
    Formula,
    Kernel,
    Standardize,
    linear,
    relu,
    softmax,
)
from dubito.numerics.noise import Call, Dropout
from dubito.numerics.rng import drop_levels

IDENTITY, STANDARDIZE, AFFINE, FILL, DENSE, DROPOUT = range(6)
"""`enum Kind` of kernel.c."""
ACTIVATIONS: dict[Kernel, int] = {linear: 0, relu: 1, softmax: 2}
"""`enum Activation` of kernel.c, by NumPy's kernel."""
MOST_CLASSES = 1_024


@dataclass(frozen=True, slots=True, eq=False)
class LoweredNetwork:
    """A network for the kernel, with the arrays that its addresses point to."""

    network: KernelNetwork
    owned: Sequence[Any]


def lowered(program: Program) -> LoweredNetwork | None:
    """Lower a program; None if one of its operations has no native form."""
    if program.dtype != "float32" or program.result_dtype != "float32":
        return None
    if program.shape[1] > MOST_CLASSES:
        return None
    return _Lowering(program).result()


class _Lowering:
    """Collects operations, slots and constants; the rows have the first slot."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._units = {SOURCE: program.shape[0]}
        self._slots = {SOURCE: 0}
        self._top = program.shape[0]
        self._owned: list[Any] = []

    def result(self) -> LoweredNetwork | None:
        program = self._program
        every = [self._operation(step) for step in program.operations]
        operations = [one for one in every if one is not None]
        if len(operations) < len(every):
            return None
        each = (KernelOperation * len(operations))(*operations)
        lasting = self._lasting()
        slots = self._kept(np.array([self._slots[slot] * LANES for slot in lasting], np.int64))
        units = self._kept(np.array([self._units[slot] for slot in lasting], np.int32))
        self._owned.append(each)
        network = KernelNetwork(
            operations=len(operations),
            calls=len(program.calls),
            features=program.shape[0],
            classes=program.shape[1],
            floats=self._top,
            rows=0,
            result=self._slots[program.result] * LANES,
            each=ctypes.addressof(each),
            lasting=len(lasting),
            slots=slots,
            units=units,
        )
        return LoweredNetwork(network, self._owned)

    def _operation(self, step: Operation) -> KernelOperation | None:
        self._slots[step.output], self._units[step.output] = self._top, step.units
        self._top += step.units
        if len(step.inputs) != 1 or step.dtype != "float32":
            return None
        (source,) = step.inputs
        made = self._made(step, self._units[source])
        if made is not None:
            made.inputs, made.units = self._units[source], step.units
            made.input = self._slots[source] * LANES
            made.output = self._slots[step.output] * LANES
            made.is_random = step.random
        return made

    def _made(self, step: Operation, inputs: int) -> KernelOperation | None:
        """Return the operation with its kind and constants; None if it has no native form."""
        run, units = step.run, step.units
        match run:
            case Call(noise=Dropout(), shape=(count,)) if count == units == inputs:
                rate = run.noise.rate
                scale = np.float32(1.0 / (1.0 - rate))
                return KernelOperation(
                    kind=DROPOUT, call=run.ordinal, dropped=drop_levels(rate), scale=scale
                )
            case Dense(kernel, bias, activate) if activate in ACTIVATIONS:
                if kernel.shape != (inputs, units):
                    return None
                return KernelOperation(
                    kind=DENSE,
                    activation=ACTIVATIONS[activate],
                    first=self._kept(np.ascontiguousarray(kernel, np.float32)),
                    second=self._constants(bias, units),
                )
            case Standardize(mean, deviation):
                return self._elementwise(STANDARDIZE, units, mean, deviation)
            case Affine(factor, offset):
                return self._elementwise(AFFINE, units, factor, offset)
            case Formula(Fill(constants)):
                return self._elementwise(FILL, units, constants)
            case _ if not isinstance(run, Call) and run in ACTIVATIONS:
                return KernelOperation(kind=IDENTITY, activation=ACTIVATIONS[run])
        return None

    def _elementwise(self, kind: int, units: int, *constants: Array) -> KernelOperation:
        addresses = [self._constants(values, units) for values in constants]
        return KernelOperation(kind, 0, 0, 0, 0, 0, *addresses)

    def _constants(self, values: Array, units: int) -> int:
        whole = np.broadcast_to(np.asarray(values, np.float32), (units,))
        return self._kept(np.ascontiguousarray(whole))

    def _kept(self, values: Array) -> int:
        """Keep an array alive as long as the network, and return its address."""
        self._owned.append(values)
        return int(values.ctypes.data)

    def _lasting(self) -> list[int]:
        """List the slots that are equal in all passes and read by random operations."""
        steps = self._program.operations
        once = {SOURCE, *(step.output for step in steps if not step.random)}
        return sorted(once & {slot for step in steps if step.random for slot in step.inputs})
