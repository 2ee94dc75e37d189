"""Checks of the extension `binary_tensor_data`, and of compressed bodies."""

import gzip
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from dubito.conformance.check import expects
from dubito.conformance.finding import Basis, Differs, NotChecked, require
from dubito.conformance.infer_answer import BINARY_MEDIA, json_part, read_infer
from dubito.conformance.inference_checks import require_same
from dubito.conformance.metadata import OK, object_answer, read_error
from dubito.conformance.target import TargetServer, encoded_body, with_binary
from dubito.conformance.web import INFER_HEADER, WebAnswer

EXTENSION = "binary_tensor_data"
ALL_BINARY = {"binary_data_output": True}
WRONG_SIZES = ("-1", "x", "", "9" * 30)
"""Values of the header that are no number of bytes."""
CODINGS = "gzip, deflate, br, zstd"
"""Codings that asyncio's tritonclient says it can read."""
COMPRESSIONS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
}


@expects(Basis.EXTENSION)
def binary_inputs(server: TargetServer) -> None:
    """RequestInputs in binary data are those in JSON."""
    server.require_extension(EXTENSION)
    require_same(server, read_infer(server.infer(*with_binary(*server.binary()))))


@expects(Basis.EXTENSION)
def binary_outputs(server: TargetServer) -> None:
    """With binary_data_output all outputs are binary data, of the values in JSON."""
    server.require_extension(EXTENSION)
    answer = _binary_answer(server, parameters={**server.parameters, **ALL_BINARY})
    for output in _json_outputs(answer):
        require("data" not in output, f"{output['name']} is in JSON")
    require_same(server, read_infer(answer))


@expects(Basis.EXTENSION)
def one_binary_output(server: TargetServer) -> None:
    """With binary_data of one output that one is binary data, and others are in JSON."""
    server.require_extension(EXTENSION)
    first, *others = server.answer().outputs or [""]
    wanted = [{"name": first, "parameters": {"binary_data": True}}]
    wanted += [{"name": name, "parameters": {"binary_data": False}} for name in others]
    answer = _binary_answer(server, outputs=wanted)
    for output in _json_outputs(answer):
        is_binary = "data" not in output
        require(is_binary == (output["name"] == first), f"{output['name']} has another form")


@expects(Basis.EXTENSION)
def header_of_json(server: TargetServer) -> None:
    """The header is legal where all of the body is JSON, as the C++ client sends it."""
    server.require_extension(EXTENSION)
    body, headers = with_binary(encoded_body(server.body()), b"")
    require_same(server, read_infer(server.infer(body, headers)))


@expects(Basis.EXTENSION)
def header_in_lower_case(server: TargetServer) -> None:
    """The header's name may be in lower case, as the client of KServe writes it."""
    server.require_extension(EXTENSION)
    head, data = server.binary()
    headers = {"Content-Type": BINARY_MEDIA, INFER_HEADER.lower(): str(len(head))}
    require_same(server, read_infer(server.infer(head + data, headers)))


@expects(Basis.EXTENSION)
def truncated_data(server: TargetServer) -> None:
    """Binary data that ends too early is an error."""
    server.require_extension(EXTENSION)
    head, data = server.binary()
    if not data:
        raise NotChecked("the inputs have no binary data")
    read_error(server.infer(*with_binary(head, data[:-1])))


@expects(Basis.EXTENSION)
def trailing_data(server: TargetServer) -> None:
    """Bytes behind the binary data are an error."""
    server.require_extension(EXTENSION)
    head, data = server.binary()
    read_error(server.infer(*with_binary(head, data + b"\0")))


@expects(Basis.EXTENSION)
def data_of_another_size(server: TargetServer) -> None:
    """Binary data of another size than the shape has is an error."""
    server.require_extension(EXTENSION)
    first, *rest = server.inputs
    data = first.as_binary() + b"\0"
    parts = [tensor.as_binary() for tensor in rest]
    heads = [first.as_head(len(data))]
    heads += [tensor.as_head(len(part)) for tensor, part in zip(rest, parts, strict=True)]
    head = encoded_body(server.body(inputs=heads))
    read_error(server.infer(*with_binary(head, data + b"".join(parts))))


@expects(Basis.EXTENSION)
def wrong_header(server: TargetServer) -> None:
    """A header that is no number, or more than the body has, is an error."""
    server.require_extension(EXTENSION)
    body = encoded_body(server.body())
    for size in (*WRONG_SIZES, str(len(body) + 1)):
        try:
            read_error(server.infer(body, {INFER_HEADER: size}))
        except Differs as error:
            raise Differs(f"of {INFER_HEADER} {size!r}: {error}") from error


@expects(Basis.CLIENTS)
def compressed_body(server: TargetServer) -> None:
    """A body that is compressed with gzip or deflate is read, as tritonclient may send it."""
    plain = encoded_body(server.body())
    for name, compress in COMPRESSIONS.items():
        answer = server.infer(compress(plain), {"Content-Encoding": name})
        require(answer.status == OK, f"of {name} the status is {answer.status}")
        require_same(server, read_infer(answer))


@expects(Basis.CLIENTS)
def plain_metadata(server: TargetServer) -> None:
    """Metadata and errors are not compressed, as asyncio's tritonclient could not read them."""
    headers = {"Accept-Encoding": CODINGS}
    for answer in (server.address.ask(server.path(), headers=headers), server.infer(b"{", headers)):
        coding = answer.headers.get("content-encoding")
        require(coding is None, f"an answer with status {answer.status} is in {coding}")


def _json_outputs(answer: WebAnswer) -> list[dict[str, Any]]:
    """Return the outputs of an answer that has been read, as its JSON has them."""
    outputs: list[dict[str, Any]] = object_answer(_as_json(answer))["outputs"]
    return outputs


def _as_json(answer: WebAnswer) -> WebAnswer:
    head = json_part(answer)
    return WebAnswer(head.status, {**head.headers, "content-type": "application/json"}, head.body)


def _binary_answer(server: TargetServer, **members: Any) -> WebAnswer:
    """Ask for binary data, and return the answer."""
    answer = server.infer(encoded_body(server.body(**members)))
    require(answer.status == OK, f"the status is {answer.status}, not {OK}")
    require(answer.json_bytes is not None, f"the answer has no {INFER_HEADER}")
    media = answer.media_type
    require(media == BINARY_MEDIA, f"the media type is {media}, not {BINARY_MEDIA}")
    read_infer(answer)
    return answer


BINARY_CHECKS = (
    binary_inputs,
    binary_outputs,
    one_binary_output,
    header_of_json,
    header_in_lower_case,
    truncated_data,
    trailing_data,
    data_of_another_size,
    wrong_header,
    compressed_body,
    plain_metadata,
)
"""All of them, in the order of the report."""
