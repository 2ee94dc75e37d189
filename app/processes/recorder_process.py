"""The recorder process: writes entries and events to the records until its socket is closed.

Building an event, sealing it and writing it to a database costs a fifth of a small request. Within
the service this would compete with the event loop; here both run in parallel, and all groups that
arrive while one is written share the next transaction. `python -m app.processes.recorder_process N`
uses the socket with file descriptor N.
"""

import gc
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

from app.monitoring.event_builder import EventBuilder
from app.processes.channel import READ_BYTES, Frames, framed, receive, send
from app.processes.logs import configure_logs
from app.processes.recorder_messages import (
    CannotOpen,
    Condition,
    Failed,
    FromRecorder,
    Introduction,
    RecorderCodec,
    RecordsOpened,
    ToRecorder,
    WriteGroup,
    Written,
)
from app.records import address, key
from app.records.group_commit import LOOK_SECONDS, MOST_EVENTS, NotWritten, size, write_groups
from app.records.store import writing
from app.records.write_probe import Watched
from app.settings import Settings
from dubito.errors import DubitoError
from dubito.identifier import new_id

CODEC = RecorderCodec()


def main(line: socket.socket) -> None:
    """Serve the process at the other end of a socket."""
    settings: Settings = receive(line)
    configure_logs(settings)
    try:
        url = address.url_of(settings.records_url, settings.state)
        secret = key.path_of(settings.records_key_file, settings.state)
        with writing(url, secret, new_id()) as records:
            send(line, RecordsOpened(tuple(records.notes)), CODEC)
            gc.collect()
            gc.freeze()
            _record(line, records.book)
    except DubitoError as error:
        send(line, CannotOpen(str(error)), CODEC)


def _record(line: socket.socket, book: Watched) -> None:
    build: EventBuilder | None = None
    due = time.monotonic()
    for messages in _gathered(line):
        groups = list[WriteGroup]()
        for message in messages:
            if isinstance(message, Introduction):
                build = EventBuilder(message.watched)
            else:
                groups.append(message)
        found = write_groups(book, build, [group.items for group in groups]) if groups else []
        _tell(line, [_outcome(one) for one in found])
        if time.monotonic() >= due:
            _tell(line, [Condition(book.look())])
            due = time.monotonic() + LOOK_SECONDS


def _outcome(found: list[bool] | NotWritten) -> Written | Failed:
    return Failed(found.cause) if isinstance(found, NotWritten) else Written(found)


def _tell(line: socket.socket, messages: Sequence[FromRecorder]) -> None:
    # The service may have been killed; groups that it sent before are written all the same.
    with suppress(BrokenPipeError, ConnectionResetError):
        line.sendall(b"".join(framed(CODEC.encode(message)) for message in messages))


def _read(line: socket.socket, flags: int = 0) -> bytes | None:
    """Read available bytes; None without any, empty at the end of a closed or broken socket."""
    try:
        return line.recv(READ_BYTES, flags)
    except BlockingIOError:
        return None
    except ConnectionResetError:
        return b""


def _gathered(line: socket.socket) -> Iterator[list[ToRecorder]]:
    """Yield messages as they arrive, at least every `LOOK_SECONDS`, until the socket closes."""
    # A kernel timeout (SO_RCVTIMEO): a timeout of Python's would cost a system call for each read.
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(LOOK_SECONDS))
    frames = Frames(CODEC)
    while (data := _read(line)) != b"":
        messages = list[ToRecorder]()
        while data:
            messages += frames.whole(data)
            data = _read(line, socket.MSG_DONTWAIT) if _events(messages) < MOST_EVENTS else None
        yield messages


def _timeval(seconds: float) -> bytes:
    """Pack a time as the kernel expects it: C's `struct timeval`."""
    whole, part = divmod(seconds, 1)
    return struct.pack("@ll", int(whole), int(part * 1e6))


def _events(messages: list[ToRecorder]) -> int:
    return sum(size(message.items) for message in messages if isinstance(message, WriteGroup))


if __name__ == "__main__":
    # The service ends this process: a process manager's signal may reach both while entries are
    # still to be recorded.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        main(socket.socket(fileno=int(sys.argv[1])))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        # The service ended before the records were open.
        sys.exit()
