"""Lets the models of a service compute in turn, so that each has its share of the processors.

Start-time fair queueing (Goyal, Vin and Cheng, 1996, section 2): a batch gets a start tag, what its
model has used so far, in seconds. The least tag computes next; the largest that has begun is the
virtual time. Unlike there, a model that was idle has saved up to `SAVED_SECONDS`: one that uses
less than its share waits for the batch in progress alone, though its requests come at random.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

SAVED_SECONDS = 0.5
"""Most seconds of computing that a model saves up, and the longest time others then wait for it."""
LONGEST_SECONDS = 1.0
"""Seconds of a batch after which others compute beside it, soon after: it may never end."""


class Turn:
    """A model's place among those that compute in turn."""

    def __init__(self, queue: "FairQueue") -> None:
        """Set the queue."""
        self._queue = queue
        self.tag = 0.0
        """Start tag of its batch, seconds of computing; between batches, of its next one."""
        self.since = 0.0
        """Time at which its batch began, seconds of the clock."""
        self.start: Callable[[], None] = _nothing

    @property
    def others(self) -> int:
        """Number of other models that compute or wait for it."""
        return self._queue.others(self)

    def take(self, start: Callable[[], None]) -> None:
        """Call a function, now or once it is this model's turn, which starts a batch."""
        self.start = start
        self._queue.ask(self)

    def end(self, more: Callable[[], None] | None = None) -> None:
        """End the turn: the batch is computed.

        Args:
            more: starts the next batch, if there is one already; called as by `take`.
        """
        self._queue.end(self, more)


@dataclass
class FairQueue:
    """Whose turn it is, and who waits. Used only on the event loop."""

    now: Callable[[], float] = time.perf_counter
    """Clock by which batches are measured, seconds."""
    _clock: float = 0.0
    """Virtual time: largest start tag of a batch that has begun, seconds of computing."""
    _holder: Turn | None = None
    _waiting: list[Turn] = field(default_factory=list)
    """Models whose batches wait, in order of arrival."""
    _look: asyncio.TimerHandle | None = None
    """The next look at how long the batch takes that others wait for."""

    def add(self) -> Turn:
        """Add a model; returns its place."""
        return Turn(self)

    def others(self, apart: Turn) -> int:
        """Count the models that compute or wait, without one."""
        return sum(one is not apart for one in (self._holder, *self._waiting) if one is not None)

    def ask(self, turn: Turn) -> None:
        """Queue a batch, which begins at once if nobody computes."""
        turn.tag = max(turn.tag, self._clock - SAVED_SECONDS)
        self._waiting.append(turn)
        if self._holder is None:
            self._next()
        elif self._look is None:
            self._look = asyncio.get_running_loop().call_later(LONGEST_SECONDS, self._pass)

    def end(self, turn: Turn, more: Callable[[], None] | None) -> None:
        """Charge a model for its batch, and begin the next one, which may be its own."""
        turn.tag += self.now() - turn.since
        is_next = self._holder is turn
        if more is not None:
            turn.start = more
            self.ask(turn)
        if is_next:
            self._holder = None
            self._next()

    def _next(self) -> None:
        """Begin the next batch, whoever held the turn before."""
        if not self._waiting:
            return
        turn = min(self._waiting, key=lambda one: one.tag)
        self._waiting.remove(turn)
        self._holder, turn.since = turn, self.now()
        self._clock = max(self._clock, turn.tag)
        turn.start()

    def _pass(self) -> None:
        """Let others compute beside a batch that takes too long."""
        self._look = None
        if self._holder is None or not self._waiting:
            return
        if self.now() - self._holder.since >= LONGEST_SECONDS:
            self._next()
        if self._waiting:
            self._look = asyncio.get_running_loop().call_later(LONGEST_SECONDS, self._pass)


def _nothing() -> None:
    """Start nothing."""
