"""The port: bound at first, listening only when there is something to say."""

import socket

from app.errors import SettingsError

BACKLOG = 2048
"""Connections that may wait to be taken."""


def bound(host: str, port: int) -> socket.socket:
    """A socket at an address; nobody can connect to it before it listens.

    Raises:
        SettingsError: the address cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = socket.socket(family, kind, protocol)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections inherit it: head and body of an answer are not held back.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.bind(address)
    except OSError as error:
        raise _refused(host, port, error) from error
    return opened


def listen(opened: socket.socket) -> None:
    """Let clients connect.

    Raises:
        SettingsError: another process listens there.
    """
    try:
        opened.listen(BACKLOG)
    except OSError as error:
        host, port = opened.getsockname()[:2]
        raise _refused(host, port, error) from error


def address(opened: socket.socket) -> str:
    """Where a browser finds it."""
    host, port = opened.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _refused(host: str, port: int, error: OSError) -> SettingsError:
    return SettingsError(f"cannot listen on {host} port {port}: {error.strerror}")
