"""Tensors of requests: read from JSON, or from binary data, into numbers and texts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
from msgspec import DecodeError, json

from app.inference.datatypes import BF16, BOOL, BYTES_TYPE, DATATYPES, FP64, Datatype
from dubito.errors import Fault, FieldCode, InvalidInput
from dubito.types import Floats

PLAIN = (FP64, BYTES_TYPE, BOOL)
"""Datatypes whose elements are taken from JSON as they are."""
MOST_AXES = 8
"""Maximum axes of a tensor."""
EXACT = 2**53 - 1
"""Largest whole number that no other rounds to in float64."""
ELEMENTS: dict[str, Any] = {
    "float": float | None,
    "integer": int | None,
    "boolean": bool | None,
    "text": str | None,
}
"""Types of the elements in JSON, by kind: null is a missing value."""
WANTED = {
    "float": (FieldCode.NOT_A_NUMBER, "must be a list of numbers"),
    "integer": (FieldCode.NOT_WHOLE, "must be a list of whole numbers"),
    "boolean": (FieldCode.NOT_TRUE_OR_FALSE, "must be a list of true and false"),
    "text": (FieldCode.NOT_A_TEXT, "must be a list of texts"),
}


@dataclass(frozen=True, slots=True)
class InputTensor:
    """An input of a request, its elements row-major."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    elements: Sequence[Any] | Floats
    """Texts, numbers or truths, None where one is missing; or float64 `(n,)`, NaN where one is."""


def known_datatype(name: str, datatype: str) -> Datatype:
    """Return the datatype that an input names.

    Raises:
        InvalidInput: there is none of this name.
    """
    found = DATATYPES.get(datatype)
    if found is None:
        raise wrong_input(name, FieldCode.NOT_ONE_OF, f"must have one of the datatypes {_known()}")
    return found


def size_of(name: str, shape: Sequence[int]) -> int:
    """Return the number of elements of a shape.

    Raises:
        InvalidInput: an axis has a negative length, or there are none or too many.
    """
    if not 1 <= len(shape) <= MOST_AXES or min(shape) < 0:
        message = f"must have a shape of 1 to {MOST_AXES} lengths of at least 0"
        raise wrong_input(name, FieldCode.NOT_VALID, message)
    return math.prod(shape)


def of_json(name: str, datatype: Datatype, shape: tuple[int, ...], data: bytes) -> InputTensor:
    """Read a tensor from JSON, a flat list or nested ones.

    Raises:
        InvalidInput: an element is of another type, or there are more or fewer than the shape has.
    """
    size = size_of(name, shape)
    try:
        elements = _flat(data, datatype, shape)
    except (DecodeError, UnicodeDecodeError):
        raise wrong_input(name, *WANTED[datatype.kind]) from None
    if len(elements) != size:
        raise _other_size(name, size)
    plain = datatype in PLAIN
    return InputTensor(
        name, datatype, shape, elements if plain else _numbers(name, datatype, elements)
    )


def of_binary(name: str, datatype: Datatype, shape: tuple[int, ...], data: bytes) -> InputTensor:
    """Read a tensor from binary data: little-endian elements, texts behind their lengths.

    An empty text is a missing one: no category is empty.

    Raises:
        InvalidInput: the data has more or fewer elements than the shape, or a text is no UTF-8.
    """
    size = size_of(name, shape)
    if datatype.kind == "text":
        return InputTensor(name, datatype, shape, _texts(name, data, size))
    if len(data) != size * datatype.size:
        raise _other_size(name, size)
    return InputTensor(name, datatype, shape, _widened(name, datatype, data))


def of_numbers(
    name: str, datatype: Datatype, shape: tuple[int, ...], values: Sequence[Any]
) -> InputTensor:
    """Take a tensor from numbers or truths that were read already.

    Raises:
        InvalidInput: there are more or fewer than the shape has, or one that float64 does not have.
    """
    if len(values) != size_of(name, shape):
        raise _other_size(name, math.prod(shape))
    elements = values if datatype in PLAIN else _numbers(name, datatype, values)
    return InputTensor(name, datatype, shape, elements)


def of_texts(
    name: str, datatype: Datatype, shape: tuple[int, ...], values: Sequence[bytes]
) -> InputTensor:
    """Take a tensor from texts that were read already; an empty one is missing.

    Raises:
        InvalidInput: there are more or fewer than the shape has, or one is no UTF-8.
    """
    if len(values) != size_of(name, shape):
        raise _other_size(name, math.prod(shape))
    return InputTensor(name, datatype, shape, [_text(name, value) for value in values])


def wrong_input(name: str, code: FieldCode, message: str) -> InvalidInput:
    """Create the error about an input."""
    return InvalidInput([Fault(("inputs", name), code, message)])


def _flat(data: bytes, datatype: Datatype, shape: tuple[int, ...]) -> list[Any]:
    """Decode JSON to a flat list; the lists of every axis have its length, or the data is flat."""
    is_nested = data.lstrip()[1:].lstrip()[:1] == b"["
    depth = len(shape) if is_nested else 1
    elements: list[Any] = _decoder(datatype.kind, depth).decode(data)
    for length in shape[1:depth]:
        if any(len(part) != length for part in elements):
            raise DecodeError
        elements = list(chain.from_iterable(elements))
    return elements


@cache
def _decoder(kind: str, depth: int) -> json.Decoder[list[Any]]:
    """Create a decoder of lists of a kind of elements, nested so deep."""
    lists: Any = ELEMENTS[kind]
    for _ in range(depth):
        lists = list[lists]
    return json.Decoder(lists)


def _numbers(name: str, datatype: Datatype, elements: Sequence[Any]) -> Floats:
    """Convert numbers to float64, as an element of the datatype has them."""
    # NumPy makes NaN of None.
    found = np.array(elements, np.float64)
    if datatype.kind == "integer":
        return _whole(name, datatype, found)
    if datatype is BF16:
        return _as_bf16(found)
    with np.errstate(over="ignore"):
        return found.astype(datatype.dtype).astype(np.float64)


def _whole(name: str, datatype: Datatype, found: Floats) -> Floats:
    """Check that numbers are in the range of the datatype, and in that of float64."""
    bounds = np.iinfo(datatype.dtype)
    least, most = max(bounds.min, -EXACT), min(bounds.max, EXACT)
    if ((found < least) | (found > most)).any():
        message = f"must have whole numbers from {least:,} to {most:,}"
        raise InvalidInput(
            [Fault(("inputs", name), FieldCode.NOT_VALID, message, minimum=least, maximum=most)]
        )
    return found


def _as_bf16(values: Floats) -> Floats:
    """Round to BF16, the upper half of a float32: to nearest, a tie to even."""
    with np.errstate(over="ignore"):
        bits = values.astype("<f4").view("<u4").astype(np.uint64)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    kept = np.where(np.isnan(values), bits >> 16 | 0x40, rounded)
    return _of_bf16(kept.astype("<u2"))


def _of_bf16(halves: Any) -> Floats:
    found: Floats = (halves.astype("<u4") << np.uint32(16)).view("<f4").astype(np.float64)
    return found


def _widened(name: str, datatype: Datatype, data: bytes) -> Floats:
    found = np.frombuffer(data, datatype.dtype)
    if datatype is BF16:
        return _of_bf16(found)
    if datatype.kind == "boolean" and (found > 1).any():
        raise wrong_input(name, FieldCode.NOT_TRUE_OR_FALSE, "must have bytes of 0 and 1")
    wide: Floats = found.astype(np.float64)
    return _whole(name, datatype, wide) if datatype.kind == "integer" else wide


def _texts(name: str, data: bytes, size: int) -> list[str | None]:
    """Split binary data into texts, each behind its length of four bytes, little-endian."""
    found: list[str | None] = []
    start = 0
    while start < len(data) and len(found) < size:
        end = start + 4 + int.from_bytes(data[start : start + 4], "little")
        if start + 4 > len(data) or end > len(data):
            break
        found.append(_text(name, data[start + 4 : end]))
        start = end
    if len(found) != size or start != len(data):
        raise _other_size(name, size)
    return found


def _text(name: str, value: bytes) -> str | None:
    try:
        return value.decode() or None
    except UnicodeDecodeError:
        raise wrong_input(name, FieldCode.NOT_A_TEXT, "must be texts in UTF-8") from None


def _other_size(name: str, size: int) -> InvalidInput:
    message = f"must have the {size:,} elements of its shape"
    return wrong_input(name, FieldCode.NOT_VALID, message)


def _known() -> str:
    return ", ".join(DATATYPES)
