"""What a connection has to say at this moment, without waiting for it."""

from collections.abc import Callable

from starlette.types import Message, Receive


def arrived(receive: Receive) -> Message | None:
    """The next message if it is there already; None if one would have to wait.

    ASGI has no such question, but a coroutine can be asked for its first step: it ends with the
    message or begins to wait, and is then closed before anything is lost. A task for the same
    costs several times what is left of a request.
    """
    asked = receive()
    try:
        asked.send(None)  # type: ignore[attr-defined]
    except StopIteration as answered:
        message: Message = answered.value
        return message
    asked.close()  # type: ignore[attr-defined]
    return None


def hung_up(receive: Receive) -> Callable[[], bool]:
    """A question for the event loop's thread: whether the client of a read request has gone."""

    def gone() -> bool:
        message = arrived(receive)
        return message is not None and message["type"] == "http.disconnect"

    return gone
