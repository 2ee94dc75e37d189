"""Bodies: read up to a cap and within a time, whatever length they declare."""

import asyncio
from http import HTTPStatus

from fastapi import Request
from starlette.requests import ClientDisconnect

from app.api.problems import Refusal

MEDIA_TYPE = "application/json"


async def read_body(request: Request, most_bytes: int, seconds: float) -> bytes:
    """The bytes of a JSON body.

    Raises:
        Refusal: 415 another media type or a coding, 413 too large, 408 not complete in time.
    """
    _check_media_type(request)
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > most_bytes:
        raise _too_large(most_bytes)
    try:
        async with asyncio.timeout(seconds):
            return await _collect(request, most_bytes)
    except ClientDisconnect:
        raise Refusal(HTTPStatus.BAD_REQUEST, "the body broke off") from None
    except TimeoutError:
        detail = f"the body was not complete within {seconds:g} seconds"
        raise Refusal(HTTPStatus.REQUEST_TIMEOUT, detail) from None


async def _collect(request: Request, most_bytes: int) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most_bytes:
            raise _too_large(most_bytes)
        chunks.append(chunk)
    return b"".join(chunks)


def _check_media_type(request: Request) -> None:
    given = request.headers.get("content-type", MEDIA_TYPE).partition(";")[0].strip().lower()
    if given != MEDIA_TYPE:
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the body must be {MEDIA_TYPE}")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body must not be compressed")


def _too_large(most_bytes: int) -> Refusal:
    return Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {most_bytes} bytes"
    )
