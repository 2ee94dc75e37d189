"""Requests as a check needs them, byte by byte, and the answers whatever they are."""

import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import urlsplit

from dubito.errors import DubitoError, UsageError

SCHEMES = ("http", "https")
MOST_BYTES = 64 << 20
"""Longest body of an answer that is read."""
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
    port: int | None
    prefix: str
    """Path in front of `/v2`, without a slash at its end."""
    seconds: float
    """Longest wait for a part of an answer."""

    def ask(
        self,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        method: str | None = None,
    ) -> WebAnswer:
        """Ask on a connection of its own.

        Args:
            path: path behind the prefix.
            body: bytes; an iterable of bytes is sent in chunks.
            headers: all headers besides `Host`, `Accept-Encoding` and the length.
            method: GET without a body and POST with one, if not given.

        Raises:
            NoAnswer: there is none, or it is no HTTP.
        """
        with self.connected() as connection:
            return connection.ask(path, body, headers, method)

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
            except OSError as error:
                raise NoAnswer(f"{self.host} cannot be reached: {_reason(error)}") from error
            yield WebConnection(connection, self.prefix)


@dataclass(frozen=True, slots=True)
class WebConnection:
    """A connection that is kept."""

    connection: HTTPConnection
    prefix: str

    def ask(
        self,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        method: str | None = None,
    ) -> WebAnswer:
        """Ask as `WebAddress.ask` does, on this connection."""
        verb = method or ("GET" if body is None else "POST")
        try:
            self.connection.request(verb, self.prefix + path, body, dict(headers or {}))
            response = self.connection.getresponse()
            read = _read(response)
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
    parts = urlsplit(url if "//" in url else f"http://{url}")
    try:
        port = parts.port
    except ValueError as error:
        raise UsageError("URL has a port that is no number from 0 to 65535") from error
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise UsageError("URL must be an address such as http://127.0.0.1:8000")
    prefix = parts.path.rstrip("/").removesuffix("/v2").rstrip("/")
    return WebAddress(parts.scheme, parts.hostname, port, prefix, seconds)


def _read(response: HTTPResponse) -> bytes:
    body = response.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        raise NoAnswer(f"the answer has more than {MOST_BYTES:,} bytes")
    return body


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
