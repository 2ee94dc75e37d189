"""The recorder's process: writes what a service remembers, until its line ends.

To make an event of an answer, seal it and hand it to a database costs a fifth of a small request.
In the service it would take turns with the event loop; here both go on, and what has come while one
group was written is written with the next. `python -m app.hosting.recorder N` talks over file
descriptor N.
"""

import gc
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

from app.api.identifier import new_id
from app.errors import DubitoError
from app.events import Made
from app.hosting.logs import configure_logs
from app.hosting.wire import (
    READ_BYTES,
    Condition,
    Failed,
    Frames,
    Recording,
    framed,
    receive,
    send,
)
from app.records import database, key
from app.records.pages import LOOK_SECONDS, MOST_EVENTS, Group, size, write
from app.records.store import writing
from app.records.watch import Watched
from app.settings import Settings


def main(line: socket.socket) -> None:
    """Serve the process at the other end of a line."""
    settings: Settings = receive(line)
    configure_logs(settings)
    try:
        url = database.url_of(settings.records_url, settings.state)
        secret = key.path_of(settings.records_key_file, settings.state)
        with writing(url, secret, new_id()) as records:
            send(line, Recording(tuple(records.notes)))
            gc.collect()
            gc.freeze()
            _record(line, records.book)
    except DubitoError as error:
        send(line, Failed(str(error)))


def _record(line: socket.socket, book: Watched) -> None:
    made: Made | None = None
    due = time.monotonic()
    for messages in _gathered(line):
        groups = list[Group]()
        for message in messages:
            if callable(message):
                made = message
            else:
                groups.append(message)
        _tell(line, write(book, made, groups) if groups else [])
        if time.monotonic() >= due:
            _tell(line, [Condition(book.look())])
            due = time.monotonic() + LOOK_SECONDS


def _tell(line: socket.socket, messages: Sequence[object]) -> None:
    # Whoever was to be told may have been killed; what it sent before is written all the same.
    with suppress(BrokenPipeError, ConnectionResetError):
        line.sendall(b"".join(map(framed, messages)))


def _read(line: socket.socket, flags: int = 0) -> bytes | None:
    """What has come; None if nothing has, and no bytes at the line's end, also a broken one's."""
    try:
        return line.recv(READ_BYTES, flags)
    except BlockingIOError:
        return None
    except ConnectionResetError:
        return b""


def _gathered(line: socket.socket) -> Iterator[list[Group | Made]]:
    """Yield all that has come, at the latest after `LOOK_SECONDS`; ends with the line."""
    # The kernel ends a read that takes longer: a time-out of Python's costs a system call a read.
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(LOOK_SECONDS))
    frames = Frames()
    while (data := _read(line)) != b"":
        messages = list[Group | Made]()
        while data:
            messages += frames.whole(data)
            data = _read(line, socket.MSG_DONTWAIT) if _events(messages) < MOST_EVENTS else None
        yield messages


def _timeval(seconds: float) -> bytes:
    """A time as the kernel takes it: C's `struct timeval`."""
    whole, part = divmod(seconds, 1)
    return struct.pack("@ll", int(whole), int(part * 1e6))


def _events(messages: list[Group | Made]) -> int:
    return sum(size(message) for message in messages if not callable(message))


if __name__ == "__main__":
    # The service ends it: a manager's signal may reach both, and answers are still to be recorded.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        main(socket.socket(fileno=int(sys.argv[1])))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        # The service has gone before its records were open.
        sys.exit()
