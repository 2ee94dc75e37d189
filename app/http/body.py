"""Bodies: read up to a cap and within a time, whatever length they declare."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import Request
from starlette.types import Message, Receive

from app.http.access import is_of_page
from app.http.connection import arrived
from app.http.problems import Refusal
from app.problem_codes import ProblemCode
from dubito.inputs.faults import plural

MEDIA_TYPE = "application/json"
JSON = MEDIA_TYPE.encode()
LENGTH = b"content-length"
BOM = b"\xef\xbb\xbf"
"""Some programs begin a text with it; a reader may pass over it (RFC 8259 §8.1)."""

Headers = Mapping[bytes, bytes]
"""Of a request, as ASGI has them; the last of one name."""


async def read_body(
    request: Request, most_bytes: int, seconds: float, *, optional: bool = False
) -> bytes:
    """The bytes of a JSON body; where it is `optional`, an empty one needs no media type.

    Raises:
        Refusal: 415 another media type or a coding, 413 too large, 408 not complete in time.
    """
    headers = dict(request.scope["headers"])
    if not (optional and _is_empty(headers)):
        _check_media_type(headers)
    declared = headers.get(LENGTH, b"0")
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
        raise Refusal(HTTPStatus.BAD_REQUEST, ProblemCode.BODY_BROKE_OFF, "the body broke off")
    body = b"".join([message.get("body", b"") for message in messages])
    if len(body) > most_bytes:
        raise _too_large(most_bytes)
    return body.removeprefix(BOM)


def _is_empty(headers: Headers) -> bool:
    """Whether the head of a request says that no body follows."""
    return headers.get(LENGTH, b"0") == b"0" and b"transfer-encoding" not in headers


def _check_media_type(headers: Headers) -> None:
    """Refuse what is not called JSON.

    A program may leave the type out. A browser may not: of the types that a page of another site
    can send without asking first, none is JSON, and none at all is one of them.
    """
    given = headers.get(b"content-type")
    if given is None and not is_of_page(headers):
        given = JSON
    if given is None or given.partition(b";")[0].strip().lower() != JSON:
        raise _unsupported(ProblemCode.WRONG_MEDIA_TYPE, f"the body must be {MEDIA_TYPE}")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise _unsupported(ProblemCode.COMPRESSED, "the body must not be compressed")


def _unsupported(code: ProblemCode, detail: str) -> Refusal:
    return Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, code, detail)


def _too_large(most_bytes: int) -> Refusal:
    return Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        ProblemCode.BODY_TOO_LARGE,
        f"the body is larger than {most_bytes} byte{plural(most_bytes)}",
        limit=most_bytes,
    )
