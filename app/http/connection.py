"""Checks, without waiting, which ASGI message a connection has ready."""

from collections.abc import Callable

from starlette.types import Message, Receive
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


def arrived(receive: Receive) -> Message | None:
    """Return the next ASGI message if it has already arrived, else None.

    ASGI has no such call, but a coroutine can be run for its first step: it either returns the
    message, or begins to wait and is then closed before anything is lost. A task for this would
    cost several times as much as the rest of a request.
    """
    asked = receive()
    try:
        asked.send(None)  # type: ignore[attr-defined]
    except StopIteration as answered:
        message: Message = answered.value
        return message
    asked.close()  # type: ignore[attr-defined]
    return None


class ReplayedBody:
    """What a request receives whose whole body was read before its route was chosen."""

    def __init__(self, behind: Receive, body: bytes) -> None:
        """Set what comes after the body, and the body."""
        self.behind = behind
        self._body: bytes | None = body

    async def __call__(self) -> Message:
        """Return the body, and then what the connection has."""
        body, self._body = self._body, None
        if body is None:
            return await self.behind()
        return {"type": "http.request", "body": body, "more_body": False}


def hung_up(receive: Receive) -> Callable[[], bool]:
    """Create a function that reports whether the client has disconnected, after the body was read.

    It must be called in the event loop's thread.
    """
    if isinstance(receive, ReplayedBody):
        return hung_up(receive.behind)
    cycle = getattr(receive, "__self__", None)
    if isinstance(cycle, RequestResponseCycle):
        # The server's own object knows it at once.
        return lambda: bool(cycle.disconnected)

    def gone() -> bool:
        message = arrived(receive)
        return message is not None and message["type"] == "http.disconnect"

    return gone
