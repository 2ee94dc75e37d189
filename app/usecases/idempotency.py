"""Records answers before they are sent, and each Idempotency-Key at most once."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from app.errors import Conflict, DeadlinePassed, DeadlinePassedRecording, RecordingFailed
from app.problem_codes import ProblemCode
from app.record_events import (
    AnyMonteCarloPart,
    AnyPart,
    AnyPlainPart,
    Draft,
    MonteCarloNumberPart,
    MonteCarloPart,
    PlainNumberPart,
    PlainPart,
    Reply,
    now,
)
from app.record_ports import Memory
from app.recorded_prediction import Asked
from app.serving.deadlines import Deadlines
from dubito.answer import AnyMonteCarloAnswer, AnyPlainAnswer, MonteCarloNumber, PlainNumber
from dubito.types import Floats

MOST_CHARACTERS = 200
"""Maximum characters of a reference, and of an idempotency key."""


@dataclass(frozen=True, slots=True)
class RequestName:
    """Names that a client gives its case and its request."""

    reference: str | None = None
    """Client's name of the case, under which the case can be found and erased."""
    key: str | None = None
    """Idempotency key of the request, under which it is answered once."""
    digest: bytes = b""
    """SHA-256 of the whole request: the same key with another request is a mistake."""


class Recorder:
    """Creates the record of every request, or an empty one when recording is off."""

    def __init__(self, memory: Memory | None) -> None:
        """Keep the record store, which builds entries from drafts; None when recording is off."""
        self.memory = memory
        self.deadlines = Deadlines()
        self._answering: set[str] = set()
        """Keys of requests that are being answered."""

    def of(self, name: RequestName, deadline: float) -> "Record":
        """Create the record of a request, a context manager: it is answered within the block.

        Args:
            name: the client's names of case and request.
            deadline: deadline of the request, seconds of the event loop's clock.

        Raises:
            Conflict: another request with the same key is being answered.
        """
        if self.memory is not None and name.key is not None:
            if name.key in self._answering:
                raise Conflict(
                    ProblemCode.KEY_IN_USE, "a request with this Idempotency-Key is being answered"
                )
            self._answering.add(name.key)
        return Record(self, name, deadline)

    def release(self, key: str) -> None:
        """Let other requests have a key."""
        self._answering.discard(key)


class Record:
    """The record of one request."""

    def __init__(self, recorder: Recorder, name: RequestName, deadline: float) -> None:
        """Keep the recorder, the client's names, and the deadline."""
        self._recorder = recorder
        self._deadline = deadline
        self._name = name
        self._parts: list[AnyPart] = []
        self._after: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        """Begin to answer the request."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let other requests have the request's key."""
        if self._name.key is not None:
            self._recorder.release(self._name.key)

    async def earlier(self) -> bytes | None:
        """Return the first answer to the request's key; None without a key or an earlier answer.

        Raises:
            Conflict: the key was used for another request.
            DeadlinePassed: the earlier answer could not be read in time.
        """
        memory = self._recorder.memory
        if memory is None or self._name.key is None:
            return None
        return await self._reply(memory, self._name.key)

    def add_plain(self, answers: Sequence[AnyPlainAnswer], rows: Floats) -> None:
        """Add deterministic answers to rows `(N, F)`."""
        if self._recorder.memory is not None:
            self._parts.append(_plain_part(answers, rows))

    def add_monte_carlo(
        self,
        answers: Sequence[AnyMonteCarloAnswer],
        rows: Floats,
        asked: Asked,
        *,
        is_drawn: bool,
    ) -> None:
        """Add Monte-Carlo answers to rows `(N, F)`.

        Args:
            answers: the answers, as they are sent.
            rows: the rows that they answer.
            asked: the options of the request.
            is_drawn: whether the first row's seed was drawn for it alone.
        """
        if self._recorder.memory is not None:
            self._parts.append(_monte_carlo_part(answers, rows, asked, is_drawn=is_drawn))

    def then(self, act: Callable[[], None]) -> None:
        """Have something done once the answers may be sent."""
        self._after.append(act)

    async def keep(self, body: Sequence[bytes]) -> Sequence[bytes]:
        """Record what was added; returns the parts of the body that may now be sent.

        Raises:
            RecordingFailed: the record could not be written, so nothing may be answered.
            DeadlinePassedRecording: the deadline passed before the write was confirmed.
            Conflict: the key was used for another request meanwhile.
        """
        kept = await self._kept(body)
        if kept is body:
            for act in self._after:
                act()
        return kept

    async def _kept(self, body: Sequence[bytes]) -> Sequence[bytes]:
        """Record what was added; returns the body, or the one that has its key already."""
        memory, key = self._recorder.memory, self._name.key
        if memory is None:
            return body
        draft = self._draft(body)
        if key is None and not memory.waits:
            memory.writer.leave(draft)
        elif not await self._written(memory.writer.put(draft)) and key is not None:
            # Another process has answered a request with this key meanwhile.
            reply = await self._reply(memory, key)
            if reply is None:
                raise RecordingFailed
            return [reply]
        return body

    def _written(self, written: "asyncio.Future[bool]") -> "asyncio.Future[bool]":
        """Make the wait for an entry fail at the request's deadline."""
        self._recorder.deadlines.watch(written, self._deadline, DeadlinePassedRecording)
        return written

    def _draft(self, body: Sequence[bytes]) -> Draft:
        name, reply = self._name, None
        if name.key is not None:
            first = self._parts[0]
            content = b"".join(body)
            reply = Reply(name.key, name.digest, first.answers[0].id, first.time, content)
        return Draft(tuple(self._parts), name.reference, reply)

    async def _reply(self, memory: Memory, key: str) -> bytes | None:
        try:
            async with asyncio.timeout_at(self._deadline):
                reply = await memory.reader.reply_to(key)
        except TimeoutError:
            raise DeadlinePassed from None
        if reply is not None and reply.request != self._name.digest:
            raise Conflict(
                ProblemCode.KEY_REUSED, "this Idempotency-Key was used for another request"
            )
        return None if reply is None else reply.content


def _plain_part(answers: Sequence[AnyPlainAnswer], rows: Floats) -> AnyPlainPart:
    """Build a part of the kind of its answers, of which there is at least one."""
    if isinstance(answers[0].result, PlainNumber):
        return PlainNumberPart(now(), rows.tobytes(), answers)  # type: ignore[arg-type]
    return PlainPart(now(), rows.tobytes(), answers)  # type: ignore[arg-type]


def _monte_carlo_part(
    answers: Sequence[AnyMonteCarloAnswer],
    rows: Floats,
    asked: Asked,
    *,
    is_drawn: bool,
) -> AnyMonteCarloPart:
    """Build a part of the kind of its answers, of which there is at least one."""
    if isinstance(answers[0].result, MonteCarloNumber):
        return MonteCarloNumberPart(now(), rows.tobytes(), answers, asked, is_drawn)  # type: ignore[arg-type]
    return MonteCarloPart(now(), rows.tobytes(), answers, asked, is_drawn)  # type: ignore[arg-type]
