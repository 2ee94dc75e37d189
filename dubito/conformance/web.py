"""Requests as a check needs them, byte by byte, and the answers whatever they are."""

import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import quote, urlsplit

from dubito.errors import DubitoError, UsageError

PORTS = {"http": 80, "https": 443}
MOST_BYTES = 16 << 20
"""Longest body of an answer that is read."""
PIECE = 1 << 16
INFER_HEADER = "Inference-Header-Content-Length"
"""Header with the number of bytes of JSON before binary data."""


class NoAnswer(DubitoError):
    """A request without an answer; the message says why."""


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    """Values by their names in small letters."""
    body: bytes

    @property
    def media_type(self) -> str:
        """The whole `Content-Type`, parameters such as a character set included."""
        return self.headers.get("content-type", "")

    @property
    def json_bytes(self) -> str | None:
        """Number of bytes of JSON in front of binary data, as the header has it."""
        return self.headers.get(INFER_HEADER.lower())


@dataclass(frozen=True, slots=True)
class WebAddress:
    """A server's address, of which `/v2` is a part."""

    scheme: str
    host: str
    port: int
    prefix: str
    """Path in front of `/v2`, without a slash at its end."""
    seconds: float
    """Longest wait for an answer."""

    def ask(
        self,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> WebAnswer:
        """Ask on a connection of its own: POST with a body, GET without one.

        Args:
            path: path behind the prefix.
            body: bytes; an iterable of bytes is sent in chunks.
            headers: all headers besides `Host`, `Accept-Encoding` and the length.

        Raises:
            NoAnswer: there is none, or it is no HTTP.
        """
        with self.connected() as connection:
            return connection.ask(path, body, headers)

    @contextmanager
    def connected(self) -> Iterator["WebConnection"]:
        """Open a connection for several requests.

        Raises:
            NoAnswer: the server does not take the connection.
        """
        kind = HTTPSConnection if self.scheme == "https" else HTTPConnection
        with closing(kind(self.host, self.port, timeout=self.seconds)) as connection:
            try:
                connection.connect()
            except (OSError, UnicodeError) as error:
                raise NoAnswer(f"{self.host} cannot be reached: {_reason(error)}") from error
            yield WebConnection(connection, self.prefix, self.seconds)


@dataclass(frozen=True, slots=True)
class WebConnection:
    """A connection that is kept."""

    connection: HTTPConnection
    prefix: str
    seconds: float

    @property
    def has_ended(self) -> bool:
        """Whether the last answer said that the connection ends with it."""
        return self.connection.sock is None

    def ask(
        self,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> WebAnswer:
        """Ask as `WebAddress.ask` does, on this connection."""
        method, end = "GET" if body is None else "POST", time.monotonic() + self.seconds
        try:
            self.connection.request(method, self.prefix + path, body, dict(headers or {}))
            response = self.connection.getresponse()
            read = _read(response, end)
        except TimeoutError as error:
            raise NoAnswer("there was no answer in time") from error
        except (OSError, HTTPException) as error:
            raise NoAnswer(f"there was no answer: {_reason(error)}") from error
        told = {name.lower(): value for name, value in response.getheaders()}
        return WebAnswer(response.status, told, read)


def web_address(url: str, seconds: float) -> WebAddress:
    """Read a server's address, with or without `/v2` at its end.

    Raises:
        UsageError: it is no address of HTTP or HTTPS.
    """
    try:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        port = parts.port
    except ValueError as error:
        raise UsageError("URL has a host or a port that cannot be one") from error
    is_more = parts.query or parts.fragment or parts.username is not None
    if parts.scheme not in PORTS or not parts.hostname or is_more:
        raise UsageError("URL must be an address such as http://127.0.0.1:8000")
    prefix = quote(parts.path.rstrip("/").removesuffix("/v2").rstrip("/"), safe="/%")
    at = PORTS[parts.scheme] if port is None else port
    return WebAddress(parts.scheme, parts.hostname, at, prefix, seconds)


def _read(response: HTTPResponse, end: float) -> bytes:
    body = bytearray()
    while piece := response.read1(PIECE):
        body += piece
        if len(body) > MOST_BYTES:
            raise NoAnswer(f"the answer has more than {MOST_BYTES:,} bytes")
        if time.monotonic() > end:
            raise TimeoutError
    if response.length:
        raise NoAnswer("the answer ended before its length")
    # All of it is read, which `read1` does not notice.
    response.close()
    return bytes(body)


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
