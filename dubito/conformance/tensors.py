"""Tensors of the protocol: their datatypes, descriptions and elements, in JSON and binary data."""

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

BYTES, BOOLEAN, BF16 = "BYTES", "BOOL", "BF16"
LENGTH = struct.Struct("<I")
"""Length in front of each element of BYTES."""
SIZES = (1, 2, 4, 8)
DTYPES: Mapping[str, np.dtype[Any]] = {
    BOOLEAN: np.dtype("?"),
    **{f"INT{8 * size}": np.dtype(f"<i{size}") for size in SIZES},
    **{f"UINT{8 * size}": np.dtype(f"<u{size}") for size in SIZES},
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
"""Types of elements of binary data by datatype, but for BYTES and BF16."""
DATATYPE_NAMES = frozenset({*DTYPES, BYTES, BF16})
"""All datatypes of the protocol and of Triton."""
ANY = -1
"""Length of an axis that a request chooses."""
TOLERANCES = {"FP16": 1e-2, BF16: 1e-2}
TOLERANCE = 1e-3
"""Largest difference of two numbers that count as the same, as a share of the tensor's largest one:
what the arithmetic of another batch may change. It is larger for datatypes of fewer bits."""


@dataclass(frozen=True, slots=True)
class DescribedTensor:
    """An input or output as the metadata has it."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    def fits(self, shape: Sequence[int]) -> bool:
        """Return whether a shape is one of those described."""
        return len(shape) == len(self.shape) and all(
            mine in (ANY, length) for mine, length in zip(self.shape, shape, strict=True)
        )


@dataclass(frozen=True, slots=True)
class FilledTensor:
    """A tensor with its elements, row-major."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    elements: tuple[Any, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of the tensor in a request."""

    def as_json(self) -> dict[str, Any]:
        """Return the tensor with its elements in JSON."""
        return {**self._head(self.parameters), "data": list(self.elements)}

    def as_nested(self) -> dict[str, Any]:
        """Return the tensor in JSON, a list for each axis."""
        data = _nested(list(self.elements), self.shape)
        return {**self._head(self.parameters), "data": data}

    def as_head(self, size: int) -> dict[str, Any]:
        """Return the tensor without its elements, which follow as binary data of some size."""
        return self._head({**self.parameters, "binary_data_size": size})

    def as_binary(self) -> bytes:
        """Return the elements as binary data; of BYTES, null is an empty text."""
        if self.datatype == BYTES:
            texts = [(element or "").encode("utf-8", "replace") for element in self.elements]
            return b"".join(LENGTH.pack(len(text)) + text for text in texts)
        if self.datatype == BF16:
            return (np.array(self.elements, "<f4").view("<u4") >> 16).astype("<u2").tobytes()
        return np.array(self.elements, DTYPES[self.datatype]).tobytes()

    def rows(self) -> Iterator["FilledTensor"]:
        """Yield the tensor of each row, which is a place of the first axis."""
        size = prod(self.shape[1:])
        for row in range(self.shape[0] if self.shape else 0):
            elements = self.elements[row * size : (row + 1) * size]
            yield FilledTensor(self.name, self.datatype, (1, *self.shape[1:]), elements)

    def is_same(self, other: "FilledTensor") -> bool:
        """Return whether two tensors have the same elements, as far as arithmetic repeats."""
        if self.datatype != other.datatype or len(self.elements) != len(other.elements):
            return False
        if not is_real(self.datatype):
            return self.elements == other.elements
        mine, theirs = (_numbers(tensor.elements) for tensor in (self, other))
        finite = np.isfinite(mine)
        if not np.array_equal(finite, np.isfinite(theirs)):
            return False
        largest = max(np.abs(mine[finite]).max(initial=0), np.abs(theirs[finite]).max(initial=0))
        tolerance = TOLERANCES.get(self.datatype, TOLERANCE) * largest
        return bool(np.all(np.abs(mine[finite] - theirs[finite]) <= tolerance))

    def _head(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        head = {"name": self.name, "shape": list(self.shape), "datatype": self.datatype}
        return {**head, "parameters": dict(parameters)} if parameters else head


def elements_of(datatype: str, data: bytes) -> list[Any] | None:
    """Read binary data; None if it is not of the datatype."""
    if datatype == BYTES:
        return _texts(data)
    dtype = DTYPES.get(datatype, np.dtype("<u2"))
    if len(data) % dtype.itemsize:
        return None
    found = np.frombuffer(data, dtype)
    if datatype == BF16:
        found = (found.astype("<u4") << 16).view("<f4")
    elements: list[Any] = found.tolist()
    return elements


def is_element(datatype: str, value: object) -> bool:
    """Return whether a value in JSON can be an element; null is a float that is no number."""
    if datatype == BOOLEAN:
        return isinstance(value, bool)
    if datatype == BYTES:
        return isinstance(value, str)
    if isinstance(value, bool):
        return False
    if is_real(datatype):
        return value is None or (isinstance(value, int | float) and _is_finite(value))
    limits = np.iinfo(DTYPES[datatype])
    return isinstance(value, int) and limits.min <= value <= limits.max


def is_shape(value: object, least: int = 0) -> bool:
    """Return whether a value in JSON is a list of lengths, none below the least."""
    return isinstance(value, list) and all(
        isinstance(length, int) and not isinstance(length, bool) and least <= length < 1 << 63
        for length in value
    )


def flat(data: Sequence[Any]) -> list[Any]:
    """Return the elements of nested lists, row-major."""
    elements, waiting = list[Any](), [iter(data)]
    while waiting:
        for value in waiting[-1]:
            if isinstance(value, list):
                waiting.append(iter(value))
                break
            elements.append(value)
        else:
            waiting.pop()
    return elements


def is_real(datatype: str) -> bool:
    """Return whether a datatype has numbers with a fraction."""
    return datatype.startswith(("FP", "BF"))


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _numbers(elements: Sequence[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return elements as numbers; null, which stands for no number, as NaN."""
    return np.array(elements, np.float64)


def _texts(data: bytes) -> list[Any] | None:
    found, at = list[Any](), 0
    while at < len(data):
        if at + LENGTH.size > len(data):
            return None
        (length,) = LENGTH.unpack_from(data, at)
        at += LENGTH.size + length
        if at > len(data):
            return None
        found.append(data[at - length : at].decode("utf-8", "replace"))
    return found


def _nested(elements: list[Any], shape: Sequence[int]) -> list[Any]:
    if len(shape) <= 1:
        return elements
    size = prod(shape[1:])
    rows = (elements[row * size : (row + 1) * size] for row in range(shape[0]))
    return [_nested(row, shape[1:]) for row in rows]
