"""What a client does for one question: attempts and pauses, without any input or output.

The synchronous and the asynchronous client do what a generator of this module says.
"""

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field

from dubito.client.problem import RequestRefused, RequestUnanswered
from dubito.system_random import random_bits

TRY_AGAIN = frozenset({429, 502, 503})
"""Statuses after which the same request may be answered: limits, a service that is not ready."""
GOOD = range(200, 300)
BUSY_KEY = "key_in_use"
"""Code of a refusal because an earlier attempt is still being answered."""
RETRIES = 4
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
"""Seconds of a pause where the service names none: doubled each time, up to the longest."""
BITS = 16


@dataclass(frozen=True, slots=True)
class Question:
    """A request of which every attempt is the same."""

    method: str
    path: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Ask the question."""

    timeout: float | None
    """Seconds of each wait; None without a limit."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class ServiceReply:
    """What was answered."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer came."""

    why: str


ExchangeSteps = Generator[Attempt | Pause, ServiceReply | Lost | None, ServiceReply]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a client goes on."""

    retries: int = RETRIES
    """Attempts after the first."""
    timeout: float | None = 30.0
    """Seconds for which an attempt waits for a connection, and for each part of an answer."""
    deadline: float | None = None
    """Seconds of all attempts and pauses; None without a limit."""

    def steps(self, clock: Callable[[], float] = time.monotonic) -> ExchangeSteps:
        """Yield what is to be done until there is an answer, and return that.

        Each `Attempt` is sent what came of it.

        Raises:
            RequestRefused: the service refused the request, and asking again would not help, or is
                not allowed any more.
            RequestUnanswered: no attempt was answered.
        """
        end = None if self.deadline is None else clock() + self.deadline
        attempt = 0
        while True:
            left = None if end is None else end - clock()
            if left is not None and left <= 0:
                raise RequestUnanswered("the deadline passed")
            found = yield Attempt(_least(self.timeout, left))
            if isinstance(found, ServiceReply) and found.status in GOOD:
                return found
            error = _error(found)
            pause = None if attempt >= self.retries else _pause(error, attempt)
            if pause is None or (end is not None and clock() + pause >= end):
                raise error
            yield Pause(pause)
            attempt += 1


def _least(*seconds: float | None) -> float | None:
    return min((one for one in seconds if one is not None), default=None)


def _error(found: ServiceReply | Lost | None) -> RequestRefused | RequestUnanswered:
    if isinstance(found, ServiceReply):
        return RequestRefused(found.status, found.headers, found.content)
    return RequestUnanswered("there is no answer" if found is None else found.why)


def _pause(error: RequestRefused | RequestUnanswered, attempt: int) -> float | None:
    """Return the seconds until the next attempt; None if none helps."""
    usual: float = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**attempt)
    # Of clients that were refused together not all come again together.
    usual *= 0.5 + random_bits(BITS) / 2 ** (BITS + 1)
    if isinstance(error, RequestUnanswered):
        return usual
    if error.status not in TRY_AGAIN and error.code != BUSY_KEY:
        return None
    return usual if error.retry_after is None else max(usual, error.retry_after)
