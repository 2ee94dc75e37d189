"""Answers to inference requests, read strictly, and whether two are the same."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dubito.conformance.described import OK, good_json, json_of
from dubito.conformance.finding import Differs, require
from dubito.conformance.tensors import WIDTHS, FilledTensor, element_count, elements_of, is_element
from dubito.conformance.web import INFER_HEADER, WebAnswer

CLOSE, NEAR = 1e-5, 1e-8
"""Relative and absolute difference of two numbers that count as the same, of any batch."""
BINARY_MEDIA = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class InferAnswer:
    """Outputs of an answer by their names, in the order of the answer."""

    id: str | None
    model_name: str
    model_version: str | None
    outputs: Mapping[str, FilledTensor]


def read_infer(answer: WebAnswer) -> InferAnswer:
    """Read an answer, with or without binary data.

    Raises:
        Differs: it is not as the protocol has it.
    """
    size = answer.json_bytes
    if size is None or answer.status != OK:
        return _answer(good_json(answer), b"")
    require(size.isascii() and size.isdigit(), f"{INFER_HEADER} is no number")
    length = int(size)
    require(length <= len(answer.body), f"{INFER_HEADER} is more than the body has")
    head = WebAnswer(answer.status, answer.headers, answer.body[:length])
    return _answer(json_of(head), answer.body[length:])


def differing(
    one: Mapping[str, FilledTensor], other: Mapping[str, FilledTensor], names: Iterable[str]
) -> str | None:
    """Return the first of some outputs that two answers have differently."""
    for name in names:
        mine, theirs = one.get(name), other.get(name)
        if mine is None or theirs is None or not _are_same(mine, theirs):
            return name
    return None


def _are_same(one: FilledTensor, other: FilledTensor) -> bool:
    return element_count(one.shape) == element_count(other.shape) and all(
        map(_is_same, one.elements, other.elements)
    )


def _is_same(one: Any, other: Any) -> bool:
    if _is_number(one) and _is_number(other):
        return math.isclose(one, other, rel_tol=CLOSE, abs_tol=NEAR)
    return (_has_no_number(one) and _has_no_number(other)) or bool(one == other)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _has_no_number(value: Any) -> bool:
    """Return whether a value is what stands for no number: null in JSON, NaN or ∞ in binary."""
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _answer(told: Any, binary: bytes) -> InferAnswer:
    require(isinstance(told, dict), "the answer is no object")
    name, version, ident = told.get("model_name"), told.get("model_version"), told.get("id")
    require(isinstance(name, str), "model_name is no text")
    require(version is None or isinstance(version, str), "model_version is no text")
    require(ident is None or isinstance(ident, str), "id is no text")
    outputs = told.get("outputs")
    require(isinstance(outputs, list), "outputs is no list")
    found, rest = {}, binary
    for at, one in enumerate(outputs):
        tensor, rest = _output(one, f"outputs[{at}]", rest)
        require(tensor.name not in found, f"outputs[{at}].name is there twice")
        found[tensor.name] = tensor
    require(not rest, f"{len(rest)} bytes follow the last output")
    return InferAnswer(ident, name, version, found)


def _output(told: Any, place: str, binary: bytes) -> tuple[FilledTensor, bytes]:
    if not isinstance(told, dict):
        raise Differs(f"{place} is no object")
    name, datatype, shape = (told.get(part) for part in ("name", "datatype", "shape"))
    require(isinstance(name, str), f"{place}.name is no text")
    require(
        datatype in WIDTHS or datatype == "BYTES", f"{place}.datatype is none of the protocol's"
    )
    is_shape = isinstance(shape, list) and all(
        isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in shape
    )
    require(is_shape, f"{place}.shape is no list of lengths")
    parameters = told.get("parameters") or {}
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    elements: Sequence[Any] | None
    if size is None:
        elements, rest = _json_elements(told.get("data"), str(datatype), place), binary
    else:
        require(isinstance(size, int), f"{place}.parameters.binary_data_size is no number")
        require(0 <= size <= len(binary), f"{place} has fewer bytes than binary_data_size")
        elements, rest = elements_of(str(datatype), binary[:size]), binary[size:]
    if elements is None:
        raise Differs(f"the bytes of {place} are no {datatype}")
    count = element_count(shape or ())
    require(
        len(elements) == count, f"{place} has {len(elements)} elements, and its shape has {count}"
    )
    return FilledTensor(str(name), str(datatype), tuple(shape or ()), tuple(elements)), rest


def _json_elements(data: Any, datatype: str, place: str) -> Sequence[Any]:
    require(isinstance(data, list), f"{place}.data is no list")
    elements = list(_flat(data))
    require(
        all(is_element(datatype, one) for one in elements),
        f"{place}.data has other than {datatype}",
    )
    return elements


def _flat(data: Iterable[Any]) -> Iterable[Any]:
    for one in data:
        if isinstance(one, list):
            yield from _flat(one)
        else:
            yield one
