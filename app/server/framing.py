"""Finds the requests in a stream of bytes (RFC 9112), within the limits on their size."""

from http import HTTPStatus
from typing import Any, Protocol

import httptools

from app.problem_codes import ProblemCode
from app.server.connections import ConnectionLimits
from app.server.head import LINE, ProtocolFault, RequestHead

PIECE_BYTES = 4_096
"""Most bytes parsed at a time when a request could begin anywhere: a read of 256 KiB may contain
14,000 requests, each a hundred times as large in memory."""
TOO_LARGE = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


class Listener(Protocol):
    """Receives the requests."""

    def begin(self, head: RequestHead, url: Any, *, keeps_alive: bool) -> None:
        """Start a request; its body follows. `keeps_alive`: whether another request may follow."""

    def take(self, body: bytes) -> None:
        """Accept a piece of the body."""

    def complete(self) -> None:
        """Mark the request as complete."""


class Framer:
    """Passes the requests in a stream of bytes to a listener; the parser is llhttp."""

    def __init__(self, limits: ConnectionLimits, listener: Listener) -> None:
        """Set the limits and the listener."""
        self._limits = limits
        self._listener = listener
        self._parser = httptools.HttpRequestParser(self)
        self._is_replaying = False
        """Whether the parser is given a head that was parsed before."""
        self._url, self._headers = b"", list[tuple[bytes, bytes]]()
        """URL and headers of the head that is being read."""
        self._head: RequestHead | None = None
        """Head of the request whose body is being read, or was read last."""
        self._trailer_bytes = 0
        self.has_begun = False
        """Whether the first line of a request has begun and its head is incomplete."""
        self._keeps_alive = True
        self._has_moved = False
        """Whether the last piece completed something: a head, a part of a body or a request."""
        self._run_bytes = 0
        """Number of bytes since the last piece that completed something."""
        self._fault: ProtocolFault | None = None
        self.is_over = False
        """Whether nothing more will be parsed."""
        self.in_head = True
        """Whether a head is being read or awaited."""
        self.body_left = 0
        """Number of bytes of a body of known length that are still missing."""

    @property
    def is_between(self) -> bool:
        """Whether nothing of the next request has arrived, nor anything that may precede it."""
        return self.in_head and not self.has_begun and not self._run_bytes

    def parse(self, data: bytes, start: int) -> int:
        """Parse a piece of data; return the start of the next piece.

        Raises:
            Fault: the data is not a request, or exceeds a limit.
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
        """Continue as if the client had not offered an upgrade (RFC 9110 §7.8).

        llhttp treats everything after such a head as another protocol, and has no option against
        it. So a new parser is given a head with the same framing but without the offer, and reads
        the body.
        """
        head = self._head
        assert head is not None  # noqa: S101 - its end has just been parsed
        self._parser = httptools.HttpRequestParser(self)
        self._is_replaying = True
        self._parser.feed_data(head.framing(keeps_alive=self._keeps_alive))
        self._is_replaying = False

    # Callbacks of the parser

    def on_message_begin(self) -> None:
        """Start a request."""
        if not self._is_replaying:
            self._url, self._headers, self.has_begun = b"", [], True

    def on_url(self, url: bytes) -> None:
        """Append a piece of the URL."""
        if self._is_replaying:
            return
        self._url += url
        if len(self._url) > self._limits.url_bytes:
            most = self._limits.url_bytes
            detail = f"the URL is longer than {most} bytes (DUBITO_MAX_URL_BYTES)"
            status, code = HTTPStatus.REQUEST_URI_TOO_LONG, ProblemCode.URL_TOO_LONG
            self._fail(ProtocolFault(status, code, detail, most))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Append a header. Trailers are only counted, as they could repeat headers of the head.

        The number of headers is checked at the end of the head: until then `parse` limits their
        size.
        """
        if self.has_begun:
            self._headers.append((name.lower(), value))
        elif not self._is_replaying:
            self._trailer_bytes += len(name) + len(value) + LINE
            if self._trailer_bytes > self._limits.header_bytes:
                self._fail(self._too_large())

    def on_headers_complete(self) -> None:
        """Check a complete head and pass it on."""
        if self._is_replaying:
            return
        parser = self._parser
        head = self._head = RequestHead(self._url, self._headers)
        head.method, head.version = parser.get_method(), parser.get_http_version()
        try:
            self._check_size(head)
            url = head.target()
        except ProtocolFault as fault:
            self._fail(fault)
        self.in_head, self.body_left, self._has_moved = False, head.length or 0, True
        self.has_begun, self._trailer_bytes = False, 0
        self._keeps_alive = head.version != "1.0" and parser.should_keep_alive()
        self._listener.begin(head, url, keeps_alive=self._keeps_alive)

    def on_body(self, body: bytes) -> None:
        """Pass on a piece of a body."""
        self._has_moved = True
        if self.body_left:
            self.body_left -= len(body)
        self._listener.take(body)

    def on_message_complete(self) -> None:
        """Complete a request, unless the parser wrongly expects another protocol next."""
        if self._parser.should_upgrade():
            return
        self.in_head = self._has_moved = True
        self.is_over = not self._keeps_alive
        self._listener.complete()

    def _check_size(self, head: RequestHead) -> None:
        """Reject a head that has too many bytes or too many headers."""
        if head.read() + len(head.url) > self._limits.header_bytes:
            raise self._too_large()
        if len(head.headers) > self._limits.headers:
            most = self._limits.headers
            detail = f"more than {most} headers (DUBITO_MAX_HEADERS)"
            raise ProtocolFault(TOO_LARGE, ProblemCode.TOO_MANY_HEADERS, detail, most)

    def _fail(self, fault: ProtocolFault) -> None:
        """Store a fault and stop parsing; the parser hides exceptions of callbacks."""
        self._fault = fault
        raise fault

    def _too_large(self) -> ProtocolFault:
        most = self._limits.header_bytes
        detail = f"the head is larger than {most} bytes (DUBITO_MAX_HEADER_BYTES)"
        return ProtocolFault(TOO_LARGE, ProblemCode.HEAD_TOO_LARGE, detail, most)


def _misframed() -> ProtocolFault:
    detail = "the request is not framed as HTTP/1.1 (RFC 9112) requires"
    return ProtocolFault(HTTPStatus.BAD_REQUEST, ProblemCode.MALFORMED_REQUEST, detail)
