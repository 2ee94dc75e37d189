"""Reads request bodies up to a maximum size and within a time limit, whatever they declare."""

import asyncio
import zlib
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import Request
from starlette.types import Message, Receive

from app.http.access import is_of_page
from app.http.connection import arrived
from app.http.problems import Refusal
from app.problem_codes import ProblemCode
from dubito.inputs.faults import plural

JSON_TYPE = "application/json"
JSON = JSON_TYPE.encode()
LENGTH = b"content-length"
BOM = b"\xef\xbb\xbf"
"""UTF-8 byte order mark, which some programs write first; a reader may ignore it (RFC 8259
§8.1)."""

Headers = Mapping[bytes, bytes]
"""Headers of a request, named as ASGI has them; the last of several with one name."""


async def read_body(
    request: Request, most_bytes: int, seconds: float, *, optional: bool = False
) -> bytes:
    """Read the bytes of a JSON body; an empty body that is `optional` needs no media type.

    Args:
        request: the request whose body is read.
        most_bytes: maximum size, bytes.
        seconds: time within which the body must arrive.
        optional: whether the body may be empty.

    Raises:
        Refusal: 415 for another media type or a content coding, 413 for a body that is too large,
            408
            for a body that is not complete in time, 400 if the connection ends before it is.
    """
    headers = dict(request.scope["headers"])
    if not (optional and _is_empty(headers)):
        _check_media_type(headers)
    return (await collect_body(request, most_bytes, seconds)).removeprefix(BOM)


async def collect_body(request: Request, most_bytes: int, seconds: float) -> bytes:
    """Read the bytes of a body of any media type and coding.

    Raises:
        Refusal: as for `read_body`, but for 415.
    """
    declared = dict(request.scope["headers"]).get(LENGTH, b"0")
    if declared.isdigit() and int(declared) > most_bytes:
        raise _too_large(most_bytes)
    first = arrived(request.receive)
    if first is not None and not first.get("more_body", False):
        return _joined([first], most_bytes)
    try:
        async with asyncio.timeout(seconds):
            return await _collect(request.receive, first, most_bytes)
    except TimeoutError:
        detail = f"the body was not complete within {seconds:g} second{plural(seconds)}"
        raise Refusal(
            HTTPStatus.REQUEST_TIMEOUT, ProblemCode.BODY_TOO_SLOW, detail, limit=seconds
        ) from None


async def _collect(receive: Receive, first: Message | None, most_bytes: int) -> bytes:
    messages, size = [first or await receive()], 0
    while messages[-1].get("more_body", False):
        size += len(messages[-1].get("body", b""))
        if size > most_bytes:
            break
        messages.append(await receive())
    return _joined(messages, most_bytes)


def _joined(messages: list[Message], most_bytes: int) -> bytes:
    if messages[-1]["type"] == "http.disconnect":
        raise Refusal(
            HTTPStatus.BAD_REQUEST,
            ProblemCode.BODY_BROKE_OFF,
            "the connection ended before the body was complete",
        )
    body = b"".join([message.get("body", b"") for message in messages])
    if len(body) > most_bytes:
        raise _too_large(most_bytes)
    return body


def _is_empty(headers: Headers) -> bool:
    """Whether the headers of a request declare that no body follows."""
    return headers.get(LENGTH, b"0") == b"0" and b"transfer-encoding" not in headers


def _check_media_type(headers: Headers) -> None:
    """Refuse a body whose media type is not JSON.

    A program may omit the media type; a browser may not. The types that a page of another site can
    send without a preflight request do not include JSON, but do include no type at all.
    """
    given = headers.get(b"content-type")
    if given is None and not is_of_page(headers):
        given = JSON
    if given is None or given.partition(b";")[0].strip().lower() != JSON:
        raise _unsupported(ProblemCode.WRONG_MEDIA_TYPE, f"the body must be {JSON_TYPE}")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise _unsupported(ProblemCode.COMPRESSED, "the body must not be compressed")


def _unsupported(code: ProblemCode, detail: str) -> Refusal:
    return Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, code, detail)


def inflated(body: bytes, coding: str, most_bytes: int) -> bytes:
    """Decompress a body that is in one piece.

    Args:
        body: the body.
        coding: its content coding: `gzip`, `deflate` (zlib's form, RFC 9110 §8.4.1.2), `identity`.
        most_bytes: maximum size, decompressed as well.

    Raises:
        Refusal: 415 for another coding, 413 for a body that is too large, 400 for a broken one.
    """
    bits = INFLATED.get(coding.strip().lower())
    if bits is None:
        raise _unsupported(ProblemCode.COMPRESSED, "the body must be plain, gzip or deflate")
    if bits == 0:
        return body
    inflate = zlib.decompressobj(bits)
    try:
        found = inflate.decompress(body, most_bytes + 1)
    except zlib.error:
        found = b""
    if len(found) > most_bytes:
        raise _too_large(most_bytes)
    if not inflate.eof or inflate.unused_data:
        detail = "the body is not what its content coding says"
        raise Refusal(HTTPStatus.BAD_REQUEST, ProblemCode.COMPRESSED, detail)
    return found


INFLATED = {
    "": 0,
    "identity": 0,
    "gzip": 16 + zlib.MAX_WBITS,
    "x-gzip": 16 + zlib.MAX_WBITS,
    "deflate": zlib.MAX_WBITS,
}
"""Window bits of zlib by content coding; 0 for none."""


def _too_large(most_bytes: int) -> Refusal:
    return Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        ProblemCode.BODY_TOO_LARGE,
        f"the body is larger than {most_bytes} byte{plural(most_bytes)}",
        limit=most_bytes,
    )
