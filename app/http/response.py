"""JSON responses, and responses in parts, between which the event loop serves other requests."""

import asyncio
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi import Response
from msgspec import Struct, json
from starlette.types import Receive, Scope, Send

from app.http.body import JSON, JSON_TYPE

BYTES_AT_A_TIME = 1 << 16


def json_response(content: Struct) -> Response:
    """Create a JSON response; NaN and infinities become null."""
    return Response(json.encode(content), media_type=JSON_TYPE)


def names(tags: str, tag: str) -> bool:
    """Whether an `If-None-Match` header names a tag, weak or strong alike (RFC 9110)."""
    known = {tag.removeprefix("W/"), "*"}
    return any(one.strip().removeprefix("W/") in known for one in tags.split(","))


class WholeJson(Response):
    """A JSON response that was encoded already, without the steps that it does not need."""

    def __init__(self, content: bytes) -> None:
        """Keep the body."""
        self.status_code = HTTPStatus.OK
        self.background = None
        self.body = content
        self.raw_headers = [
            (b"content-length", b"%d" % len(content)),
            (b"content-type", JSON),
        ]

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send the response."""
        head = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(head)
        await send({"type": "http.response.body", "body": self.body})


class InParts(Response):
    """A response whose body is sent in parts."""

    def __init__(
        self,
        parts: Sequence[bytes | memoryview],
        media_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep the parts of the body, in order."""
        super().__init__(media_type=media_type, headers=headers)
        self._parts = parts
        self.headers["content-length"] = str(sum(map(len, parts)))

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send the response, at least `BYTES_AT_A_TIME` bytes at a time except for the last."""
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        gathered = bytearray()
        for part in self._parts:
            gathered += part
            if len(gathered) >= BYTES_AT_A_TIME:
                await send(
                    {"type": "http.response.body", "body": bytes(gathered), "more_body": True}
                )
                gathered.clear()
                await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": bytes(gathered)})
