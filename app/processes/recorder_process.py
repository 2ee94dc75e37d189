"""The recorder process: writes entries and events to the records until its socket is closed.

Building an event, sealing it and writing it to a database costs a fifth of a small request. Within
the service this would compete with the event loop; here both run in parallel.

Before a SQLite file there is a journal: all groups that arrive while one is synced share the next
sync, and a second thread brings the tables up to date. A database server gets the groups directly.
`python -m app.processes.recorder_process N` uses the socket with file descriptor N.
"""

import gc
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress

from app.monitoring.event_builder import EventBuilder
from app.processes.channel import READ_BYTES, Frames, framed, receive, send
from app.processes.logs import configure_logs
from app.processes.recorder_messages import CannotOpen, FromRecorder, RecorderCodec, RecordsOpened
from app.record_events import Made
from app.records import address, key
from app.records.applier import Applier
from app.records.cause import NotWritten
from app.records.failures import database_cause
from app.records.group_commit import write_groups
from app.records.group_message import (
    Condition,
    Failed,
    Group,
    GroupOutcome,
    Kept,
    Kind,
    Settled,
    Written,
    decode_group,
    decode_introduction,
    frame_content,
    head_of,
)
from app.records.journal import Journal
from app.records.location import RecordsLocation
from app.records.opening import writing
from app.records.pages import LOOK_SECONDS
from app.records.write_probe import Watched
from dubito.errors import DubitoError
from dubito.identifier import new_id

CODEC = RecorderCodec()
SWITCH_SECONDS = 0.0001
"""Longest time for which the tables' thread keeps the interpreter from the journal's, seconds."""
MOST_BYTES = 4 << 20
"""Bytes of messages after which what has arrived is written, unless a single one has more."""


def main(line: socket.socket) -> None:
    """Serve the process at the other end of a socket."""
    configure_logs()
    asked: RecordsLocation = receive(line)
    try:
        url = address.url_of(asked.url, asked.state)
        secret = key.path_of(asked.key_file, asked.state)
        with writing(url, secret, new_id(), EventBuilder, is_journaled=True) as records:
            send(line, RecordsOpened(tuple(records.notes)), CODEC)
            gc.collect()
            gc.freeze()
            if records.journal is None:
                _write(line, records.book, Teller(line))
            else:
                _journal(line, records.book, records.journal, Teller(line))
    except DubitoError as error:
        send(line, CannotOpen(str(error)), CODEC)


class Teller:
    """Sends outcomes to the service, from any thread."""

    def __init__(self, line: socket.socket) -> None:
        """Set the socket."""
        self._line = line
        self._turn = threading.Lock()

    def __call__(self, messages: Sequence[FromRecorder]) -> None:
        """Send messages, unless the service has been killed; what it sent is written all the same.

        Raises:
            OSError: the socket is broken.
        """
        content = b"".join(framed(CODEC.encode(message)) for message in messages)
        with self._turn, suppress(BrokenPipeError, ConnectionResetError):
            self._line.sendall(content)


def _journal(line: socket.socket, book: Watched, journal: Journal, tell: Teller) -> None:
    """Journal what arrives, while another thread brings the tables up to date."""
    sys.setswitchinterval(SWITCH_SECONDS)
    with closing(Applier(book, journal, EventBuilder, tell)) as applier:
        for messages in _gathered(line):
            if applier.is_over:
                # The service ends with this process; the next start reads the journal.
                raise EOFError
            groups = list[bytes]()
            for message in messages:
                kind, number = head_of(message)
                if kind in (Kind.QUIET, Kind.AWAITED):
                    groups.append(message)
                    continue
                _keep(groups, journal, applier, tell)
                groups = []
                if kind == Kind.SETTLE:
                    applier.settle(number)
                else:
                    journal.introduce(message)
                    applier.introduce(message)
            _keep(groups, journal, applier, tell)


def _keep(groups: Sequence[bytes], journal: Journal, applier: Applier, tell: Teller) -> None:
    """Put groups into the journal with one sync, and hand them over to the tables."""
    if not groups:
        return
    heads = [head_of(message) for message in groups]
    try:
        frame = journal.append(frame_content(groups))
    except Exception as error:  # noqa: BLE001 - the service gets the cause, and the process goes on
        cause = database_cause(error)
        tell([Failed(number, cause) for _, number in heads])
        return
    quiet = [number for kind, number in heads if kind == Kind.QUIET]
    if quiet:
        tell([Kept(quiet[-1])])
    applier.take(frame, is_urgent=len(quiet) < len(heads))


def _write(line: socket.socket, book: Watched, tell: Teller) -> None:
    """Write what arrives to a database that makes it durable itself."""
    build: Made | None = None
    due = time.monotonic()
    for messages in _gathered(line):
        groups, outcomes = [], list[GroupOutcome]()
        for message in messages:
            kind, number = head_of(message)
            if kind == Kind.INTRODUCTION:
                build = EventBuilder(decode_introduction(message))
            elif kind == Kind.SETTLE:
                outcomes.append(Settled(number))
            else:
                groups.append(decode_group(message))
        found = write_groups(book, build, [one.items for one in groups]) if groups else []
        tell([*map(_outcome, groups, found), *outcomes])
        if time.monotonic() >= due:
            tell([Condition(book.look())])
            due = time.monotonic() + LOOK_SECONDS


def _outcome(group: Group, found: list[bool] | NotWritten) -> GroupOutcome:
    if isinstance(found, NotWritten):
        return Failed(group.number, found.cause)
    if group.kind == Kind.QUIET:
        return Kept(group.number, is_written=True)
    return Written(group.number, found)


def _read(line: socket.socket, flags: int = 0) -> bytes | None:
    """Read available bytes; None without any, empty at the end of a closed or broken socket."""
    try:
        return line.recv(READ_BYTES, flags)
    except BlockingIOError:
        return None
    except ConnectionResetError:
        return b""


def _gathered(line: socket.socket) -> Iterator[list[bytes]]:
    """Yield messages as they arrive, at least every `LOOK_SECONDS`, until the socket closes."""
    # A kernel timeout (SO_RCVTIMEO): a timeout of Python's would cost a system call for each read.
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(LOOK_SECONDS))
    frames = Frames(CODEC)
    while (data := _read(line)) != b"":
        messages = list[bytes]()
        while data:
            messages += frames.whole(data)
            is_enough = sum(map(len, messages)) >= MOST_BYTES
            data = None if is_enough else _read(line, socket.MSG_DONTWAIT)
        yield messages


def _timeval(seconds: float) -> bytes:
    """Pack a time as the kernel expects it: C's `struct timeval`."""
    whole, part = divmod(seconds, 1)
    return struct.pack("@ll", int(whole), int(part * 1e6))


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
