"""Validates rows that a program passes as arrays or mappings, against a signature."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import isinf

import numpy as np
from msgspec import Raw, json

from dubito.errors import Fault, FieldCode, InvalidInput
from dubito.features import INSTANCES, Feature, FeatureValue
from dubito.inputs.faults import MOST_FAULTS
from dubito.types import Booleans, Floats, Signature

Given = Floats | Sequence[Sequence[float]] | Sequence[Mapping[str, FeatureValue]]


def array_features(signature: Signature, rows: Given) -> Floats:
    """Convert rows to float64 `(N, F)`, NaN where a nullable feature is missing.

    Args:
        signature: the bundle's features.
        rows: `(N, F)`, in which a number stands for a category (see `dubito.features`), or one
            mapping a row from names or aliases to values; of tensors `(N, …)`, in their shape.

    Raises:
        InvalidInput: a value is missing or not allowed; the error names each such feature.
    """
    if len(rows) and isinstance(rows[0], Mapping):
        return _of_mappings(signature, list(rows))
    try:
        array = np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    return ArrayReader(signature).read(array)


class ArrayReader:
    """Reads arrays of rows of one bundle."""

    def __init__(self, signature: Signature) -> None:
        """Take the bounds of all features."""
        self._signature = signature
        features = signature.scalars
        self._minima = np.array([one.minimum for one in features])
        self._maxima = np.array([one.maximum for one in features])
        self._nullable = np.array([one.nullable for one in features])
        self._whole = [column for column, one in enumerate(features) if one.is_whole]
        self._bounds = [(one.minimum, one.maximum, one.is_whole) for one in features]

    def read_row(self, values: Sequence[float | None]) -> Floats | None:
        """Return one row `(1, F)` if all its values are there and allowed, else None.

        It takes a third of the time of `read`, which says what is wrong.
        """
        if len(values) != len(self._bounds):
            return None
        for value, (least, most, is_whole) in zip(values, self._bounds, strict=True):
            if value is None or not least <= value <= most or (is_whole and value != int(value)):
                return None
        return np.array([values], np.float64) + 0.0

    def read(self, array: Floats) -> Floats:
        """Check rows `(N, F)`; of tensors also `(N, …)`, in their shape.

        Raises:
            InvalidInput: the shape is another, or a value is missing or not allowed.
        """
        signature = self._signature
        # Adding 0 turns -0.0 into 0.0.
        array = array + 0.0
        if signature.tensor is not None and array.shape[1:] == signature.tensor.shape:
            array = array.reshape(len(array), -1)
        if array.ndim != 2 or array.shape[1] != signature.width or not len(array):
            shape = (signature.width,) if signature.tensor is None else signature.tensor.shape
            message = f"must be (N, {', '.join(map(str, shape))}) with at least one row"
            raise InvalidInput([Fault(("rows",), FieldCode.NOT_A_LIST, message)])
        if not self._is_allowed(array):
            raise InvalidInput(list(_faults(signature, array))[:MOST_FAULTS])
        return array

    def _is_allowed(self, rows: Floats) -> bool:
        """Check all values at once; only rows with a fault are worth a check of every feature."""
        tensor = self._signature.tensor
        if tensor is not None:
            return bool(((rows >= tensor.minimum) & (rows <= tensor.maximum)).all())
        allowed = (rows >= self._minima) & (rows <= self._maxima)
        if not allowed.all():
            allowed |= np.isnan(rows) & self._nullable
            if not allowed.all():
                return False
        counts = rows[:, self._whole]
        return bool(((np.floor(counts) == counts) | np.isnan(counts)).all())


def _of_mappings(signature: Signature, rows: Sequence[object]) -> Floats:
    # Imported here: arrays do not need the JSON reader, whose import takes noticeable time.
    from dubito.inputs.rows import RowReader

    body = json.encode({INSTANCES: [_row(row) for row in rows]})
    # A reader of more rows names each of the members that are too many, up to as many again.
    reader = RowReader(signature, 2 * len(rows))
    try:
        found, _ = reader.read(body)
    except InvalidInput as error:
        raise InvalidInput([_named(fault, INSTANCES) for fault in error.faults]) from None
    return found


def _named(fault: Fault, member: str) -> Fault:
    """Name the argument `rows` in place of a member of JSON."""
    where = fault.where[1:] if fault.where[:1] == (member,) else fault.where
    return replace(fault, where=("rows", *where))


def _row(row: object) -> object:
    if not isinstance(row, Mapping):
        return None
    return {str(name): _number(value) for name, value in row.items()}


def _number(value: object) -> object:
    """Convert a value to one that JSON has.

    Infinity becomes a number too large for float64, and what is neither a number nor a text a list,
    which no feature takes.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and isinf(value):
        return Raw(b"1e999" if value > 0 else b"-1e999")
    if isinstance(value, str):
        # A surrogate alone is no text.
        return value.encode(errors="replace").decode()
    if isinstance(value, np.ndarray | list | tuple):
        return [_number(one) for one in value]
    return value if isinstance(value, int | float | None) else ()


def _faults(signature: Signature, rows: Floats) -> Iterator[Fault]:
    for column, feature in enumerate(signature.features):
        several = slice(None) if signature.tensor is not None else slice(column, column + 1)
        for code, message, each in _checks(feature, rows[:, several]):
            wrong = each.any(axis=1)
            if wrong.any():
                row = int(np.argmax(wrong))
                yield Fault(
                    ("rows", row, feature.name),
                    code,
                    message,
                    minimum=feature.minimum,
                    maximum=feature.maximum,
                )


def _checks(feature: Feature, values: Floats) -> Iterator[tuple[FieldCode, str, Booleans]]:
    missing = np.isnan(values)
    if not feature.nullable:
        yield FieldCode.MISSING, "is missing", missing
    yield FieldCode.NOT_FINITE, "must be a finite number", np.isinf(values)
    least, most = feature.minimum, feature.maximum
    yield FieldCode.TOO_SMALL, f"must be at least {least:,.12g}", values < least
    yield FieldCode.TOO_LARGE, f"must be at most {most:,.12g}", values > most
    if feature.is_whole:
        whole = missing | np.isinf(values) | (np.floor(values) == values)
        yield FieldCode.NOT_WHOLE, "must be a whole number", ~whole
