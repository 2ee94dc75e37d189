"""Checks of requests that are wrong: each is refused with a status of 400 to 499 and a sentence."""

from typing import Any

from dubito.conformance.check import expects
from dubito.conformance.described import JSON_MEDIA, refusal
from dubito.conformance.examined import ExaminedServer, encoded_body
from dubito.conformance.finding import Basis, Differs, NotChecked, require
from dubito.conformance.inferred import read_infer
from dubito.conformance.tensors import BYTES, TRUTHS

BROKEN: tuple[bytes, ...] = (b"", b"{", b"[]", b"7", b"\xff\xfe", b"{}", b'{"inputs": 7}')
DEEP = 100_000
"""Lists within each other, more than any parser goes down."""


@expects(Basis.CLIENTS)
def error_media_type(server: ExaminedServer) -> None:
    """The media type of a refusal is exactly `application/json`, or KServe's client reads none."""
    answer = server.infer(b"{")
    refusal(answer)
    media = answer.media_type
    require(media == JSON_MEDIA, f"the media type is {media or 'missing'}")


@expects(Basis.PROTOCOL)
def broken_body(server: ExaminedServer) -> None:
    """A body that is no request is refused."""
    for body in BROKEN:
        _refused(server, body, f"the body {body.decode('ascii', 'backslashreplace')!r}")


@expects(Basis.PROTOCOL)
def deep_body(server: ExaminedServer) -> None:
    """A body of endless lists is refused, and the server lives on."""
    _refused(server, b"[" * DEEP, "a body of endless lists")
    server.answer()


@expects(Basis.PROTOCOL)
def no_inputs(server: ExaminedServer) -> None:
    """A request without inputs is refused."""
    _refused(server, encoded_body(server.body(inputs=[])), "no input")


@expects(Basis.PROTOCOL)
def missing_input(server: ExaminedServer) -> None:
    """A request that lacks one of several inputs is refused."""
    if len(server.inputs) == 1:
        raise NotChecked("the model has one input")
    body = encoded_body(server.body(server.inputs[1:]))
    _refused(server, body, "a request without its first input")


@expects(Basis.PROTOCOL)
def unknown_input(server: ExaminedServer) -> None:
    """An input that the model does not have is refused."""
    told = [*_inputs(server), {**_inputs(server)[0], "name": "no-such-input"}]
    _refused(server, encoded_body(server.body(inputs=told)), "an unknown input")


@expects(Basis.PROTOCOL)
def input_twice(server: ExaminedServer) -> None:
    """An input that is there twice is refused."""
    told = [*_inputs(server), _inputs(server)[0]]
    _refused(server, encoded_body(server.body(inputs=told)), "an input that is there twice")


@expects(Basis.PROTOCOL)
def unknown_datatype(server: ExaminedServer) -> None:
    """A datatype that the protocol does not have is refused."""
    _changed(server, datatype="FP63")


@expects(Basis.PROTOCOL)
def wrong_datatype(server: ExaminedServer) -> None:
    """Texts where the model has numbers, and a number where it has texts, are refused."""
    kind = server.inputs[0].datatype
    other, element = ("INT64", 7) if kind == BYTES else (BYTES, "text")
    _changed(server, datatype=other, data=[element] * len(server.inputs[0].elements))


@expects(Basis.PROTOCOL)
def element_of_another_kind(server: ExaminedServer) -> None:
    """An element that is not of the declared datatype is refused."""
    is_text = server.inputs[0].datatype in (TRUTHS, BYTES)
    element: Any = {} if is_text else "text"
    _changed(server, data=[element] * len(server.inputs[0].elements))


@expects(Basis.PROTOCOL)
def too_few_elements(server: ExaminedServer) -> None:
    """Fewer elements than the shape has are refused."""
    _changed(server, data=list(server.inputs[0].elements[1:]))


@expects(Basis.PROTOCOL)
def too_many_elements(server: ExaminedServer) -> None:
    """More elements than the shape has are refused."""
    first = server.inputs[0].elements
    _changed(server, data=[*first, first[0]])


@expects(Basis.PROTOCOL)
def wrong_shape(server: ExaminedServer) -> None:
    """A shape that has a negative or no length, or is none, is refused."""
    for shape in ([-1], [1.5], ["1"], 1, None):
        _changed(server, shape=shape)


@expects(Basis.PROTOCOL)
def huge_shape(server: ExaminedServer) -> None:
    """A shape of more elements than any memory has is refused at once."""
    _changed(server, shape=[1 << 62, 1 << 62])


@expects(Basis.PROTOCOL)
def alive_after_refusals(server: ExaminedServer) -> None:
    """A server that has refused requests answers the next one."""
    good = encoded_body(server.body())
    server.infer(b"{")
    read_infer(server.infer(good))


def _inputs(server: ExaminedServer) -> list[dict[str, Any]]:
    return [one.as_json() for one in server.inputs]


def _changed(server: ExaminedServer, **changes: Any) -> None:
    """Require that a request whose first input is changed is refused."""
    first, *rest = _inputs(server)
    told = [{**first, **changes}, *rest]
    _refused(server, encoded_body(server.body(inputs=told)), f"another {', '.join(changes)}")


def _refused(server: ExaminedServer, body: bytes, what: str) -> None:
    try:
        refusal(server.infer(body))
    except Differs as error:
        raise Differs(f"of {what}: {error}") from error


REFUSAL_CHECKS = (
    error_media_type,
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
    alive_after_refusals,
)
"""All of them, in the order of the report."""
