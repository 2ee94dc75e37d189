"""Reads rows that are tensors, and what is known of them, from NumPy's archives (`.npz`).

`numpy.savez(FILE, image=images, digit=digits)` writes one: an array `(N, …)` of the tensors under
the feature's name, and one `(N,)` of the classes or the numbers under the target's.
"""

import hashlib
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dubito.errors import DataError
from dubito.layout import Column, NumberColumn
from dubito.training.data import NumberRows, Table
from dubito.training.tables.content import name_of, read_content
from dubito.types import Floats, Indices

SUFFIX = ".npz"


def tensor_column(columns: Sequence[Column]) -> Column | None:
    """Return the only column, if it is a tensor."""
    return columns[0] if columns and columns[0].kind == "tensor" else None


def read_tensors(path: Path, column: Column, classes: Sequence[str], target: str | None) -> Table:
    """Read tensors and, if a target is named, their classes.

    Raises:
        DataError: the file cannot be read, an array is missing or has another shape, a number is
            not allowed, or a class is unknown.
    """
    arrays, name = _arrays(path), name_of(path)
    rows = _tensors(arrays, column, name)
    labels = np.empty(0, np.intp)
    if target is not None:
        labels = _labels(_array(arrays, (target,), name), classes, f"{target} of {name}")
        _check_length(len(labels), len(rows), f"{target} of {name}")
    return Table(rows, labels, name, _digest(rows, labels))


def read_number_tensors(path: Path, column: Column, number: NumberColumn) -> NumberRows:
    """Read tensors and the number of each.

    Raises:
        DataError: see `read_tensors`.
    """
    arrays, name = _arrays(path), name_of(path)
    rows = _tensors(arrays, column, name)
    values = _floats(_array(arrays, number.names, name), f"{number.name} of {name}")
    if values.ndim != 1 or not np.isfinite(values).all():
        raise DataError(f"{number.name} of {name} is not one finite number a row")
    _check_length(len(values), len(rows), f"{number.name} of {name}")
    return NumberRows(rows, values, name, _digest(rows, values))


def _arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    """Read all arrays of an archive; objects, which could run code, are refused."""
    name = name_of(path)
    if path.suffix != SUFFIX:
        raise DataError(f"{name} is not an archive of arrays: save it with numpy.savez")
    try:
        with np.load(io.BytesIO(read_content(path)), allow_pickle=False) as found:
            return {each: found[each] for each in found.files}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{name} is damaged, or has an array of objects") from error


def _array(
    arrays: dict[str, NDArray[np.generic]], names: Sequence[str], file: str
) -> NDArray[np.generic]:
    found = next((arrays[name] for name in names if name in arrays), None)
    if found is None:
        raise DataError(f"{file} has no array {names[0]}, but {', '.join(arrays) or 'none'}")
    return found


def _tensors(arrays: dict[str, NDArray[np.generic]], column: Column, file: str) -> Floats:
    found = _floats(_array(arrays, column.names, file), f"{column.name} of {file}")
    if found.shape[1:] != column.shape or not len(found):
        wanted = ", ".join(map(str, column.shape))
        raise DataError(f"{column.name} of {file} is of the shape {found.shape}, not (N, {wanted})")
    if not np.isfinite(found).all():
        raise DataError(f"{column.name} of {file} has a number that is not finite")
    if found.min() < column.minimum or found.max() > column.maximum:
        raise DataError(
            f"{column.name} of {file} has a number outside {column.minimum:,.12g} to "
            f"{column.maximum:,.12g}"
        )
    # Adding 0 turns -0.0 into 0.0.
    return found.reshape(len(found), -1) + 0.0


def _floats(array: NDArray[np.generic], what: str) -> Floats:
    if array.dtype.kind not in "biuf":
        raise DataError(f"{what} is not of numbers")
    return array.astype(np.float64)


def _labels(array: NDArray[np.generic], classes: Sequence[str], what: str) -> Indices:
    places = {name: at for at, name in enumerate(classes)}
    texts = [str(one) for one in array.ravel().tolist()]
    unknown = next((at for at, text in enumerate(texts) if text not in places), None)
    if array.ndim != 1 or unknown is not None:
        raise DataError(f"{what} is not one of the classes in every row")
    return np.array([places[text] for text in texts], np.intp)


def _check_length(found: int, rows: int, what: str) -> None:
    if found != rows:
        raise DataError(f"{what} has {found:,} values for {rows:,} rows")


def _digest(*arrays: NDArray[np.generic]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(str(array.shape).encode())
        kind = "<f8" if array.dtype.kind == "f" else "<i8"
        digest.update(np.ascontiguousarray(array, kind).tobytes())
    return f"sha256:{digest.hexdigest()}"
