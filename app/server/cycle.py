"""Sends a response's head together with its first body bytes: uvicorn's ASGI cycle, changed.

uvicorn writes the head and the body of a response separately, which costs another system call and
wakes the client twice. Here the head waits for the first piece of the body.
"""

from typing import Any

from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    RequestResponseCycle,
)

Headers = list[tuple[bytes, bytes]]

BODILESS = frozenset({204, 304})
"""Statuses of responses without a body (RFC 9110 §6.4.1)."""
LAST_CHUNK = b"0\r\n\r\n"


class Cycle(RequestResponseCycle):
    """One request and its response, from the request's head to the end of the response."""

    _head = b""
    """Head of the response, while it waits for the first piece of the body."""

    async def send(self, message: Any) -> None:
        """Accept the head or a piece of the body of the response.

        Raises:
            RuntimeError: the application violates ASGI or HTTP.
        """
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if kind == "http.response.body" and self.response_started and not self.response_complete:
            self._continue(message.get("body", b""), is_last=not message.get("more_body", False))
        elif kind == "http.response.start" and not self.response_started:
            self._begin(message["status"], [*self.default_headers, *message.get("headers", ())])
        else:
            raise RuntimeError(f"the application sent {kind} at the wrong time")

    def _begin(self, status: int, headers: Headers) -> None:
        """Build the head. A stream's head is sent immediately, since its body may take long."""
        self.response_started, self.waiting_for_100_continue = True, False
        lines = [STATUS_LINE[status]]
        for name, value in headers:
            if HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
                raise RuntimeError("the application sent an invalid header")
            self._heed(name.lower(), value)
            lines += (name, b": ", value, b"\r\n")
        if not self.keep_alive and (b"connection", b"close") not in headers:
            lines.append(b"connection: close\r\n")
        is_bodiless = status in BODILESS or self.scope["method"] == "HEAD"
        if self.chunked_encoding is None and not is_bodiless:
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked\r\n")
        lines.append(b"\r\n")
        self._head = b"".join(lines)
        if self.chunked_encoding:
            self._write(b"")

    def _heed(self, name: bytes, value: bytes) -> None:
        """Apply a response header that concerns the body's length or the connection."""
        if name == b"content-length":
            self.expected_content_length, self.chunked_encoding = int(value), False
        elif name == b"connection":
            self.keep_alive = self.keep_alive and value.lower() != b"close"
        elif name == b"transfer-encoding":
            raise RuntimeError("the application must not set Transfer-Encoding")

    def _continue(self, body: bytes, *, is_last: bool) -> None:
        """Write a piece of the body; after the last piece go on with the connection or close it."""
        if self.scope["method"] == "HEAD":
            self.expected_content_length = 0
            self._write(b"")
        elif self.chunked_encoding:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            self._write(chunk + LAST_CHUNK if is_last else chunk)
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0:
                raise RuntimeError("the answer is longer than its Content-Length")
            self._write(body)
        if not is_last:
            return
        if self.expected_content_length:
            raise RuntimeError("the answer is shorter than its Content-Length")
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    def _write(self, piece: bytes) -> None:
        if self._head:
            piece, self._head = self._head + piece, b""
        self.transport.write(piece)
