"""Recording: what is remembered of every answered row, before the answer leaves."""

import asyncio
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from fastapi import Request, Response

from app.api.body import MEDIA_TYPE
from app.codes import FieldCode, ProblemCode
from app.errors import (
    Conflict,
    DeadlinePassed,
    DeadlinePassedRecording,
    Fault,
    InvalidInput,
    Unrecorded,
)
from app.events import Draft, Part, Reply, now
from app.memory import Memory
from app.serving.deadlines import Deadlines
from app.values import Floats

REFERENCE, KEY = b"dubito-reference", b"idempotency-key"
"""Headers, as ASGI has them."""
ENVIRONMENT = "environment:"
"""What the names of notes of numerical environments begin with; their fingerprint follows."""
MOST_CHARACTERS = 200
EXTENDED = b"utf-8''"
"""What a value in RFC 8187's form begins with, in letters of any case."""
VALUE = re.compile(r"(?:%[0-9A-Fa-f]{2}|[A-Za-z0-9!#$&+.^_`|~-])+", re.ASCII)
"""`value-chars` (RFC 8187 §3.2.1)."""


class Recorder:
    """Makes a record of every request, or none where nothing is to be remembered."""

    def __init__(self, memory: Memory | None) -> None:
        """Take the memory, which knows how to make entries of drafts."""
        self.memory = memory
        self.deadlines = Deadlines()
        self._answering: set[str] = set()
        """Keys of requests that are being answered."""

    @contextmanager
    def of(self, request: Request, body: bytes, deadline: float) -> "Iterator[Record]":
        """The record of a request, while it is answered, up to a time of the event loop's clock.

        Raises:
            InvalidInput: a header that is too long or not printable.
            Conflict: its key is that of another request that is being answered.
        """
        if self.memory is None:
            yield Record(self, None, None, deadline)
            return
        reference, key = _named(request)
        if key is None:
            yield Record(self, reference, None, deadline)
            return
        if key in self._answering:
            raise Conflict(
                ProblemCode.KEY_IN_USE, "a request with this Idempotency-Key is being answered"
            )
        self._answering.add(key)
        try:
            yield Record(self, reference, Key.of(key, request, body), deadline)
        finally:
            self._answering.discard(key)


@dataclass(frozen=True, slots=True)
class Key:
    """A request's own name, under which it is answered once."""

    text: str
    request: bytes
    """SHA-256 of route, query and body."""

    @classmethod
    def of(cls, text: str, request: Request, body: bytes) -> "Key":
        """The key of a request."""
        scope = request.scope
        asked = b"\0".join((scope["path"].encode(), scope["query_string"], body))
        return cls(text, hashlib.sha256(asked).digest())


class Record:
    """What is to be remembered of one request."""

    def __init__(
        self, recorder: Recorder, reference: str | None, key: Key | None, deadline: float
    ) -> None:
        self._recorder = recorder
        self._deadline = deadline
        self._reference = reference
        self._key = key
        self._parts: list[Part] = []
        self._first = ""
        """The first answer's identifier."""
        self._rows = 0

    async def earlier(self) -> Response | None:
        """The first answer to the request's key, if it has one and there was one.

        Raises:
            Conflict: the key came with another request.
        """
        if self._key is None:
            return None
        reply = await self._reply(self._key)
        return None if reply is None else Response(reply, media_type=MEDIA_TYPE)

    def add(
        self,
        answers: Sequence[Mapping[str, Any]],
        content: bytes,
        rows: Floats,
        asked: Mapping[str, Any],
        *,
        is_drawn: bool,
    ) -> None:
        """Add the answers to some rows.

        Args:
            answers: as they leave.
            content: the same in JSON.
            rows: `(N, F)`, what they answer.
            asked: how they were asked for.
            is_drawn: whether the first row's seed was drawn for it alone.
        """
        if self._recorder.memory is None:
            return
        self._first = self._first or answers[0]["id"]
        self._rows += len(rows)
        self._parts.append(Part(now(), content, rows.tobytes(), asked, is_drawn))

    async def keep(self, parts: Sequence[bytes]) -> Sequence[bytes]:
        """Remember what was added; returns the parts of the body that may now be answered.

        Raises:
            Unrecorded: it could not be written, so that nothing may be answered.
            DeadlinePassedRecording: it may be written, but that is not known in time.
            Conflict: the key came with another request meanwhile.
        """
        memory = self._recorder.memory
        if memory is None:
            return parts
        draft = self._draft(parts)
        if self._key is None and not memory.waits:
            memory.writer.leave(draft)
        elif not await self._written(memory.writer.put(draft)) and self._key is not None:
            # Another process has answered to the key meanwhile.
            reply = await self._reply(self._key)
            if reply is None:
                raise Unrecorded
            return [reply]
        return parts

    def _written(self, written: "asyncio.Future[bool]") -> "asyncio.Future[bool]":
        """Wait for an entry no longer than the client does."""
        self._recorder.deadlines.watch(written, self._deadline, DeadlinePassedRecording)
        return written

    def _draft(self, body: Sequence[bytes]) -> Draft:
        key, reply = self._key, None
        if key is not None:
            time = self._parts[0].time
            reply = Reply(key.text, key.request, self._first, time, b"".join(body))
        return Draft(tuple(self._parts), self._rows, self._reference, reply)

    async def _reply(self, key: Key) -> bytes | None:
        assert self._recorder.memory is not None  # noqa: S101 - there is no key without a memory
        try:
            async with asyncio.timeout_at(self._deadline):
                reply = await self._recorder.memory.reader.reply_to(key.text)
        except TimeoutError:
            raise DeadlinePassed from None
        if reply is not None and reply.request != key.request:
            raise Conflict(ProblemCode.KEY_REUSED, "this Idempotency-Key came with another request")
        return None if reply is None else reply.content


def _named(request: Request) -> tuple[str | None, str | None]:
    """The client's own name of the case, and of the request."""
    reference = key = None
    for name, value in request.scope["headers"]:
        if name == REFERENCE:
            reference = reference or _reference(name, value)
        elif name == KEY:
            key = key or _text(name, value)
    return reference, key


def _reference(name: bytes, value: bytes) -> str:
    """A reference; letters beyond ASCII come in RFC 8187's form, of no language."""
    if value[: len(EXTENDED)].lower() != EXTENDED:
        return _text(name, value)
    encoded = value[len(EXTENDED) :].decode("latin-1")
    try:
        text = unquote_to_bytes(encoded).decode() if VALUE.fullmatch(encoded) else ""
    except UnicodeDecodeError:
        text = ""
    if not (0 < len(text) <= MOST_CHARACTERS and text.isprintable()):
        raise _unprintable(name, "printable characters, percent-encoded UTF-8")
    return text


def _text(name: bytes, value: bytes) -> str:
    text = value.decode("latin-1")
    if not (0 < len(text) <= MOST_CHARACTERS and text.isascii() and text.isprintable()):
        raise _unprintable(name, "printable ASCII characters")
    return text


def _unprintable(name: bytes, what: str) -> InvalidInput:
    """A header that is not what it must be."""
    most = MOST_CHARACTERS
    message = f"must be 1 to {most} {what}"
    where = (name.decode(),)
    return InvalidInput([Fault(where, FieldCode.NOT_PRINTABLE, message, minimum=1, maximum=most)])
