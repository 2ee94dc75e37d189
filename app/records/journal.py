"""The journal: a file in which what was answered is on the disk before the tables have it.

A frame holds what one sync has to make durable. It begins at a page of the file, so that no write
touches a page that holds an acknowledged frame, and carries an HMAC, so that neither a torn write
nor a changed one passes for a frame. Frames whose content is in the tables are overwritten: the
file is a ring, and starts over as soon as nothing in it is needed.
"""

import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from app.record_events import now
from app.records.cause import Cause, NotWritten
from app.records.journal_frame import Frame, frame_header, pages
from app.records.state_files import open_or_make, sync_folder
from app.records.state_lock import LockedFiles

RING_BYTES = 32 << 20
"""Size at which the file starts over at its beginning; a single frame may exceed it."""
INTRODUCTION_BYTES = 1 << 19
"""Room for introductions at the beginning of the file: a new one leaves the last as it is."""
EXTENT_BYTES = 1 << 20
"""Bytes by which the file grows: a sync of a file that grows takes longer."""
ROOM_SECONDS = 2.0
"""Longest wait until the tables have enough of a full ring, seconds."""

FULL = Cause("JournalFull", "the tables do not take what the journal holds", is_lasting=True)


class _Span(NamedTuple):
    """The part of the file that a frame takes."""

    sequence: int
    start: int
    end: int


class Journal:
    """Appends frames; one thread appends and another releases what is in the tables."""

    def __init__(self, file: Path, key: bytes, last: int) -> None:
        """Create the file.

        Args:
            file: path of the file.
            key: HMAC key of the records.
            last: greatest sequence that was ever used.

        Raises:
            OSError: the file cannot be created or written.
        """
        self.files: LockedFiles | None = None
        """Files whose places are checked after each sync: what a deleted file holds is lost."""
        self._file = file
        self._key = key
        self._descriptor = open_or_make(file)
        self._last = self._acknowledged = last
        self._needed = deque[_Span]()
        self._base = self._at = self._dirty = self._size = 0
        """Ends of the room for introductions, of the newest frame, of what was ever written, and of
        what the file has room for without growing."""
        self._introduced = _Span(0, 0, 0)
        """The newest introduction, and how many there have been."""
        self._is_used = False
        self._turn = threading.Condition()
        os.ftruncate(self._descriptor, 0)
        self._grow(EXTENT_BYTES)
        os.fsync(self._descriptor)
        sync_folder(file.parent)

    def introduce(self, content: bytes) -> None:
        """Put an introduction beside the last one, by which all frames are read from now on.

        One that has no room there is put in the place of the last, once the tables have all frames.

        Raises:
            NotWritten: the tables do not take the frames.
            OSError: the file cannot be written.
        """
        with self._turn:
            frame = Frame(0, self._introduced.sequence, now(), content)
            start = self._room_beside(pages(frame))
            if start is None:
                start = self._wait_for(lambda: None if self._needed else 0)
            end = self._write(frame, start)
            self._introduced = _Span(frame.previous + 1, start, end)
            if end > self._base:
                self._base = self._at = max(end, INTRODUCTION_BYTES)

    def _room_beside(self, size: int) -> int | None:
        """Return where an introduction of a size leaves the last one; None if nowhere."""
        last = self._introduced
        if last.end + size <= self._base:
            return last.end
        return 0 if last.end and size <= last.start else None

    def append(self, content: bytes) -> Frame:
        """Write a frame and wait until it is on the disk.

        Raises:
            NotWritten: the ring is full, and the tables do not take what it holds.
            OSError: the file cannot be written; the frame may or may not be there.
            Displaced: the file was moved or deleted.
        """
        with self._turn:
            self._last += 1
            frame = Frame(self._last, self._acknowledged, now(), content)
            start = self._wait_for(lambda: self._room(pages(frame)))
            end = self._write(frame, start)
            if self.files is not None:
                self.files.check_folder()
            self._acknowledged = frame.sequence
            self._needed.append(_Span(frame.sequence, start, end))
            self._at, self._is_used = end, True
        return frame

    def release(self, sequence: int) -> None:
        """Give up the frames up to a sequence: the tables have them."""
        with self._turn:
            while self._needed and self._needed[0].sequence <= sequence:
                self._needed.popleft()
            if not self._needed:
                self._at = self._base
            self._turn.notify_all()

    def scrub(self) -> None:
        """Overwrite the frames that are not needed, so that what was in them is gone.

        Raises:
            OSError: the file cannot be written.
        """
        with self._turn:
            at = self._base
            for span in sorted(self._needed, key=lambda one: one.start):
                self._zero(at, span.start)
                at = span.end
            self._zero(at, self._dirty)
            os.fdatasync(self._descriptor)
            self._dirty = max(at, self._base)

    def is_idle(self) -> bool:
        """Whether content that is not needed is left, and nothing was appended since last asked."""
        was_used, self._is_used = self._is_used, False
        return not (was_used or self._needed) and self._dirty > self._base

    def close(self) -> None:
        """Close the file, and delete it if the tables have all that it holds."""
        with suppress(OSError):
            if not self._needed:
                _delete(self._file, self._descriptor)
        os.close(self._descriptor)

    def _wait_for(self, place: Callable[[], int | None]) -> int:
        """Return a place in the file, once there is one."""
        found = place()
        if found is None:
            self._turn.wait_for(lambda: place() is not None, ROOM_SECONDS)
            found = place()
        if found is None:
            raise NotWritten(FULL)
        return found

    def _room(self, size: int) -> int | None:
        """Return where a frame of a size can begin; None while the ring has no room for it."""
        if not self._needed:
            return self._base
        tail = self._needed[0].start
        if self._at <= tail:
            return self._at if self._at + size <= tail else None
        if self._at + size <= max(RING_BYTES, self._size):
            return self._at
        return self._base if self._base + size <= tail else None

    def _write(self, frame: Frame, start: int) -> int:
        """Write a frame and sync it; return its end."""
        size = pages(frame)
        if start + size > self._size:
            self._grow(start + size - self._size)
        head, mac = frame_header(self._key, frame)
        padding = bytes(size - len(head) - len(mac) - len(frame.content))
        parts = [head, mac, frame.content, padding]
        self._dirty = max(self._dirty, start + size)
        if os.pwritev(self._descriptor, parts, start) != size:
            _write_all(self._descriptor, b"".join(parts), start)
        os.fdatasync(self._descriptor)
        return start + size

    def _grow(self, size: int) -> None:
        more = -(-size // EXTENT_BYTES) * EXTENT_BYTES
        _write_all(self._descriptor, bytes(more), self._size)
        self._size += more

    def _zero(self, start: int, end: int) -> None:
        if end > start:
            _write_all(self._descriptor, bytes(end - start), start)


def delete_journal(file: Path) -> None:
    """Delete a journal whose frames are in the tables, if there is one.

    Raises:
        OSError: the file cannot be written.
    """
    with suppress(FileNotFoundError):
        descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
        try:
            _delete(file, descriptor)
        finally:
            os.close(descriptor)


def _delete(file: Path, descriptor: int) -> None:
    """Overwrite a file and delete it, so that what was erased meanwhile is not left on the disk."""
    _write_all(descriptor, bytes(os.fstat(descriptor).st_size), 0)
    os.fsync(descriptor)
    file.unlink()
    sync_folder(file.parent)


def _write_all(descriptor: int, content: bytes, at: int) -> None:
    """Write a content at an offset; the system may take it in several parts."""
    left = memoryview(content)
    while left:
        count = os.pwrite(descriptor, left, at)
        left, at = left[count:], at + count
