"""Tensors of requests: JSON and binary data have the same elements, as their datatype has them."""

import json
import struct
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inference.datatypes import DATATYPES
from app.inference.tensor import of_binary, of_json
from dubito.errors import InvalidInput

FLOATS = {"FP16": np.float16, "FP32": np.float32, "FP64": np.float64, "BF16": ml_dtypes.bfloat16}
WHOLE = {name: one.dtype for name, one in DATATYPES.items() if one.kind == "integer"}
EXACT = 2**53 - 1
numbers = st.one_of(st.none(), st.floats(-1e38, 1e38), st.floats(-10, 10), st.just(0.0))
texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)


def floats(elements: Any) -> Any:
    return np.array(elements, np.float64)


@given(st.sampled_from(sorted(FLOATS)), st.lists(numbers, min_size=1, max_size=6))
def test_floats_are_widened_exactly(name: str, given_: list[float | None]) -> None:
    """Rounded to their datatype as NumPy and ml_dtypes round, in JSON; NaN where one is missing."""
    with np.errstate(over="ignore"):
        typed = np.array(given_, np.float64).astype(FLOATS[name])
    shape = (len(given_),)
    if name != "BF16":
        of_text = of_json("x", DATATYPES[name], shape, given_)
        wanted = typed.astype(np.float64)
        np.testing.assert_array_equal(wanted, floats(of_text.elements))
    of_data = of_binary("x", DATATYPES[name], shape, typed.tobytes())
    wanted = typed.astype(np.float64)
    np.testing.assert_array_equal(wanted, floats(of_data.elements))


@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_whole_numbers_are_exact_or_refused(name: str, data: st.DataObject) -> None:
    """Beyond 2^53, and outside of the datatype, none is taken for another."""
    bounds = np.iinfo(WHOLE[name])
    value = data.draw(st.integers(bounds.min, bounds.max) | st.integers(-3, 300))
    is_exact = abs(value) <= EXACT
    typed = np.array([value if bounds.min <= value <= bounds.max else 0], WHOLE[name])
    reads: list[tuple[bool, Callable[[], Any]]] = [
        (True, lambda: of_binary("x", DATATYPES[name], (1,), typed.tobytes())),
        (False, lambda: of_json("x", DATATYPES[name], (1,), [value])),
    ]
    for is_in, read in reads:
        if is_in and not bounds.min <= value <= bounds.max:
            continue
        if is_exact and bounds.min <= value <= bounds.max:
            assert value == int(floats(read().elements)[0])
        else:
            with pytest.raises(InvalidInput, match="whole numbers"):
                read()


@given(st.lists(st.none() | texts, min_size=1, max_size=5))
def test_texts_of_both_forms(given_: list[str | None]) -> None:
    """In binary data behind their lengths, where none is missing by itself."""
    parts = [b"" if one is None else one.encode() for one in given_]
    data = b"".join(struct.pack("<I", len(part)) + part for part in parts)
    shape = (len(given_),)
    found = of_binary("x", DATATYPES["BYTES"], shape, data)
    assert found.is_binary
    assert [one or "" for one in given_] == list(found.elements)
    assert given_ == list(of_json("x", DATATYPES["BYTES"], shape, given_).elements)


def test_nested_lists_are_flat_ones() -> None:
    """Row-major, whatever the shape; lists of another length than their axis are refused."""
    whole = np.arange(12.0).reshape(2, 3, 2)
    for data in (whole, whole.ravel()):
        found = of_json("x", DATATYPES["FP64"], (2, 3, 2), data.tolist())
        np.testing.assert_array_equal(whole.ravel(), floats(found.elements))
    with pytest.raises(InvalidInput, match="list of numbers"):
        of_json("x", DATATYPES["FP64"], (2, 2), [[1, 2, 3], [4]])


@pytest.mark.parametrize(
    ("datatype", "shape", "text", "fault"),
    [
        ("FP64", (1,), "[true]", "must be a list of numbers"),
        ("FP64", (1,), '["1"]', "must be a list of numbers"),
        ("FP64", (1,), "[[[1]]]", "must be a list of numbers"),
        ("FP64", (1,), "null", "must be a list of numbers"),
        ("INT64", (1,), "[1.5]", "must be a list of whole numbers"),
        ("BOOL", (1,), "[1]", "must be a list of true and false"),
        ("BYTES", (1,), "[1]", "must be a list of texts"),
        ("FP64", (2,), "[1]", "must have as many elements as its shape"),
        ("FP64", (), "[1]", "must have a shape of 1 to 8 lengths"),
        ("FP64", (-1,), "[1]", "must have a shape of 1 to 8 lengths"),
        ("FP64", (2**62, 2**62), "[1]", "elements as its shape|lengths from 0"),
    ],
)
def test_wrong_json_is_refused(
    datatype: str, shape: tuple[int, ...], text: str, fault: str
) -> None:
    """With what must be there, and without what is."""
    with pytest.raises(InvalidInput, match=fault):
        of_json("x", DATATYPES[datatype], shape, json.loads(text))


@pytest.mark.parametrize(
    ("datatype", "shape", "data", "fault"),
    [
        ("FP64", (1,), b"1234567", "as many elements"),
        ("FP64", (2**60,), b"12345678", "elements as its shape|lengths from 0"),
        ("BOOL", (1,), b"\x02", "must have bytes of 0 and 1"),
        ("BYTES", (1,), b"\x01\0\0", "as many elements"),
        ("BYTES", (1,), b"\x02\0\0\0a", "as many elements"),
        ("BYTES", (1,), b"\x01\0\0\0ab", "as many elements"),
        ("BYTES", (2,), b"\x01\0\0\0a", "as many elements"),
        ("BYTES", (1,), b"\x01\0\0\0\xff", "must be texts in UTF-8"),
    ],
)
def test_wrong_binary_data_is_refused(
    datatype: str, shape: tuple[int, ...], data: bytes, fault: str
) -> None:
    """Too short, too long, or not of the datatype."""
    with pytest.raises(InvalidInput, match=fault):
        of_binary("x", DATATYPES[datatype], shape, data)
