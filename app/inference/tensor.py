"""Tensors of requests: read from JSON, or from binary data, into numbers and texts."""

import math
import struct
from collections.abc import Mapping, Sequence
from itertools import chain
from types import NoneType
from typing import Any

import numpy as np
from msgspec import Struct

from app.inference.datatypes import BF16, BOOL, BYTES_TYPE, DATATYPES, FP64, Datatype
from dubito.errors import Fault, FieldCode, InvalidInput
from dubito.types import Floats

LENGTH = struct.Struct("<I")
"""Form of the length of a text in binary data."""
PLAIN = (FP64, BYTES_TYPE, BOOL)
"""Datatypes whose elements are taken from JSON as they are."""
SINGLE = ([1], [1, 1])
"""Shapes of one element, of a row."""
LONGEST_AXIS = 2**31 - 1
"""Maximum length of an axis."""
MOST_AXES = 8
"""Maximum axes of a tensor."""
EXACT = 2**53 - 1
"""Largest whole number that no other rounds to in float64."""
BOUNDS: Mapping[str, tuple[int, int]] = {
    name: (max(np.iinfo(one.dtype).min, -EXACT), min(np.iinfo(one.dtype).max, EXACT))
    for name, one in DATATYPES.items()
    if one.kind == "integer"
}
"""Least and largest whole number of each datatype that has some."""
ELEMENTS: Mapping[str, frozenset[type]] = {
    "float": frozenset({float, int, NoneType}),
    "integer": frozenset({int, NoneType}),
    "boolean": frozenset({bool, NoneType}),
    "text": frozenset({str, NoneType}),
}
"""Types of the elements in JSON, by kind: null is a missing value."""
WANTED = {
    "float": (FieldCode.NOT_A_NUMBER, "must be a list of numbers"),
    "integer": (FieldCode.NOT_WHOLE, "must be a list of whole numbers"),
    "boolean": (FieldCode.NOT_TRUE_OR_FALSE, "must be a list of true and false"),
    "text": (FieldCode.NOT_A_TEXT, "must be a list of texts"),
}


class InputTensor(Struct, frozen=True):
    """An input of a request, its elements row-major."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    elements: Sequence[Any] | Floats
    """Texts, numbers or truths, None where one is missing; or float64 `(n,)`, NaN where one is."""
    is_binary: bool = False
    """Whether it has no null, so that an empty text is a missing one where one may be missing."""


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
    if not 1 <= len(shape) <= MOST_AXES or min(shape) < 0 or max(shape) > LONGEST_AXIS:
        message = f"must have a shape of 1 to {MOST_AXES} lengths from 0 to {LONGEST_AXIS:,}"
        raise wrong_input(name, FieldCode.NOT_VALID, message)
    return math.prod(shape)


def single_of(name: str, datatype: str, shape: list[int], data: Any) -> InputTensor | None:
    """Take a tensor of one number, truth or text from JSON; None for any other, right or wrong.

    Most requests have one of each feature, and reading them as `of_json` does takes twice as long.
    """
    found = DATATYPES.get(datatype)
    if found is None or type(data) is not list or len(data) != 1 or shape not in SINGLE:
        return None
    (value,) = data
    if type(value) not in ELEMENTS[found.kind]:
        return None
    if found not in PLAIN:
        least, most = BOUNDS.get(datatype, (1, 0))
        if value is None or not least <= value <= most:
            return None
    return InputTensor(name, found, tuple(shape), data)


def of_json(name: str, datatype: Datatype, shape: tuple[int, ...], data: Any) -> InputTensor:
    """Take a tensor from JSON's values, a flat list or nested ones.

    Raises:
        InvalidInput: an element is of another type, or there are more or fewer than the shape has.
    """
    size = size_of(name, shape)
    elements = _flat(data, shape) if isinstance(data, list) else None
    if elements is None or not ELEMENTS[datatype.kind].issuperset(map(type, elements)):
        raise wrong_input(name, *WANTED[datatype.kind])
    if len(elements) != size:
        raise _other_size(name)
    return InputTensor(name, datatype, shape, _typed(name, datatype, elements))


def of_binary(name: str, datatype: Datatype, shape: tuple[int, ...], data: bytes) -> InputTensor:
    """Read a tensor from binary data: little-endian elements, texts behind their lengths.

    Raises:
        InvalidInput: the data has more or fewer elements than the shape, or a text is no UTF-8.
    """
    size = size_of(name, shape)
    if datatype.kind == "text":
        return InputTensor(name, datatype, shape, _texts(name, data, size), is_binary=True)
    if len(data) != size * datatype.size:
        raise _other_size(name)
    return InputTensor(name, datatype, shape, _widened(name, datatype, data))


def of_numbers(
    name: str, datatype: Datatype, shape: tuple[int, ...], values: Sequence[Any]
) -> InputTensor:
    """Take a tensor from numbers or truths that were read already.

    Raises:
        InvalidInput: there are more or fewer than the shape has, or one that float64 does not have.
    """
    if len(values) != size_of(name, shape):
        raise _other_size(name)
    return InputTensor(name, datatype, shape, _typed(name, datatype, values))


def of_texts(
    name: str, datatype: Datatype, shape: tuple[int, ...], values: Sequence[bytes]
) -> InputTensor:
    """Take a tensor from texts that were read already.

    Raises:
        InvalidInput: there are more or fewer than the shape has, or one is no UTF-8.
    """
    if len(values) != size_of(name, shape):
        raise _other_size(name)
    texts = [_text(name, value) for value in values]
    return InputTensor(name, datatype, shape, texts, is_binary=True)


def wrong_input(name: str, code: FieldCode, message: str) -> InvalidInput:
    """Create the error about an input."""
    return InvalidInput([Fault(("inputs", name), code, message)])


def _flat(data: list[Any], shape: tuple[int, ...]) -> list[Any] | None:
    """Return the elements of lists, if each nested one is as long as its axis, else None."""
    for axis, length in enumerate(shape[1:]):
        if not data or type(data[0]) is not list:
            break
        if len(data) != math.prod(shape[: axis + 1]) or any(
            type(part) is not list or len(part) != length for part in data
        ):
            return None
        data = list(chain.from_iterable(data))
    return data


def _typed(name: str, datatype: Datatype, elements: Sequence[Any]) -> Sequence[Any] | Floats:
    """Convert elements to what the datatype has of them."""
    if datatype in PLAIN:
        return elements
    if datatype is BF16:
        raise wrong_input(name, FieldCode.NOT_ONE_OF, "must be binary data, as BF16 is")
    if datatype.kind == "integer":
        _check_whole(name, datatype, [value for value in elements if value is not None])
        return elements
    try:
        return _numbers(datatype, elements)
    except OverflowError:
        raise wrong_input(name, FieldCode.NOT_FINITE, "must be a finite number") from None


def _numbers(datatype: Datatype, elements: Sequence[Any]) -> Floats:
    """Convert numbers to float64, as an element of a datatype of fewer bits has them."""
    # NumPy makes NaN of None.
    found = np.array(elements, np.float64)
    with np.errstate(over="ignore"):
        return found.astype(datatype.dtype).astype(np.float64)


def _check_whole(name: str, datatype: Datatype, values: Sequence[int]) -> None:
    """Check that whole numbers are in the range of their datatype, and in that of float64."""
    bounds = BOUNDS[datatype.name]
    if values and not (bounds[0] <= min(values) and max(values) <= bounds[1]):
        least, most = bounds
        message = f"must have whole numbers from {least:,} to {most:,}"
        raise InvalidInput(
            [Fault(("inputs", name), FieldCode.NOT_VALID, message, minimum=least, maximum=most)]
        )


def _widened(name: str, datatype: Datatype, data: bytes) -> Floats:
    found = np.frombuffer(data, datatype.dtype)
    if datatype is BF16:
        # A BF16 is the upper half of a float32.
        return (found.astype("<u4") << np.uint32(16)).view("<f4").astype(np.float64)
    if datatype.kind == "boolean" and (found > 1).any():
        raise wrong_input(name, FieldCode.NOT_TRUE_OR_FALSE, "must have bytes of 0 and 1")
    if datatype.kind == "integer" and len(found):
        _check_whole(name, datatype, [int(found.min()), int(found.max())])
    return found.astype(np.float64)


def _texts(name: str, data: bytes, size: int) -> list[str]:
    """Split binary data into texts, each behind its length of four bytes, little-endian."""
    found: list[str] = []
    start = 0
    for _ in range(size):
        if start + 4 > len(data):
            raise _other_size(name)
        (length,) = LENGTH.unpack_from(data, start)
        start += 4 + length
        if start > len(data):
            raise _other_size(name)
        found.append(_text(name, data[start - length : start]))
    if start != len(data):
        raise _other_size(name)
    return found


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise wrong_input(name, FieldCode.NOT_A_TEXT, "must be texts in UTF-8") from None


def _other_size(name: str) -> InvalidInput:
    return wrong_input(name, FieldCode.NOT_VALID, "must have as many elements as its shape")


def _known() -> str:
    return ", ".join(DATATYPES)
