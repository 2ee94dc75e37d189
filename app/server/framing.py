"""Framing: where requests begin and end in what a client sends (RFC 9112), within stated bounds."""

from http import HTTPStatus
from typing import Any, Protocol

import httptools

from app.problem_codes import ProblemCode
from app.server.connections import Limits
from app.server.head import LINE, Fault, Head

PIECE_BYTES = 4_096
"""Of what is parsed at a time where a request could begin anywhere. A read of 256 KiB may hold
14,000 requests, each a hundred times as large in memory."""
TOO_LARGE = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


class Listener(Protocol):
    """Who is told of requests."""

    def begin(self, head: Head, url: Any, *, keeps_alive: bool) -> None:
        """Take a head; its body follows. `keeps_alive` says whether another request may."""

    def take(self, body: bytes) -> None:
        """Take some of the body."""

    def complete(self) -> None:
        """Note that the request is complete."""


class Framer:
    """Tells a listener of the requests in a stream of bytes. llhttp parses it."""

    def __init__(self, limits: Limits, listener: Listener) -> None:
        """Take the bounds, and who is told."""
        self._limits = limits
        self._listener = listener
        self._parser = httptools.HttpRequestParser(self)
        self._is_replaying = False
        """Whether the parser is told a head that was parsed before."""
        self._url, self._headers = b"", list[tuple[bytes, bytes]]()
        """Of the head that is being read."""
        self._head: Head | None = None
        """Of the request whose body is being read, or was last."""
        self._trailer_bytes = 0
        self.has_begun = False
        """Whether the first line of a request has begun, and its head is not complete."""
        self._keeps_alive = True
        self._has_moved = False
        """Whether the last piece completed something: a head, a part of a body, a request."""
        self._run_bytes = 0
        """Bytes that came since then."""
        self._fault: Fault | None = None
        self.is_over = False
        """Whether nothing more is to be parsed."""
        self.in_head = True
        """Whether a head is read, or awaited."""
        self.body_left = 0
        """Bytes of a body of known length that are still to come."""

    @property
    def is_between(self) -> bool:
        """Whether nothing has come of the next request, nor of what may stand before it."""
        return self.in_head and not self.has_begun and not self._run_bytes

    def parse(self, data: bytes, start: int) -> int:
        """Parse a piece of data; returns where the next begins.

        Raises:
            Fault: it is no request, or larger than it may be.
        """
        size = self.body_left or PIECE_BYTES
        is_whole = not start and len(data) <= size
        piece = data if is_whole else data[start : start + size]
        self._has_moved = False
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade()
            taken: int = upgrade.args[0]
            return start + taken
        except httptools.HttpParserError:
            if self.is_over:
                return len(data)
            raise self._fault or _misframed() from None
        self._run_bytes = 0 if self._has_moved else self._run_bytes + len(piece)
        if self._run_bytes > self._limits.header_bytes:
            raise self._too_large()
        return start + len(piece)

    def _ignore_upgrade(self) -> None:
        """Go on as if no upgrade had been offered (RFC 9110 §7.8).

        llhttp takes what follows the head for another protocol, and cannot be told otherwise. So
        another parser is told a head of the same framing, without the offer, and reads the body.
        """
        head = self._head
        assert head is not None  # noqa: S101 - its end has just been parsed
        self._parser = httptools.HttpRequestParser(self)
        self._is_replaying = True
        self._parser.feed_data(head.framing(keeps_alive=self._keeps_alive))
        self._is_replaying = False

    # What the parser calls

    def on_message_begin(self) -> None:
        """Begin a request."""
        if not self._is_replaying:
            self._url, self._headers, self.has_begun = b"", [], True

    def on_url(self, url: bytes) -> None:
        """Take some of the URL."""
        if self._is_replaying:
            return
        self._url += url
        if len(self._url) > self._limits.url_bytes:
            most = self._limits.url_bytes
            detail = f"the URL is longer than {most} bytes (DUBITO_MAX_URL_BYTES)"
            status, code = HTTPStatus.REQUEST_URI_TOO_LONG, ProblemCode.URL_TOO_LONG
            self._fail(Fault(status, code, detail, most))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; of a trailer no more than its size, as it could name what a head named.

        How many headers there are is looked at in the end: until then `parse` bounds their bytes.
        """
        if self.has_begun:
            self._headers.append((name.lower(), value))
        elif not self._is_replaying:
            self._trailer_bytes += len(name) + len(value) + LINE
            if self._trailer_bytes > self._limits.header_bytes:
                self._fail(self._too_large())

    def on_headers_complete(self) -> None:
        """Hand on a head."""
        if self._is_replaying:
            return
        parser = self._parser
        head = self._head = Head(self._url, self._headers)
        head.method, head.version = parser.get_method(), parser.get_http_version()
        try:
            self._check_size(head)
            url = head.target()
        except Fault as fault:
            self._fail(fault)
        self.in_head, self.body_left, self._has_moved = False, head.length or 0, True
        self.has_begun, self._trailer_bytes = False, 0
        self._keeps_alive = head.version != "1.0" and parser.should_keep_alive()
        self._listener.begin(head, url, keeps_alive=self._keeps_alive)

    def on_body(self, body: bytes) -> None:
        """Hand on some of a body."""
        self._has_moved = True
        if self.body_left:
            self.body_left -= len(body)
        self._listener.take(body)

    def on_message_complete(self) -> None:
        """End a request, unless the parser only believes that another protocol follows."""
        if self._parser.should_upgrade():
            return
        self.in_head = self._has_moved = True
        self.is_over = not self._keeps_alive
        self._listener.complete()

    def _check_size(self, head: Head) -> None:
        """Refuse a head that is larger than one may be, or has more headers."""
        if head.read() + len(head.url) > self._limits.header_bytes:
            raise self._too_large()
        if len(head.headers) > self._limits.headers:
            most = self._limits.headers
            detail = f"more than {most} headers (DUBITO_MAX_HEADERS)"
            raise Fault(TOO_LARGE, ProblemCode.TOO_MANY_HEADERS, detail, most)

    def _fail(self, fault: Fault) -> None:
        """End the parsing; the parser does not hand on what is raised."""
        self._fault = fault
        raise fault

    def _too_large(self) -> Fault:
        most = self._limits.header_bytes
        detail = f"the head is larger than {most} bytes (DUBITO_MAX_HEADER_BYTES)"
        return Fault(TOO_LARGE, ProblemCode.HEAD_TOO_LARGE, detail, most)


def _misframed() -> Fault:
    detail = "the request is not framed as HTTP/1.1 (RFC 9112) says"
    return Fault(HTTPStatus.BAD_REQUEST, ProblemCode.MALFORMED_REQUEST, detail)
