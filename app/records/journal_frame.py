"""Frames of a journal, as they stand in its file.

Layout of a frame, little-endian: `MAGIC` (its last digit is the format's version), 8 bytes that
identify the key, sequence, sequence of the frame before, time in microseconds since 1970 (8 bytes
each), length of the content (4 bytes), HMAC-SHA-256 of all that and the content (32 bytes),
content, and zeros up to the end of the page. Frames of the sequence 0 stand at the beginning of the
file and are introductions, counted where others name the frame before. By the last of them all
other frames are read.
"""

import hashlib
import hmac
import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from app.errors import RecordsError
from app.records.state_files import one_line

MAGIC = b"dubitoj1"
HEAD = struct.Struct("<8s8sQQqI")
"""All of a frame's header but its HMAC."""
MAC_BYTES = 32
PAGE = 4_096
"""Bytes to which the beginning of a frame is aligned."""


class Frame(NamedTuple):
    """A frame's content and its place in the order of frames."""

    sequence: int
    previous: int
    """Sequence of the frame that was acknowledged before; of an introduction, how many were."""
    time: int
    """Time of the write, microseconds since 1970."""
    content: bytes


class Content(NamedTuple):
    """What a journal holds."""

    introduction: bytes | None
    frames: Sequence[Frame]
    """All whole frames except the introduction, in their order."""

    def after(self, applied: int) -> list[Frame]:
        """Return the acknowledged frames after a sequence, in their order.

        Raises:
            RecordsError: one is missing or damaged, although a later one is whole.
        """
        known = {frame.sequence: frame for frame in self.frames}
        found, at = list[Frame](), max(known, default=0)
        while at > applied:
            if at not in known:
                raise RecordsError(_damaged(f"frame {at} is missing or was changed"))
            found.append(known[at])
            at = known[at].previous
        if found and self.introduction is None:
            raise RecordsError(_damaged("its beginning is missing or was changed"))
        return found[::-1]


def read_journal(file: Path, keys: Sequence[bytes]) -> Content:
    """Read all whole frames of a journal; there are none if the file does not exist.

    Raises:
        RecordsError: the file cannot be read, or a frame was written with another key.
    """
    try:
        with file.open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            if size < PAGE:
                return Content(None, ())
            with mmap.mmap(opened.fileno(), size, access=mmap.ACCESS_READ) as content:
                frames = sorted(_frames(content, keys))
    except FileNotFoundError:
        return Content(None, ())
    except OSError as error:
        raise RecordsError(f"{one_line(file)}: {error.strerror}") from error
    introductions = [frame.content for frame in frames if frame.sequence == 0]
    introduction = introductions[-1] if introductions else None
    return Content(introduction, [frame for frame in frames if frame.sequence])


def _frames(content: mmap.mmap, keys: Sequence[bytes]) -> Iterator[Frame]:
    """Yield the whole frames, in the order in which they stand in the file."""
    names, at = {_name(key): key for key in keys}, 0
    # All frames are under one key. What looks like a header elsewhere may be a caller's text.
    magic, name, *_ = HEAD.unpack_from(content)
    if magic == MAGIC and name not in names:
        raise RecordsError(
            "the journal holds answers under a key that is not in the key file: add that key to "
            "the file, or move the journal away, which loses them"
        )
    while at + HEAD.size + MAC_BYTES <= len(content):
        magic, name, sequence, previous, time, length = HEAD.unpack_from(content, at)
        start = at + HEAD.size + MAC_BYTES
        if magic != MAGIC or start + length > len(content):
            at += PAGE
            continue
        frame = Frame(sequence, previous, time, content[start : start + length])
        key = names.get(name)
        if key is not None and _is_whole(key, frame, content[at:start]):
            yield frame
            at += pages(frame)
        else:
            at += PAGE


def _is_whole(key: bytes, frame: Frame, header: bytes) -> bool:
    return hmac.compare_digest(header, b"".join(frame_header(key, frame)))


def frame_header(key: bytes, frame: Frame) -> tuple[bytes, bytes]:
    """Return the two parts of a frame's header."""
    sequence, previous, time, content = frame
    head = HEAD.pack(MAGIC, _name(key), sequence, previous, time, len(content))
    return head, hmac.digest(key, head + content, "sha256")


def _name(key: bytes) -> bytes:
    """Return 8 bytes that identify a key and do not tell it."""
    return hmac.digest(key, b"journal", hashlib.sha256)[:8]


def pages(frame: Frame) -> int:
    """Return the bytes that a frame takes in the file."""
    whole = HEAD.size + MAC_BYTES + len(frame.content)
    return -(-whole // PAGE) * PAGE


def _damaged(why: str) -> str:
    return (
        f"the journal of the records is damaged: {why}; to go on without what it holds, move it "
        "away"
    )
