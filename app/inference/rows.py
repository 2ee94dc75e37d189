"""Rows of a bundle's features from the tensors of a request: one a feature, or one of all."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from app.inference.tensor import InputTensor, wrong_input
from dubito.errors import Fault, FieldCode, InvalidInput
from dubito.features import CategoryFeature, Feature, TensorFeature
from dubito.inputs.arrays import ArrayReader
from dubito.inputs.faults import MOST_FAULTS
from dubito.inputs.json_members import composed
from dubito.inputs.rows import accepted
from dubito.printable import shortened
from dubito.types import Floats, Signature

NUMBERS = ("float", "integer")
TRUTHS = (*NUMBERS, "boolean")
"""Kinds of datatypes that features of numbers, and those of truths, take: only floats have NaN."""
Values = Sequence[Any] | Floats
"""Numbers; None or NaN where one is missing."""
INPUT = "input"
"""Name of the tensor `(N, F)` of all features, in which a category is its place in the list."""


class TensorReader:
    """Reads requests for one bundle."""

    def __init__(self, signature: Signature, most_rows: int) -> None:
        """Set the features, and the maximum rows of a request."""
        self._signature = signature
        self._most_rows = most_rows
        self._array = ArrayReader(signature)
        self._features = {
            name: feature for feature in signature.features for name in accepted(feature)
        }

    def read(self, tensors: Sequence[InputTensor]) -> Floats:
        """Convert tensors to rows `(N, F)`, NaN where a nullable value is missing.

        Raises:
            InvalidInput: a tensor is missing, unknown, given twice or of the wrong shape or
                datatype, or a value is not allowed; the error names the features.
        """
        if len(tensors) == 1 and tensors[0].name == INPUT and INPUT not in self._features:
            return self._checked(*self._matrix(tensors[0]))
        return self._checked(*self._columns(tensors))

    def expect(self, name: str, shape: tuple[int, ...]) -> None:
        """Refuse an input of no feature, or of too many rows, before its elements are read.

        Raises:
            InvalidInput: it is unknown, or has more rows than a request may have.
        """
        is_known = name in self._features or composed(name) in self._features
        if not is_known and name != INPUT:
            raise wrong_input(name, FieldCode.UNKNOWN, "is not known")
        if shape and shape[0] > self._most_rows:
            raise self._too_many_rows(name)

    def _too_many_rows(self, name: str) -> InvalidInput:
        most = self._most_rows
        message = f"has more than {most} rows (DUBITO_MAX_ROWS)"
        return InvalidInput([_fault(name, FieldCode.TOO_MANY_ITEMS, message, most)])

    def _checked(self, values: Values, rows: int) -> Floats:
        """Check the values `(N, F)` of rows, or of one row `(F,)`."""
        if rows == 1 and isinstance(values, list):
            row = self._array.read_row(values)
            if row is not None:
                return row
            values = self._named_floats(values)
        try:
            return self._array.read(np.reshape(values, (rows, -1)))
        except InvalidInput as error:
            raise InvalidInput([_of_input(fault) for fault in error.faults]) from None

    def _named_floats(self, values: Sequence[Any]) -> Floats:
        """Convert a row's numbers; the error about one that float64 does not have names it."""
        names = self._signature.names
        if len(values) != len(names):
            return _floats(values, INPUT)
        return np.concatenate(
            [_floats([one], name) for one, name in zip(values, names, strict=True)]
        )

    def _matrix(self, tensor: InputTensor) -> tuple[Values, int]:
        """Take the tensor of all features; returns its values and the number of rows."""
        if tensor.datatype.kind != "float":
            raise wrong_input(INPUT, FieldCode.NOT_ONE_OF, "must be of the datatype FP64 or FP32")
        rows, elements = self._rows_of(tensor, (self._signature.width,)), tensor.elements
        return (elements if rows == 1 else _floats(elements, INPUT)), rows

    def _columns(self, tensors: Sequence[InputTensor]) -> tuple[Values, int]:
        """Join the tensors of the features, in the order of the signature."""
        found, rows = self._by_feature(tensors), None
        columns = []
        for feature in self._signature.features:
            tensor = found[feature.name]
            dims = feature.shape if isinstance(feature, TensorFeature) else ()
            count = self._rows_of(tensor, dims)
            if rows not in (None, count):
                message = "must have as many rows as the other inputs"
                raise wrong_input(tensor.name, FieldCode.NOT_VALID, message)
            rows = count
            columns.append(_column(feature, tensor))
        if self._signature.tensor is not None:
            return _floats(columns[0], self._signature.tensor.name), rows or 0
        if rows == 1:
            return [column[0] for column in columns], 1
        named = zip(columns, self._signature.names, strict=True)
        return np.stack([_floats(column, name) for column, name in named], axis=1), rows or 0

    def _by_feature(self, tensors: Iterable[InputTensor]) -> Mapping[str, InputTensor]:
        """Return the tensors by the names of their features, which all have one."""
        found: dict[str, InputTensor] = {}
        faults = []
        for tensor in tensors:
            feature = self._features.get(tensor.name) or self._features.get(composed(tensor.name))
            if feature is None:
                faults.append(_fault(tensor.name, FieldCode.UNKNOWN, "is not known"))
            elif feature.name in found:
                faults.append(_fault(tensor.name, FieldCode.GIVEN_TWICE, "is given more than once"))
            else:
                found[feature.name] = tensor
        if faults or len(found) < len(self._signature.features):
            faults += [
                _fault(feature.name, FieldCode.MISSING, "is missing")
                for feature in self._signature.features
                if feature.name not in found
            ]
            raise InvalidInput(faults[:MOST_FAULTS])
        return found

    def _rows_of(self, tensor: InputTensor, shape: tuple[int, ...]) -> int:
        """Return the number of rows of a tensor whose rows have a shape."""
        rows, rest = tensor.shape[0], tensor.shape[1:]
        # A value a row may have an axis of its own.
        if rest != shape and not (shape == () and rest == (1,)):
            lengths = ", ".join(map(str, (-1, *shape)))
            raise wrong_input(tensor.name, FieldCode.NOT_VALID, f"must be of the shape [{lengths}]")
        if rows < 1:
            raise wrong_input(tensor.name, FieldCode.TOO_FEW_ITEMS, "must have at least 1 row")
        if rows > self._most_rows:
            raise self._too_many_rows(tensor.name)
        return rows


def _floats(values: Sequence[Any] | Floats, name: str) -> Floats:
    """Convert numbers to float64; a whole number of JSON may be beyond it."""
    try:
        return np.array(values, np.float64)
    except OverflowError:
        raise wrong_input(name, FieldCode.NOT_FINITE, "must be a finite number") from None


def _column(feature: Feature, tensor: InputTensor) -> Sequence[float | None] | Floats:
    """Return the numbers that stand for a feature's values; None or NaN where one is missing."""
    if isinstance(feature, CategoryFeature):
        return list(_places(feature, tensor))
    if tensor.datatype.kind not in (TRUTHS if feature.kind == "boolean" else NUMBERS):
        raise _other_datatype(tensor, "BOOL" if feature.kind == "boolean" else "FP64 or INT64")
    return tensor.elements


def _places(feature: CategoryFeature, tensor: InputTensor) -> Iterator[float]:
    """Yield the number of each text of a category feature."""
    if tensor.datatype.kind != "text":
        raise _other_datatype(tensor, "BYTES")
    for row, given in enumerate(tensor.elements):
        text = None if given == "" and tensor.is_binary and feature.nullable else given
        try:
            yield feature.number_of(text)
        except ValueError:
            code, message = FieldCode.NOT_ONE_OF, "must be one of the categories"
            if text is None:
                raise InvalidInput([_in_row(tensor.name, row, FieldCode.MISSING)]) from None
            known = f"{message} ({shortened(feature.labels)})"
            raise InvalidInput([_in_row(tensor.name, row, code, known)]) from None


def _in_row(name: str, row: int, code: FieldCode, message: str = "is missing") -> Fault:
    return Fault(("inputs", name, row), code, message)


def _other_datatype(tensor: InputTensor, names: str) -> InvalidInput:
    return wrong_input(tensor.name, FieldCode.NOT_ONE_OF, f"must be of the datatype {names}")


def _fault(name: str, code: FieldCode, message: str, most: float | None = None) -> Fault:
    return Fault(("inputs", name), code, message, maximum=most)


def _of_input(fault: Fault) -> Fault:
    """Name the input in place of the rows."""
    _, *place = fault.where
    row, name = (place[0], place[1]) if len(place) == 2 else (None, INPUT)
    where = ("inputs", name) if row is None else ("inputs", name, row)
    return replace(fault, where=where)
