"""Checks of the extension `binary_tensor_data`, and of compressed bodies."""

import gzip
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from dubito.conformance.check import expects
from dubito.conformance.described import OK, json_of, refusal
from dubito.conformance.examined import ExaminedServer, encoded_body, with_binary
from dubito.conformance.finding import Basis, Differs, require
from dubito.conformance.inferred import BINARY_MEDIA, InferAnswer, differing, read_infer
from dubito.conformance.web import INFER_HEADER, WebAnswer

EXTENSION = "binary_tensor_data"
ALL_BINARY = {"binary_data_output": True}
WRONG_SIZES = ("-1", "x", "", "9" * 30)
"""Values of the header that no body has."""


@expects(Basis.EXTENSION)
def binary_inputs(server: ExaminedServer) -> None:
    """Inputs in binary data are those in JSON."""
    server.require_extension(EXTENSION)
    _same(server, read_infer(server.infer(*with_binary(*server.binary()))))


@expects(Basis.EXTENSION)
def binary_outputs(server: ExaminedServer) -> None:
    """With binary_data_output all outputs are binary data, of the values in JSON."""
    server.require_extension(EXTENSION)
    answer = _binary_answer(server, parameters={**server.parameters, **ALL_BINARY})
    told = json_of(_head(answer))
    for one in told["outputs"]:
        require("data" not in one, f"{one['name']} is in JSON")
    _same(server, read_infer(answer))


@expects(Basis.EXTENSION)
def one_binary_output(server: ExaminedServer) -> None:
    """With binary_data of one output that one is binary data, and others are in JSON."""
    server.require_extension(EXTENSION)
    names = list(server.answer().outputs)
    wanted: list[dict[str, Any]] = [{"name": name} for name in names]
    wanted[0]["parameters"] = {"binary_data": True}
    for one in wanted[1:]:
        one["parameters"] = {"binary_data": False}
    answer = _binary_answer(server, outputs=wanted)
    for one in json_of(_head(answer))["outputs"]:
        require(("data" in one) == (one["name"] != names[0]), f"{one['name']} has another form")
    read_infer(answer)


@expects(Basis.EXTENSION)
def header_of_json(server: ExaminedServer) -> None:
    """The header is legal where all of the body is JSON, as the C++ client sends it."""
    server.require_extension(EXTENSION)
    _same(server, read_infer(server.infer(*with_binary(encoded_body(server.body()), b""))))


@expects(Basis.EXTENSION)
def header_in_small_letters(server: ExaminedServer) -> None:
    """The header's name may be in small letters, as the client of KServe writes it."""
    server.require_extension(EXTENSION)
    head, data = server.binary()
    headers = {"Content-Type": BINARY_MEDIA, INFER_HEADER.lower(): str(len(head))}
    _same(server, read_infer(server.infer(head + data, headers)))


@expects(Basis.EXTENSION)
def truncated_data(server: ExaminedServer) -> None:
    """Binary data that ends too early is refused."""
    server.require_extension(EXTENSION)
    head, data = server.binary()
    refusal(server.infer(*with_binary(head, data[:-1])))


@expects(Basis.EXTENSION)
def trailing_data(server: ExaminedServer) -> None:
    """Bytes behind the binary data are refused."""
    server.require_extension(EXTENSION)
    head, data = server.binary()
    refusal(server.infer(*with_binary(head, data + b"\0")))


@expects(Basis.EXTENSION)
def data_of_another_size(server: ExaminedServer) -> None:
    """Binary data of another size than the shape has is refused."""
    server.require_extension(EXTENSION)
    first, *rest = server.inputs
    data = first.as_binary() + b"\0"
    parts = [one.as_binary() for one in rest]
    heads = [first.as_head(len(data))]
    heads += [one.as_head(len(part)) for one, part in zip(rest, parts, strict=True)]
    head = encoded_body(server.body(inputs=heads))
    refusal(server.infer(*with_binary(head, data + b"".join(parts))))


@expects(Basis.EXTENSION)
def wrong_header(server: ExaminedServer) -> None:
    """A header that is no number, or more than the body has, is refused."""
    server.require_extension(EXTENSION)
    body = encoded_body(server.body())
    for size in (*WRONG_SIZES, str(len(body) + 1)):
        try:
            refusal(server.infer(body, {INFER_HEADER: size}))
        except Differs as error:
            raise Differs(f"of {INFER_HEADER} {size!r}: {error}") from error


@expects(Basis.CLIENTS)
def compressed_body(server: ExaminedServer) -> None:
    """A body that is compressed with gzip or deflate is read, as tritonclient may send it."""
    plain = encoded_body(server.body())
    ways: Mapping[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}
    for name, compress in ways.items():
        answer = server.infer(compress(plain), {"Content-Encoding": name})
        require(answer.status == OK, f"of {name} the status is {answer.status}")
        _same(server, read_infer(answer))


@expects(Basis.CLIENTS)
def plain_metadata(server: ExaminedServer) -> None:
    """Metadata and refusals are not compressed, as asyncio's tritonclient could not read them."""
    headers = {"Accept-Encoding": "gzip, deflate, br, zstd"}
    for answer in (server.address.ask(server.path(), headers=headers), server.infer(b"{", headers)):
        coding = answer.headers.get("content-encoding")
        require(
            coding is None, f"an answer with status {answer.status} is compressed with {coding}"
        )


def _binary_answer(server: ExaminedServer, **members: Any) -> WebAnswer:
    """Ask for binary data, and return the answer."""
    answer = server.infer(encoded_body(server.body(**members)))
    require(answer.status == OK, f"the status is {answer.status}, not {OK}")
    require(answer.json_bytes is not None, f"the answer has no {INFER_HEADER}")
    media = answer.media_type
    require(media == BINARY_MEDIA, f"the media type is {media}, not {BINARY_MEDIA}")
    read_infer(answer)
    return answer


def _head(answer: WebAnswer) -> WebAnswer:
    """Return an answer without its binary data."""
    size = int(answer.json_bytes or 0)
    return WebAnswer(answer.status, answer.headers, answer.body[:size])


def _same(server: ExaminedServer, answer: InferAnswer) -> None:
    name = differing(server.repeated, answer.outputs, server.repeated)
    require(name is None, f"{name} is another than of a request in JSON")


BINARY_CHECKS = (
    binary_inputs,
    binary_outputs,
    one_binary_output,
    header_of_json,
    header_in_small_letters,
    truncated_data,
    trailing_data,
    data_of_another_size,
    wrong_header,
    compressed_body,
    plain_metadata,
)
"""All of them, in the order of the report."""
