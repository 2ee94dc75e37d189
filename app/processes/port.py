"""The port: bound at first, listening only when there is something to say."""

import socket

from app.errors import StartError

BACKLOG = 2048
"""Connections that may wait to be taken."""
AT_ONCE = 8
"""Connections that are taken in one turn of the event loop, where no other process takes any."""


def bound(host: str, port: int) -> socket.socket:
    """A socket at an address; nobody can connect to it before it listens.

    Raises:
        StartError: the address cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = socket.socket(family, kind, protocol)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Accepted connections inherit it: head and body of an answer are not held back.
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.bind(address)
        except OSError:
            opened.close()
            raise
    except OSError as error:
        raise _refused(host, port, error.strerror) from error
    except UnicodeError as error:
        # Python encodes a name before it asks for it.
        raise _refused(host, port, "it is no name of a machine") from error
    return opened


def listen(opened: socket.socket) -> None:
    """Let clients connect.

    Raises:
        StartError: another process listens there.
    """
    try:
        opened.listen(BACKLOG)
    except OSError as error:
        host, port = opened.getsockname()[:2]
        raise _refused(host, port, error.strerror) from error


def handles(opened: socket.socket, workers: int) -> list[socket.socket]:
    """A listening socket as often as connections are to be taken from it in a turn of the loop.

    libuv takes one a turn and handle, so that processes that share a socket get about as many each.
    But where 256 clients come at once, the last waits for 256 turns, and before a probe of liveness
    is seen everybody before it has been answered.
    """
    return [opened, *(opened.dup() for _ in range(AT_ONCE - 1 if workers == 1 else 0))]


def address(opened: socket.socket) -> str:
    """Where a browser finds it."""
    host, port = opened.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _refused(host: str, port: int, why: str | None) -> StartError:
    return StartError(f"cannot listen on {host} port {port}: {why}")
