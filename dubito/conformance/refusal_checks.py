"""Checks of requests that are wrong: each is an error with a sentence."""

from collections.abc import Iterator
from typing import Any

from dubito.conformance.check import expects
from dubito.conformance.finding import Basis, Differs, NotChecked, require
from dubito.conformance.infer_answer import read_infer
from dubito.conformance.metadata import CALLERS, JSON_MEDIA, OK, read_error
from dubito.conformance.target import TargetServer, encoded_body
from dubito.conformance.tensors import BOOLEAN, BYTES

BROKEN: tuple[bytes, ...] = (b"", b"{", b"[]", b"7", b"\xff\xfe", b"{}", b'{"inputs": 7}')
NO_SHAPES: tuple[object, ...] = ([-1], [1.5], ["1"], 1, None)
DEEP = 100_000
"""Lists within each other, more than any parser goes down."""


@expects(Basis.CLIENTS)
def error_media_type(server: TargetServer) -> None:
    """The media type of an error is exactly `application/json`, or KServe's client reads none."""
    answer = server.infer(b"{")
    read_error(answer)
    media = answer.media_type
    require(media == JSON_MEDIA, f"the media type is {media or 'missing'}")


@expects(Basis.CARE)
def callers_fault(server: TargetServer) -> None:
    """What is wrong with a request has a status from 400 to 499, no failure of the server's."""
    for what, body in (("{", b"{"), *_wrong_inputs(server)):
        status = server.infer(body).status
        require(status in CALLERS, f"of {what} the status is {status}")


@expects(Basis.PROTOCOL)
def broken_body(server: TargetServer) -> None:
    """A body that is no request is an error."""
    for body in BROKEN:
        _require_error(server, body, f"the body {body.decode('ascii', 'backslashreplace')!r}")


@expects(Basis.PROTOCOL)
def deep_body(server: TargetServer) -> None:
    """A body of endless lists is an error, and the server lives on."""
    _require_error(server, b"[" * DEEP, "a body of endless lists")
    server.answer()


@expects(Basis.PROTOCOL)
def no_inputs(server: TargetServer) -> None:
    """A request without inputs is an error, unless all are optional."""
    if len(_optional(server)) == len(server.inputs):
        raise NotChecked("all inputs are optional")
    _require_error(server, encoded_body(server.body(inputs=[])), "a request without inputs")


@expects(Basis.PROTOCOL)
def missing_input(server: TargetServer) -> None:
    """A request that lacks one of several inputs is an error, unless that is optional."""
    required = [tensor for tensor in server.inputs if tensor.name not in _optional(server)]
    if not required or len(server.inputs) == 1:
        raise NotChecked("no input can be missing beside others")
    rest = tuple(tensor for tensor in server.inputs if tensor is not required[0])
    body = encoded_body(server.body(rest))
    if not server.configuration and server.infer(body).status == OK:
        raise NotChecked("the input may be optional, and there is no configuration that says so")
    _require_error(server, body, f"a request without {required[0].name}")


@expects(Basis.CARE)
def unknown_input(server: TargetServer) -> None:
    """An input that the model does not have is an error."""
    inputs = [tensor.as_json() for tensor in server.inputs]
    more = [*inputs, {**inputs[0], "name": "no-such-input"}]
    _require_error(server, encoded_body(server.body(inputs=more)), "an unknown input")


@expects(Basis.CARE)
def input_twice(server: TargetServer) -> None:
    """An input that is there twice is an error."""
    inputs = [tensor.as_json() for tensor in server.inputs]
    body = encoded_body(server.body(inputs=[*inputs, inputs[0]]))
    _require_error(server, body, "an input that is there twice")


@expects(Basis.PROTOCOL)
def unknown_datatype(server: TargetServer) -> None:
    """A datatype that the protocol does not have is an error."""
    _require_error(server, _changed(server, datatype="FP63"), "the datatype FP63")


@expects(Basis.PROTOCOL)
def wrong_datatype(server: TargetServer) -> None:
    """Texts where the model has numbers, and a number where it has texts, are an error."""
    is_text = server.full.datatype == BYTES
    datatype, element = ("INT64", 7) if is_text else (BYTES, "text")
    data = [element] * len(server.full.elements)
    _require_error(server, _changed(server, datatype=datatype, data=data), f"{datatype}")


@expects(Basis.PROTOCOL)
def element_of_another_kind(server: TargetServer) -> None:
    """An element that is not of the declared datatype is an error."""
    element: Any = {} if server.full.datatype in (BOOLEAN, BYTES) else "text"
    data = [element] * len(server.full.elements)
    _require_error(server, _changed(server, data=data), "elements of another kind")


@expects(Basis.PROTOCOL)
def too_few_elements(server: TargetServer) -> None:
    """Fewer elements than the shape has are an error."""
    data = list(server.full.elements[1:])
    _require_error(server, _changed(server, data=data), "too few elements")


@expects(Basis.PROTOCOL)
def too_many_elements(server: TargetServer) -> None:
    """More elements than the shape has are an error."""
    elements = server.full.elements
    _require_error(server, _changed(server, data=[*elements, elements[0]]), "too many elements")


@expects(Basis.PROTOCOL)
def wrong_shape(server: TargetServer) -> None:
    """A shape that has a negative or no length, or is none, is an error."""
    for shape in NO_SHAPES:
        _require_error(server, _changed(server, shape=shape), f"the shape {shape}")


@expects(Basis.PROTOCOL)
def huge_shape(server: TargetServer) -> None:
    """A shape of more elements than any memory has is an error at once."""
    _require_error(server, _changed(server, shape=[1 << 62, 1 << 62]), "a huge shape")


@expects(Basis.PROTOCOL)
def alive_after_errors(server: TargetServer) -> None:
    """A server that has found an error answers the next request."""
    good = encoded_body(server.body())
    server.infer(b"{")
    read_infer(server.infer(good))


def _wrong_inputs(server: TargetServer) -> Iterator[tuple[str, bytes]]:
    elements = server.full.elements
    yield "no inputs", encoded_body(server.body(inputs=[]))
    yield "the datatype FP63", _changed(server, datatype="FP63")
    yield "too few elements", _changed(server, data=list(elements[1:]))
    yield "too many elements", _changed(server, data=[*elements, elements[0]])
    yield "a huge shape", _changed(server, shape=[1 << 62, 1 << 62])


def _optional(server: TargetServer) -> set[str]:
    """Return the names of the inputs that the configuration calls optional."""
    inputs = server.configuration.get("input")
    return {
        str(tensor.get("name"))
        for tensor in (inputs if isinstance(inputs, list) else [])
        if isinstance(tensor, dict) and tensor.get("optional") is True
    }


def _changed(server: TargetServer, **changes: Any) -> bytes:
    """Return a request whose first input is changed."""
    first, *rest = (tensor.as_json() for tensor in (server.full, *server.inputs[1:]))
    return encoded_body(server.body(inputs=[{**first, **changes}, *rest]))


def _require_error(server: TargetServer, body: bytes, what: str) -> None:
    try:
        read_error(server.infer(body))
    except Differs as error:
        raise Differs(f"of {what}: {error}") from error


REFUSAL_CHECKS = (
    error_media_type,
    callers_fault,
    broken_body,
    deep_body,
    no_inputs,
    missing_input,
    unknown_input,
    input_twice,
    unknown_datatype,
    wrong_datatype,
    element_of_another_kind,
    too_few_elements,
    too_many_elements,
    wrong_shape,
    huge_shape,
    alive_after_errors,
)
"""All of them, in the order of the report."""
