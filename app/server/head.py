"""The head of a request: the headers that define its framing, and the checks of RFC 9112."""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import httptools

from app.problem_codes import ProblemCode

HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")
"""Characters of a Host header (RFC 9110 §7.2, RFC 3986 §3.2)."""
FRAMING = frozenset({b"host", b"content-length", b"transfer-encoding", b"expect"})
"""Headers that define the framing of a request."""
LINE = 4
"""Bytes of a header line besides name and value: colon, space and line end."""


class ProtocolFault(Exception):
    """Reason to end a connection, which the client receives."""

    def __init__(
        self, status: HTTPStatus, code: ProblemCode, detail: str, limit: float | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.limit = limit
        """Value of the setting that was exceeded; None if none was."""


@dataclass(slots=True)
class RequestHead:
    """A request head; the names of its headers are in lower case."""

    url: bytes
    headers: list[tuple[bytes, bytes]]
    host: bytes | None = None
    coding: bytes | None = None
    """Transfer coding named by the Transfer-Encoding header, in lower case."""
    is_twice: bool = False
    """Whether Host or Transfer-Encoding occurs more than once."""
    length: int | None = None
    """Content-Length header, in bytes; None if there is none."""
    expects: bool = False
    """Whether the client waits for `100 Continue` before it sends the body."""
    method: bytes = b""
    version: str = ""

    def read(self) -> int:
        """Read the headers that define the framing; return the size of all headers in bytes."""
        size = 0
        for name, value in self.headers:
            size += len(name) + len(value) + LINE
            if name in FRAMING:
                self._read_form(name, value)
        return size

    def _read_form(self, name: bytes, value: bytes) -> None:
        if name == b"content-length":
            self.length = int(value)
        elif name == b"host":
            self.is_twice |= self.host is not None
            self.host = value
        elif name == b"transfer-encoding":
            self.is_twice |= self.coding is not None
            self.coding = value.strip().lower()
        else:
            self.expects = value.lower() == b"100-continue"

    def target(self) -> Any:
        """Parse the URL of a request that is allowed to be answered.

        A host in the URL replaces the Host header (RFC 9112 §3.2.2).

        Raises:
            Fault: the request is not allowed (RFC 9112 §2.3, §3.2, §6.1), or not directed to this
                server.
        """
        if self.version not in {"1.0", "1.1"}:
            raise _bad("the request is not HTTP/1.0 or HTTP/1.1")
        if self.method == b"CONNECT":
            raise _bad("the service is not a proxy")
        is_named = self.version == "1.0" if self.host is None else HOST.fullmatch(self.host)
        if self.is_twice or not is_named:
            raise _bad("a request needs one valid Host header, and at most one Transfer-Encoding")
        if self.coding is not None and (self.coding != b"chunked" or self.version == "1.0"):
            raise _bad("the only transfer coding is chunked")
        found = httptools.parse_url(self.url)
        if found.host is not None:
            self._take_host(found)
        return found

    def _take_host(self, url: Any) -> None:
        if url.userinfo is not None:
            raise _bad("the URL must not name a user")
        port = b"" if url.port is None else b":%d" % url.port
        others = [header for header in self.headers if header[0] != b"host"]
        self.headers = [(b"host", url.host + port), *others]

    def scope(self, url: Any, connection: dict[str, Any]) -> dict[str, Any]:
        """Return the request as an ASGI scope, with the constant members of its connection."""
        raw = url.path or b"/"
        path = raw.decode("ascii")
        return {
            **connection,
            "http_version": self.version,
            "method": self.method.decode("ascii"),
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw,
            "query_string": url.query or b"",
            "headers": self.headers,
            "state": connection["state"].copy(),
        }

    def framing(self, *, keeps_alive: bool) -> bytes:
        """Return a head that frames the same body but offers no upgrade."""
        lines = [b"%b / HTTP/%b" % (self.method, self.version.encode())]
        for name, value in self.headers:
            if name in {b"content-length", b"transfer-encoding"}:
                lines.append(b"%b: %b" % (name, value))
        if not keeps_alive:
            lines.append(b"connection: close")
        return b"\r\n".join([*lines, b"", b""])


def _bad(detail: str) -> ProtocolFault:
    """Return a fault of status 400, even where RFC 9110 has 501 or 505, which blame the server."""
    return ProtocolFault(HTTPStatus.BAD_REQUEST, ProblemCode.MALFORMED_REQUEST, detail)
