"""The listening socket: bound first, listening only once the service is ready."""

import socket
from collections.abc import Callable, Sequence

from app.errors import StartError
from dubito.types import Identity

Started = Callable[[Sequence[Identity]], None]
"""Function that is called with the served bundles once a service is ready."""

BACKLOG = 2048
"""Most connections that may wait to be accepted."""
ANSWER_SECONDS = 30
"""Longest wait for responses in progress once no more requests are accepted, seconds."""
AT_ONCE = 8
"""Connections accepted in one turn of the event loop by a process that shares the socket with no
other."""


def bound(host: str, port: int) -> socket.socket:
    """Bind a socket to an address; clients cannot connect before it listens.

    Raises:
        StartError: the address cannot be used.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = socket.socket(family, kind, protocol)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Accepted connections inherit the option: a response's head and body are sent without
            # delay.
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.bind(address)
        except OSError:
            opened.close()
            raise
    except OSError as error:
        raise _refused(host, port, error.strerror) from error
    except UnicodeError as error:
        # Python encodes a host name (IDNA) before resolving it.
        raise _refused(host, port, "it is not a valid host name") from error
    return opened


def listen(opened: socket.socket) -> None:
    """Let clients connect.

    Raises:
        StartError: another process listens at the address.
    """
    try:
        opened.listen(BACKLOG)
    except OSError as error:
        host, port = opened.getsockname()[:2]
        raise _refused(host, port, error.strerror) from error


def handles(opened: socket.socket, workers: int) -> list[socket.socket]:
    """Return a listening socket as many times as connections are accepted in a turn of the loop.

    libuv accepts one connection for each turn and handle, so that processes that share a socket get
    about the same number each. But if 256 clients connect at once, the last waits for 256 turns,
    and a liveness probe is not seen before all clients before it have been answered.
    """
    return [opened, *(opened.dup() for _ in range(AT_ONCE - 1 if workers == 1 else 0))]


def address(opened: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = opened.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _refused(host: str, port: int, why: str | None) -> StartError:
    return StartError(f"cannot listen on {host} port {port}: {why}")
