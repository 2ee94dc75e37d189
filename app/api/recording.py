"""Recording: what is remembered of every answered row, before the answer leaves."""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import Request, Response
from pydantic_core import from_json, to_json

from app.api.body import MEDIA_TYPE
from app.errors import Conflict, Fault, InvalidInput, Unrecorded
from app.events import Draft, Entry, Event, Referral, Reply, Tally, now
from app.memory import Memory
from app.monitoring.observation import Observer
from app.values import Floats, Signature

REFERENCE = "dubito-reference"
KEY = "idempotency-key"
ENVIRONMENT = "environment:"
"""What the names of notes of numerical environments begin with; their fingerprint follows."""
MOST_CHARACTERS = 200
Part = tuple[int, bytes, Floats, Mapping[str, Any], bool]
"""Of a record: when, answers in JSON, rows, how they were asked for, whether a seed was drawn."""
ELSEWHERE = frozenset({"id", "model", "warnings", "draws"})
"""Members of an answer that stand elsewhere in its record, or can be computed again."""


class Recorder:
    """Makes a record of every request, or none where nothing is to be remembered."""

    def __init__(
        self,
        signature: Signature,
        environment: str,
        observer: Observer,
        memory: Memory | None,
    ) -> None:
        """Take the bundle's features, the numerical environment's fingerprint, and the memory."""
        self.names = signature.names
        self.environment = environment
        self.observer = observer
        self.memory = memory
        self._answering: set[str] = set()
        """Keys of requests that are being answered."""

    @contextmanager
    def of(self, request: Request, body: bytes) -> "Iterator[Record]":
        """The record of a request, while it is answered.

        Raises:
            InvalidInput: a header that is too long or not printable.
            Conflict: its key is that of another request that is being answered.
        """
        if self.memory is None:
            yield Record(self, None, None)
            return
        reference, key = _header(request, REFERENCE), _header(request, KEY)
        if key is None:
            yield Record(self, reference, None)
            return
        if key in self._answering:
            raise Conflict("a request with this Idempotency-Key is being answered")
        self._answering.add(key)
        try:
            yield Record(self, reference, Key.of(key, request, body))
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

    def __init__(self, recorder: Recorder, reference: str | None, key: Key | None) -> None:
        self._recorder = recorder
        self._reference = reference
        self._key = key
        self._parts: list[Part] = []

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
        self, answers: bytes, rows: Floats, asked: Mapping[str, Any], *, is_drawn: bool
    ) -> None:
        """Add the answers to some rows.

        What is kept until it is written is bytes: many small objects would cost all others more.

        Args:
            answers: a list of them in JSON, as they leave.
            rows: `(N, F)`, what they answer.
            asked: how they were asked for.
            is_drawn: whether the first row's seed was drawn for it alone.
        """
        if self._recorder.memory is not None:
            self._parts.append((now(), answers, rows, asked, is_drawn))

    async def keep(self, parts: Sequence[bytes]) -> Sequence[bytes]:
        """Remember what was added; returns the parts of the body that may now be answered.

        Raises:
            Unrecorded: it could not be written, so that nothing may be answered.
            Conflict: the key came with another request meanwhile.
        """
        memory = self._recorder.memory
        if memory is None:
            return parts
        rows = sum(len(rows) for _, _, rows, _, _ in self._parts)
        reply = None if self._key is None else b"".join(parts)
        written = memory.writer.put(Draft(rows, reply is not None, partial(self._entry, reply)))
        if self._key is None and not memory.waits:
            written.add_done_callback(_looked_at)
        elif not await written and self._key is not None:
            # Another process has answered to the key meanwhile.
            reply = await self._reply(self._key)
            if reply is None:
                raise Unrecorded
            return [reply]
        return parts

    def _entry(self, reply: bytes | None) -> Entry:
        """What is remembered; made by who writes it, while the event loop looks after others."""
        events, tallies, referrals = list[Event](), list[Tally](), list[Referral]()
        for time, content, rows, asked, is_drawn in self._parts:
            answers = from_json(content)
            events += self._events(answers, rows, asked, time)
            tallies.append(self._recorder.observer.answered(answers, rows, is_drawn=is_drawn))
            referrals += [_referral(answer, time) for answer in answers if _is_referred(answer)]
        first = events[0]
        own = None
        if self._key is not None and reply is not None:
            own = Reply(self._key.text, self._key.request, first.prediction, first.time, reply)
        return Entry(tuple(events), own, Tally.joined(tallies), tuple(referrals))

    def _events(
        self,
        answers: Sequence[Mapping[str, Any]],
        rows: Floats,
        asked: Mapping[str, Any],
        time: int,
    ) -> Iterator[Event]:
        for answer, row in zip(answers, rows.tolist(), strict=True):
            yield Event(
                "prediction",
                answer["id"],
                time,
                to_json(self._body(answer, asked)),
                to_json(self._personal(row), inf_nan_mode="null"),
                self._reference,
            )

    async def _reply(self, key: Key) -> bytes | None:
        assert self._recorder.memory is not None  # noqa: S101 - there is no key without a memory
        reply = await self._recorder.memory.reader.reply_to(key.text)
        if reply is not None and reply.request != key.request:
            raise Conflict("this Idempotency-Key came with another request")
        return None if reply is None else reply.content

    def _body(self, answer: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "environment": self._recorder.environment,
            "model": answer["model"],
            **asked,
            "answer": plain(answer),
            "warnings": [_without_value(warning) for warning in answer["warnings"]],
        }

    def _personal(self, row: list[float]) -> dict[str, Any]:
        features = dict(zip(self._recorder.names, row, strict=True))
        return {"features": features, "reference": self._reference}


def plain(answer: Mapping[str, Any]) -> dict[str, Any]:
    """An answer as it is recorded."""
    return {name: value for name, value in answer.items() if name not in ELSEWHERE}


def _is_referred(answer: Mapping[str, Any]) -> bool:
    return (answer.get("decision") or {}).get("action") == "refer"


def _referral(answer: Mapping[str, Any], time: int) -> Referral:
    """What a list of those that wait shows of an answer."""
    doubt = answer["uncertainty"]
    shown = {
        "grade": answer["grade"],
        "reasons": answer["decision"]["reasons"],
        "predictive_entropy": doubt["predictive_entropy"],
        "mutual_information": doubt["mutual_information"],
        "model": answer["model"],
    }
    return Referral(answer["id"], time, doubt["predictive_entropy"], to_json(shown))


def _without_value(warning: Mapping[str, Any]) -> dict[str, Any]:
    """A warning that says nothing of the row's own figures."""
    return {name: value for name, value in warning.items() if name != "value"}


def _looked_at(written: "asyncio.Future[bool]") -> None:
    """The writer has said in the log why it failed."""
    if not written.cancelled():
        written.exception()


def _header(request: Request, name: str) -> str | None:
    text: str | None = request.headers.get(name)
    if text is None:
        return None
    if not (0 < len(text) <= MOST_CHARACTERS and text.isascii() and text.isprintable()):
        message = f"must be 1 to {MOST_CHARACTERS} printable ASCII characters"
        raise InvalidInput([Fault((name,), message)])
    return text
