"""Validates rows that a program passes as arrays or mappings, against a signature."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec import json

from dubito.errors import Fault, FieldCode, InvalidInput
from dubito.inputs.faults import MOST_FAULTS
from dubito.types import Booleans, Feature, Floats, Signature

Given = Floats | Sequence[Sequence[float]] | Sequence[Mapping[str, float | None]]


def features_of(signature: Signature, rows: Given) -> Floats:
    """Convert rows to float64 `(N, F)`, NaN where a nullable feature is missing.

    Args:
        signature: the bundle's features.
        rows: `(N, F)`, or one mapping a row from names or aliases to values.

    Raises:
        InvalidInput: a value is missing or not allowed; the error names each such feature.
    """
    if len(rows) and isinstance(rows[0], Mapping):
        # Imported here: arrays do not need the JSON reader, whose import takes noticeable time.
        from dubito.inputs.rows import INSTANCES, RowReader

        body = json.encode({INSTANCES: list(rows)})
        found, _ = RowReader(signature, len(rows)).read(body)
        return found
    # Adding 0 turns -0.0 into 0.0.
    array = np.asarray(rows, dtype=np.float64) + 0.0
    if array.ndim != 2 or array.shape[1] != len(signature.features) or not len(array):
        message = f"must be (N, {len(signature.features)}) with at least one row"
        raise InvalidInput([Fault(("rows",), FieldCode.NOT_A_LIST, message)])
    if faults := list(_faults(signature, array)):
        raise InvalidInput(faults[:MOST_FAULTS])
    return array


def _faults(signature: Signature, rows: Floats) -> Iterator[Fault]:
    for column, feature in enumerate(signature.features):
        for code, message, wrong in _checks(feature, rows[:, column]):
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
    if feature.kind == "integer":
        whole = missing | np.isinf(values) | (np.floor(values) == values)
        yield FieldCode.NOT_WHOLE, "must be a whole number", ~whole
