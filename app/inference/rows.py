"""Rows of a bundle's features from the tensors of a request: one a feature, or one of all."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from app.inference.tensor import InputTensor, wrong_input
from dubito.errors import Fault, FieldCode, InvalidInput
from dubito.features import CategoryFeature, Feature, TensorFeature
from dubito.inputs.arrays import array_features
from dubito.inputs.faults import MOST_FAULTS
from dubito.inputs.json_members import composed
from dubito.inputs.rows import accepted
from dubito.printable import shortened
from dubito.types import Floats, Signature

NUMBERS = ("float", "integer")
TRUTHS = (*NUMBERS, "boolean")
"""Kinds of datatypes that features of numbers, and those of truths, take: only floats have NaN."""
INPUT = "input"
"""Name of the tensor `(N, F)` of all features, in which a category is its place in the list."""


class TensorReader:
    """Reads requests for one bundle."""

    def __init__(self, signature: Signature, most_rows: int) -> None:
        """Set the features, and the maximum rows of a request."""
        self._signature = signature
        self._most_rows = most_rows
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
            rows = self._matrix(tensors[0])
        else:
            rows = self._columns(tensors)
        try:
            return array_features(self._signature, rows)
        except InvalidInput as error:
            raise InvalidInput([_of_input(fault) for fault in error.faults]) from None

    def _matrix(self, tensor: InputTensor) -> Floats:
        """Take the tensor of all features."""
        if tensor.datatype.kind != "float":
            raise wrong_input(INPUT, FieldCode.NOT_ONE_OF, "must be of the datatype FP64 or FP32")
        rows = self._rows_of(tensor, (self._signature.width,))
        return np.array(tensor.elements, np.float64).reshape(rows, -1)

    def _columns(self, tensors: Sequence[InputTensor]) -> Floats:
        """Join the tensors of the features, in the order of the signature."""
        found = self._by_feature(tensors)
        counts = {name: self._count(name, tensor) for name, tensor in found.items()}
        rows = next(iter(counts.values()))
        if other := next((name for name, count in counts.items() if count != rows), None):
            raise wrong_input(
                other, FieldCode.NOT_VALID, "must have as many rows as the other inputs"
            )
        features = self._signature.features
        columns = [_column(feature, found[feature.name]) for feature in features]
        if self._signature.tensor is not None:
            return np.array(columns[0], np.float64).reshape(rows, -1)
        # NumPy makes NaN of None.
        return np.array(columns, np.float64).T

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
        faults += [
            _fault(feature.name, FieldCode.MISSING, "is missing")
            for feature in self._signature.features
            if feature.name not in found
        ]
        if faults:
            raise InvalidInput(faults[:MOST_FAULTS])
        return found

    def _count(self, name: str, tensor: InputTensor) -> int:
        feature = next(one for one in self._signature.features if one.name == name)
        return self._rows_of(tensor, feature.shape if isinstance(feature, TensorFeature) else ())

    def _rows_of(self, tensor: InputTensor, shape: tuple[int, ...]) -> int:
        """Return the number of rows of a tensor whose rows have a shape."""
        rows, *rest = tensor.shape
        # A value a row may have an axis of its own.
        if tuple(rest) != shape and not (shape == () and rest == [1]):
            lengths = ", ".join(map(str, (-1, *shape)))
            raise wrong_input(tensor.name, FieldCode.NOT_VALID, f"must be of the shape [{lengths}]")
        if rows < 1:
            raise wrong_input(tensor.name, FieldCode.TOO_FEW_ITEMS, "must have at least 1 row")
        if rows > self._most_rows:
            most = self._most_rows
            message = f"has more than {most} rows (DUBITO_MAX_ROWS)"
            raise InvalidInput([_fault(tensor.name, FieldCode.TOO_MANY_ITEMS, message, most)])
        return rows


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
    for row, text in enumerate(tensor.elements):
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
