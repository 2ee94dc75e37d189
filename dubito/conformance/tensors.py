"""Tensors of the protocol: their datatypes, descriptions and elements, in JSON and binary data."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

BYTES = "BYTES"
TRUTHS = "BOOL"
LENGTH = struct.Struct("<I")
"""Length in front of each element of BYTES."""
DTYPES: Mapping[str, np.dtype[Any]] = {
    TRUTHS: np.dtype("?"),
    **{
        f"{sign}INT{8 * size}": np.dtype(f"<{code}{size}")
        for sign, code in (("", "i"), ("U", "u"))
        for size in (1, 2, 4, 8)
    },
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
"""Elements of binary data by datatype, but for BYTES and BF16."""
KNOWN = frozenset({*DTYPES, BYTES, "BF16"})
"""All datatypes of the protocol and of Triton."""
WIDTHS = {**{name: dtype.itemsize for name, dtype in DTYPES.items()}, "BF16": 2}
"""Bytes of an element of binary data."""
ANY = -1
"""Length of an axis that a request chooses."""


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

    def as_json(self) -> dict[str, Any]:
        """Return the tensor with its elements in JSON."""
        return {**self._head(), "data": list(self.elements)}

    def as_nested(self) -> dict[str, Any]:
        """Return the tensor in JSON, a list for each axis."""
        return {**self._head(), "data": _nested(list(self.elements), self.shape)}

    def as_head(self, size: int) -> dict[str, Any]:
        """Return the tensor without its elements, which follow as binary data of some size."""
        return {**self._head(), "parameters": {"binary_data_size": size}}

    def as_binary(self) -> bytes:
        """Return the elements as binary data."""
        if self.datatype == BYTES:
            texts = [str(one).encode() for one in self.elements]
            return b"".join(LENGTH.pack(len(text)) + text for text in texts)
        return np.array(self.elements, DTYPES[self.datatype]).tobytes()

    def rows(self) -> Iterator["FilledTensor"]:
        """Yield the tensor of each row, which is a place of the first axis."""
        count = self.shape[0]
        size = len(self.elements) // count
        for start in range(0, len(self.elements), size):
            yield FilledTensor(
                self.name,
                self.datatype,
                (1, *self.shape[1:]),
                self.elements[start : start + size],
            )

    def _head(self) -> dict[str, Any]:
        return {"name": self.name, "shape": list(self.shape), "datatype": self.datatype}


def elements_of(datatype: str, data: bytes) -> list[Any] | None:
    """Read binary data; None if it is not of the datatype, and of BF16 its bits."""
    if datatype == BYTES:
        return _texts(data)
    dtype = DTYPES.get(datatype, np.dtype("<u2"))
    return np.frombuffer(data, dtype).tolist() if len(data) % dtype.itemsize == 0 else None


def is_element(datatype: str, value: object) -> bool:
    """Return whether a value in JSON can be an element; null is where a number has none."""
    if value is None:
        return datatype not in (TRUTHS, BYTES)
    if datatype == TRUTHS:
        return isinstance(value, bool)
    if datatype == BYTES:
        return isinstance(value, str)
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (
        isinstance(value, float) and datatype.startswith(("FP", "BF"))
    )


def element_count(shape: Sequence[int]) -> int:
    """Return the number of elements of a shape."""
    return prod(shape)


def _texts(data: bytes) -> list[Any] | None:
    found, at = [], 0
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
    size = len(elements) // shape[0]
    rows = (elements[start : start + size] for start in range(0, len(elements), size))
    return [_nested(row, shape[1:]) for row in rows]
