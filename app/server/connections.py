"""The open connections of a server: how many there may be, and how long each may wait for what."""

import asyncio
import logging
import resource
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from app.settings import Settings

RESERVED_DESCRIPTORS = 64
"""File descriptors that are left to files, databases and other processes."""
SHARE_OF_DESCRIPTORS = 0.75
"""Of those that are left, the share that connections may hold; the rest is for those just taken."""
LINGER_SECONDS = 2.0
"""For which a connection is read after its last answer, so that closing it does not reset it."""
LONGEST_LOOK, LOOKS = 1.0, 4
"""Seconds between two looks at what waits, and how often the shortest limit is looked at."""
STUCK_SECONDS = 1.0
"""After which a connection counts as stuck where room must be made for others."""
TOLD_SECONDS = 60.0
"""Between two lines in the log about connections that had to be closed."""

log = logging.getLogger("dubito")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may send, hold and leave unread."""

    header_bytes: int
    """Of a request's head, and of what stands between two pieces of a chunked body."""
    headers: int
    url_bytes: int
    header_seconds: float
    """From a connection's begin, or a head's first byte, to the head's end."""
    idle_seconds: float
    """Between two requests."""
    unread_seconds: float
    """For which no room may come to be in a full send buffer."""
    body_bytes: int
    """Of a body that is read although its request is answered already."""
    body_seconds: float
    connections: int
    unread_bytes: int
    """Of all answers together that clients do not take."""

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """The limits that settings name."""
        return cls(
            header_bytes=settings.max_header_bytes,
            headers=settings.max_headers,
            url_bytes=settings.max_url_bytes,
            header_seconds=settings.header_seconds,
            idle_seconds=settings.keep_alive_seconds,
            unread_seconds=settings.unread_seconds,
            body_bytes=settings.max_body_bytes,
            body_seconds=settings.body_seconds,
            connections=settings.max_connections,
            unread_bytes=settings.max_unread_bytes,
        )


Refused = Callable[[int], None]
"""Takes the status of what was refused before it was a request."""


class Guest(Protocol):
    """A connection, as its server sees it."""

    @property
    def unsent(self) -> int:
        """Bytes of answers that the client has not taken yet."""

    def expire(self, wait: "Wait") -> None:
        """End, as what it waited for did not come in time."""

    def abort(self) -> None:
        """End at once."""


class Wait:
    """The connections that wait for one thing, the one that has waited longest first."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        """For which one may wait."""
        self._since: dict[Guest, float] = {}

    def begin(self, guest: Guest, now: float) -> None:
        """Note that a connection waits from now on."""
        self._since[guest] = now

    def end(self, guest: Guest) -> None:
        """Note that a connection waits no longer, if it did."""
        self._since.pop(guest, None)

    def longer_than(self, seconds: float, now: float) -> Iterator[Guest]:
        """Yield the connections that have waited so long, the longest first."""
        for guest, since in list(self._since.items()):
            if now - since < seconds:
                return
            yield guest


class Connections:
    """All connections of a server. It lives on the event loop."""

    def __init__(self, limits: Limits, refused: Refused = lambda _: None) -> None:
        """Take the limits and who hears of refusals; raise the limit of descriptors as needed."""
        self.limits = limits
        self.refused = refused
        self.idle = Wait(limits.idle_seconds)
        self.head = Wait(limits.header_seconds)
        self.drain = Wait(limits.body_seconds)
        self.deaf = Wait(limits.unread_seconds)
        self.linger = Wait(LINGER_SECONDS)
        self._waits = (self.idle, self.head, self.drain, self.deaf, self.linger)
        self._most = min(limits.connections, _descriptors(limits.connections))
        self._open: set[Guest] = set()
        self._told = -TOLD_SECONDS

    def enter(self, guest: Guest, now: float) -> bool:
        """Take a connection in; False where there is no room and none can be made.

        Room is made by closing the connection that has been silent for longest.
        """
        if len(self._open) >= self._most:
            victim = self._victim(now)
            self._tell(now)
            if victim is None:
                return False
            self.leave(victim)
            victim.abort()
        self._open.add(guest)
        return True

    def leave(self, guest: Guest) -> None:
        """Forget a connection that has ended."""
        self._open.discard(guest)
        for wait in self._waits:
            wait.end(guest)

    async def watch(self) -> None:
        """End what waits too long, until cancelled."""
        shortest = min(wait.seconds for wait in self._waits)
        while True:
            await asyncio.sleep(min(LONGEST_LOOK, shortest / LOOKS))
            self.look(asyncio.get_running_loop().time())

    def look(self, now: float) -> None:
        """End what has waited too long, and what holds too much that nobody takes."""
        for wait in self._waits:
            for guest in wait.longer_than(wait.seconds, now):
                guest.expire(wait)
        stuck = list(self.deaf.longer_than(STUCK_SECONDS, now))
        unread = sum(guest.unsent for guest in stuck)
        for guest in stuck:
            if unread <= self.limits.unread_bytes:
                break
            unread -= guest.unsent
            guest.abort()

    def _victim(self, now: float) -> Guest | None:
        for wait, seconds in ((self.idle, 0.0), (self.head, STUCK_SECONDS)):
            for guest in wait.longer_than(seconds, now):
                return guest
        return None

    def _tell(self, now: float) -> None:
        if now - self._told >= TOLD_SECONDS:
            self._told = now
            log.warning("%d connections are open, the most there may be", self._most)


def _descriptors(connections: int) -> int:
    """Connections that file descriptors allow; the soft limit is raised as far as needed."""
    wanted = int(connections / SHARE_OF_DESCRIPTORS) + RESERVED_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        more = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft == resource.RLIM_INFINITY:
        return connections
    return max(1, int((soft - RESERVED_DESCRIPTORS) * SHARE_OF_DESCRIPTORS))
