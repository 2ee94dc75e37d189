"""Answers to inference requests, read strictly, and where two differ."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from dubito.conformance.finding import Differs, require
from dubito.conformance.metadata import OK, body_json, json_answer
from dubito.conformance.tensors import (
    DATATYPE_NAMES,
    FilledTensor,
    elements_of,
    flat,
    is_element,
    is_shape,
)
from dubito.conformance.web import INFER_HEADER, WebAnswer

BINARY_MEDIA = "application/octet-stream"
MOST_DIGITS = 18
"""Most digits of a number of bytes."""

Outputs = Mapping[str, FilledTensor]
"""Outputs of an answer by their names, in the order of the answer."""


@dataclass(frozen=True, slots=True)
class InferAnswer:
    """An answer to an inference request."""

    id: str | None
    model_name: str
    model_version: str | None
    outputs: Outputs


def read_infer(answer: WebAnswer) -> InferAnswer:
    """Read an answer, with or without binary data.

    Raises:
        Differs: it is not as the protocol has it.
        NotChecked: the server has no room for the request.
    """
    if answer.json_bytes is None or answer.status != OK:
        return _answer(json_answer(answer), b"")
    head = json_part(answer)
    return _answer(body_json(head), answer.body[len(head.body) :])


def json_part(answer: WebAnswer) -> WebAnswer:
    """Return an answer without the binary data behind its JSON.

    Raises:
        Differs: the header with the number of bytes is wrong.
    """
    size = answer.json_bytes or ""
    is_number = size.isascii() and size.isdigit() and len(size) <= MOST_DIGITS
    require(is_number, f"{INFER_HEADER} is no number")
    require(int(size) <= len(answer.body), f"{INFER_HEADER} is more than the body has")
    return WebAnswer(answer.status, answer.headers, answer.body[: int(size)])


def first_difference(mine: Outputs, theirs: Outputs, names: Iterable[str]) -> str | None:
    """Return the first of some outputs that two answers have differently."""
    for name in names:
        if name not in mine or name not in theirs or not mine[name].is_same(theirs[name]):
            return name
    return None


def _answer(body: Any, binary: bytes) -> InferAnswer:
    if not isinstance(body, dict) or not isinstance(body.get("model_name"), str):
        raise Differs("model_name is no text")
    for name in ("model_version", "id"):
        require(isinstance(body.get(name), str | None), f"{name} is no text")
    if not isinstance(body.get("outputs"), list):
        raise Differs("outputs is no list")
    outputs, rest = dict[str, FilledTensor](), binary
    for place, output in enumerate(body["outputs"]):
        tensor, rest = _output(output, f"outputs[{place}]", rest)
        require(tensor.name not in outputs, f"outputs[{place}].name is there twice")
        outputs[tensor.name] = tensor
    require(not rest, f"{len(rest)} bytes follow the last output")
    return InferAnswer(body.get("id"), body["model_name"], body.get("model_version"), outputs)


def _output(output: Any, place: str, binary: bytes) -> tuple[FilledTensor, bytes]:
    """Read an output, whose binary data is the first that is left; return what is left then."""
    if not isinstance(output, dict) or not isinstance(output.get("name"), str):
        raise Differs(f"{place}.name is no text")
    datatype, shape = output.get("datatype"), output.get("shape")
    if not isinstance(datatype, str) or datatype not in DATATYPE_NAMES:
        raise Differs(f"{place}.datatype is none of the protocol's")
    require(is_shape(shape), f"{place}.shape is no list of lengths")
    parameters = output.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    elements = (
        _json_elements(output.get("data"), datatype, place)
        if size is None
        else _binary_elements(size, datatype, place, binary)
    )
    lengths = tuple(shape or ())
    count = prod(lengths)
    is_whole = len(elements) == count
    require(is_whole, f"{place} has {len(elements)} elements, and its shape has {count}")
    rest = binary if size is None else binary[size:]
    return FilledTensor(output["name"], datatype, lengths, tuple(elements)), rest


def _json_elements(data: Any, datatype: str, place: str) -> list[Any]:
    if not isinstance(data, list):
        raise Differs(f"{place}.data is no list")
    elements = flat(data)
    are_right = all(is_element(datatype, element) for element in elements)
    require(are_right, f"{place}.data has other than {datatype}")
    return elements


def _binary_elements(size: Any, datatype: str, place: str, binary: bytes) -> list[Any]:
    is_number = isinstance(size, int) and not isinstance(size, bool) and size >= 0
    require(is_number, f"{place}.parameters.binary_data_size is no number")
    require(size <= len(binary), f"{place} has fewer bytes than binary_data_size")
    elements = elements_of(datatype, binary[:size])
    if elements is None:
        raise Differs(f"the bytes of {place} are no {datatype}")
    return elements
