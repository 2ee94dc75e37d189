"""Lowers a program of NumPy kernels to the operations of the native kernel."""

import ctypes
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from dubito.engine.backends.native.library import (
    LANES,
    KernelNetwork,
    KernelOperation,
    KernelSlot,
)
from dubito.engine.backends.native.network import Before, LoweredNetwork, NativeFormula
from dubito.engine.program import SOURCE, Operation, Program
from dubito.numerics.encoding import Encoding
from dubito.numerics.kernels import (
    ACTIVATION_KERNELS,
    Affine,
    Array,
    Dense,
    Fill,
    Formula,
    Gather,
    Merge,
    Mixture,
    Reshape,
    Standardize,
    concatenate,
)
from dubito.numerics.lookup import Binning, Selection, TokenLookup
from dubito.numerics.noise import (
    NEGATIVE_SATURATION,
    AlphaDropout,
    Call,
    Dropout,
    GaussianDropout,
)
from dubito.numerics.rng import drop_levels

KINDS = (
    "copy",
    "standardize",
    "affine",
    "fill",
    "dense",
    "dropout",
    "alpha_dropout",
    "gaussian_dropout",
    "add",
    "subtract",
    "multiply",
    "maximum",
    "minimum",
    "mixture",
    "encode",
    "select",
    "lookup",
    "discretize",
    "gather",
)
"""`enum Kind` of kernel.c."""
NOISES = {
    Dropout: "dropout",
    AlphaDropout: "alpha_dropout",
    GaussianDropout: "gaussian_dropout",
}
ACTIVATIONS = (
    "linear",
    "relu",
    "softmax",
    "elu",
    "selu",
    "tanh",
    "sigmoid",
    "silu",
    "softplus",
    "exponential",
)
"""`enum Activation` of kernel.c."""
MOST_CLASSES = 1_024


class _NoKernelError(Exception):
    """An operation has no native form."""


def lowered(program: Program) -> LoweredNetwork | None:
    """Lower a program; None if one of its operations has no native form."""
    if program.result_dtype != "float32" or program.shape[1] > MOST_CLASSES:
        return None
    try:
        return _Lowering(program).result()
    except _NoKernelError:
        return None


@dataclass(slots=True)
class _Value:
    """A value of `repeat` rows of `units` numbers, and where it is in each kind of tile."""

    repeat: int
    units: int
    once: int | None = None
    """Offset in a tile of rows, in numbers of one lane; None if passes differ in it."""
    each: int | None = None
    """Offset in a tile of passes; None if no random operation reads or writes it."""
    fused: int = 0
    """Number of fused dropouts that read it."""
    is_fused: bool = False
    """Whether nothing but fused dropouts reads it where passes differ."""


class _Lowering:
    """Collects operations, values and constants."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._before = _before(program)
        shapes = {SOURCE: (program.shape[0],)} | {one.output: one.shape for one in self._before}
        self._steps = [one for one in program.operations if one.output not in shapes]
        self._flat = _flat_tables(self._steps)
        read = {slot for one in self._steps for slot in one.inputs}
        self._given = sorted(shapes.keys() & read)
        self._tops = {False: 0, True: 0}
        """Numbers of a lane in a tile of rows, and in one of passes, by whether passes differ."""
        self._values = {slot: self._new(shapes[slot], random=False) for slot in self._given}
        self._read = Counter[int]()
        """Number of reads of each offset in tiles of passes."""
        self._of_units = set[int]()
        """Calls whose noise is one number for each unit of the last axis."""
        self._operations: list[KernelOperation] = []
        self._owned: list[Any] = []

    def result(self) -> LoweredNetwork:
        for step in self._steps:
            self._add(step)
        values = list(self._values.values())
        lasting = [one for one in values if one.once is not None and one.each is not None]
        self._fuse(lasting)
        repeats = sorted({one.repeat for one in values if one.once is not None})
        network = KernelNetwork(
            operations=len(self._operations),
            calls=len(self._program.calls),
            classes=self._program.shape[1],
            inputs=len(self._given),
            lasting=len(lasting),
            repeats=len(repeats),
            once=self._tops[False],
            each=self._tops[True],
            result=self._offset(self._program.result, random=True),
            operation=self._structures(KernelOperation, self._operations),
            input=self._structures(KernelSlot, [_slot(self._values[at]) for at in self._given]),
            last=self._structures(KernelSlot, [_slot(one) for one in lasting]),
            repeat=self._kept(np.array(repeats, np.int32)),
        )
        before = [Before.of(one) for one in self._before]
        given = sum(one.repeat * one.units for one in map(self._values.get, self._given) if one)
        numbers = 3 * given + sum(one.repeat * one.units for one in lasting)
        dtype = self._program.dtype
        return LoweredNetwork(network, dtype, before, self._given, self._owned, numbers)

    def _fuse(self, lasting: Sequence[_Value]) -> None:
        """Fuse dropouts of what is equal in all passes with the dense layers behind them.

        A tile with passes of one row then neither repeats that for every pass nor stores what the
        dropouts leave. Others, with passes of several rows, run one operation after the other.
        """
        places = {value.each: at for at, value in enumerate(lasting)}
        for drop, behind in pairwise(self._operations):
            source = places.get(drop.input // LANES) if drop.is_random else None
            if (
                source is None
                or drop.kind != KINDS.index("dropout")
                or behind.kind != KINDS.index("dense")
                or behind.input != drop.output
                or self._read[drop.output] > 1
                or drop.call not in self._of_units
            ):
                continue
            drop.is_fused = behind.is_fused = True
            drop.last = source
            lasting[source].fused += 1
        for value in lasting:
            value.is_fused = value.fused == self._read[(value.each or 0) * LANES]

    def _new(self, shape: tuple[int, ...], *, random: bool) -> _Value:
        """Place a value of a shape of one or two axes."""
        if len(shape) not in (1, 2):
            raise _NoKernelError
        value = _Value(shape[0] if len(shape) == 2 else 1, shape[-1])
        self._place(value, random=random)
        return value

    def _place(self, value: _Value, *, random: bool) -> None:
        """Give a value an offset in tiles of passes, or in those of rows."""
        offset = self._tops[random]
        if random:
            value.each = offset
            self._tops[True] += value.repeat * value.units
        else:
            value.once = offset
            self._tops[False] += value.units

    def _offset(self, slot: int, *, random: bool) -> int:
        """Return where an operation reads a value, in floats of a tile."""
        value = self._values[slot]
        if random and value.each is None:
            self._place(value, random=True)
        offset = value.each if random else value.once
        assert offset is not None  # noqa: S101 - no operation is random that reads nothing random
        self._read[offset * LANES] += random
        return offset * LANES

    def _written(self, step: Operation) -> int:
        """Return where a step writes its output, in floats of a tile."""
        value = self._values[step.output]
        return (value.each if step.random else value.once or 0) * LANES  # type: ignore[operator]

    def _add(self, step: Operation) -> None:
        """Add the operations of a step."""
        if step.dtype != "float32":
            raise _NoKernelError
        shape = (step.units,) if step.output in self._flat else step.shape
        self._values[step.output] = self._new(shape, random=step.random)
        match step.run:
            case Call():
                self._add_noise(step, step.run)
            case Dense(kernel, bias, activate):
                self._emit(
                    step,
                    "dense",
                    activation=_activation(activate),
                    first=self._numbers(kernel),
                    second=self._constants(bias, step.shape[-1]),
                )
            case Standardize(mean, deviation):
                self._add_elementwise(step, "standardize", mean, deviation)
            case Affine(factor, offset):
                self._add_elementwise(step, "affine", factor, offset)
            case Gather() | Reshape():
                self._add_one_row(step, step.run)
            case Formula(formula):
                self._add_formula(step, formula)
            case Merge(function):
                self._add_merge(step, function.__name__)
            case _ if step.run is concatenate:
                self._add_parts(step)
            case _:
                self._emit(step, "copy", activation=_activation(step.run))

    def _add_formula(self, step: Operation, formula: Any) -> None:
        match formula:
            case Fill(constants):
                self._add_elementwise(step, "fill", constants)
            case Encoding():
                self._add_encoding(step, formula)
            case Selection(indices):
                self._emit_one_row(step, "select").index = self._kept(np.ascontiguousarray(indices))
            case TokenLookup(keys, indices, unknown):
                made = self._emit_one_row(step, "lookup", noises=len(keys), offset=float(unknown))
                made.first, made.second = self._numbers(keys), self._numbers(indices)
            case Binning(boundaries):
                made = self._emit_one_row(step, "discretize", noises=len(boundaries))
                made.first = self._numbers(boundaries)
            case Mixture(temperature):
                self._add_mixture(step, temperature)
            case _:
                raise _NoKernelError

    def _emit(
        self, step: Operation, kind: str, *, rows: int | None = None, **fields: Any
    ) -> KernelOperation:
        """Add an operation that reads the step's first input, of `rows` or of its output's rows."""
        source, found = self._values[step.inputs[0]], self._values[step.output]
        rows = found.repeat if rows is None else rows
        if source.repeat != rows:
            raise _NoKernelError
        made = KernelOperation(
            kind=KINDS.index(kind),
            inputs=source.units,
            units=found.units,
            stride=found.units,
            repeat=rows if step.random else 1,
            group=rows,
            input=self._offset(step.inputs[0], random=step.random),
            output=self._written(step),
            is_random=step.random,
        )
        for name, value in fields.items():
            setattr(made, name, value)
        self._operations.append(made)
        return made

    def _add_noise(self, step: Operation, call: Call) -> None:
        shape, units = step.shape, math.prod(call.shape)
        noise = call.noise
        if len(call.shape) != len(shape) or type(noise) not in NOISES:
            raise _NoKernelError
        index = np.broadcast_to(np.arange(units, dtype=np.int32).reshape(call.shape), shape)
        made = self._emit(
            step,
            NOISES[type(noise)],
            call=call.ordinal,
            noises=units,
            dropped=drop_levels(noise.strength),
        )
        if units != math.prod(shape):
            made.index = self._kept(np.ascontiguousarray(index))
        if units == call.shape[-1] == shape[-1]:
            self._of_units.add(call.ordinal)
        match noise:
            case Dropout():
                made.scale = 1.0 / (1.0 - noise.strength)
            case AlphaDropout():
                # Square roots have the same bits everywhere; powers do not.
                spread = 1 + noise.strength * NEGATIVE_SATURATION * NEGATIVE_SATURATION
                scale = 1 / math.sqrt((1 - noise.strength) * spread)
                offset = -scale * NEGATIVE_SATURATION * noise.strength
                made.scale, made.offset = scale, offset
                made.saturated = scale * NEGATIVE_SATURATION + offset
            case GaussianDropout():
                made.scale = noise.deviation

    def _add_elementwise(self, step: Operation, kind: str, *constants: Array) -> None:
        if step.random and self._values[step.output].repeat > 1:
            raise _NoKernelError
        named = zip(("first", "second"), constants, strict=False)
        units = step.shape[-1]
        self._emit(step, kind, **{name: self._constants(values, units) for name, values in named})

    def _emit_one_row(self, step: Operation, kind: str, **fields: Any) -> KernelOperation:
        """Add an operation that exists for values of one axis only."""
        if self._values[step.output].repeat > 1:
            raise _NoKernelError
        return self._emit(step, kind, **fields)

    def _add_one_row(self, step: Operation, run: Gather | Reshape) -> None:
        """Gather rows of a table, or copy numbers, of values of one axis."""
        if isinstance(run, Reshape):
            self._emit_one_row(step, "copy")
            return
        made = self._emit_one_row(step, "gather", noises=len(run.table))
        made.first = self._numbers(run.table)

    def _add_encoding(self, step: Operation, encoding: Encoding) -> None:
        chosen = np.stack([encoding.columns, encoding.modes], axis=-1)
        made = self._emit_one_row(
            step,
            "encode",
            first=self._numbers(encoding.fills),
            second=self._numbers(np.stack([encoding.slots, encoding.widths], axis=-1)),
        )
        made.index = self._kept(np.ascontiguousarray(chosen, np.int32))

    def _add_merge(self, step: Operation, kind: str) -> None:
        """Merge inputs from left to right; the output holds what is merged so far."""
        shapes = {(self._values[slot].repeat, self._values[slot].units) for slot in step.inputs}
        if kind not in KINDS or len(shapes) > 1:
            raise _NoKernelError
        first, *others = (self._offset(slot, random=step.random) for slot in step.inputs)
        for other in others:
            made = self._emit(step, kind, other=other)
            made.input, first = first, made.output

    def _add_parts(self, step: Operation) -> None:
        """Concatenate inputs along their last axis."""
        start = 0
        for slot in step.inputs:
            made = self._emit(replace(step, inputs=(slot,)), "copy")
            made.units = made.inputs
            made.output += start * LANES
            start += made.units

    def _add_mixture(self, step: Operation, temperature: float) -> None:
        if not step.random:
            raise _NoKernelError
        candidates, scores, logits = step.inputs
        classes, has_passes = step.shape[0], self._values[candidates].once is None
        rows = self._values[candidates].repeat
        narrow = -1 - step.output
        """The candidates' classes alone, as a value that no step of the program writes."""
        self._values[narrow] = self._new((rows, classes), random=has_passes)
        taken = replace(step, inputs=(candidates,), output=narrow, random=has_passes)
        self._emit(taken, "copy")
        if self._values[scores].repeat * self._values[scores].units != rows:
            raise _NoKernelError
        made = self._emit(replace(step, inputs=(narrow,)), "mixture", rows=rows, scale=temperature)
        made.other = self._offset(scores, random=True)
        made.third = self._offset(logits, random=True)

    def _constants(self, values: Array, units: int) -> int:
        return self._numbers(np.broadcast_to(values, (units,)))

    def _numbers(self, values: Array) -> int:
        return self._kept(np.ascontiguousarray(values, np.float32))

    def _kept(self, values: Any) -> int:
        """Keep an array alive as long as the network, and return its address."""
        self._owned.append(values)
        return int(values.ctypes.data)

    def _structures(self, kind: type[Any], values: Sequence[Any]) -> int:
        """Keep structures alive as long as the network, and return their address."""
        array = (kind * len(values))(*values)
        self._owned.append(array)
        return ctypes.addressof(array)


def _before(program: Program) -> list[Operation]:
    """List formulas of the rows that have kernels of their own, and the fills that they read."""
    fills = {one.output: one for one in program.operations if _is(one, Fill)}
    known = {SOURCE, *(at for at, one in fills.items() if one.inputs == (SOURCE,))}
    found: list[Operation] = []
    for one in program.operations:
        if _is(one, NativeFormula) and one.dtype == "float64" and known.issuperset(one.inputs):
            found += [fills[slot] for slot in one.inputs if slot in fills]
            found.append(one)
            known.add(one.output)
    return list(dict.fromkeys(found))


def _flat_tables(steps: Sequence[Operation]) -> frozenset[int]:
    """Return the outputs of tables that are only read to be flattened, as one axis of numbers."""
    flattening = {
        slot: all(isinstance(one.run, Reshape) and len(one.shape) == 1 for one in readers)
        for slot, readers in _readers(steps).items()
    }
    tables = (one.output for one in steps if isinstance(one.run, Gather))
    return frozenset(slot for slot in tables if flattening.get(slot))


def _readers(steps: Sequence[Operation]) -> dict[int, list[Operation]]:
    """Return the steps that read each slot."""
    readers: dict[int, list[Operation]] = {}
    for step in steps:
        for slot in step.inputs:
            readers.setdefault(slot, []).append(step)
    return readers


def _is(one: Operation, kind: type[Any]) -> bool:
    return isinstance(one.run, Formula) and isinstance(one.run.formula, kind)


def _activation(kernel: Any) -> int:
    name = next((name for name, known in ACTIVATION_KERNELS.items() if known is kernel), None)
    if name is None:
        raise _NoKernelError
    return ACTIVATIONS.index(name)


def _slot(value: _Value) -> KernelSlot:
    once = -1 if value.once is None else value.once * LANES
    each = -1 if value.each is None else value.each * LANES
    return KernelSlot(once, each, value.repeat, value.units, value.is_fused)
