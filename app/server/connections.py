"""The open connections of a server: limits their number, and ends each that waits too long."""

import asyncio
import logging
import resource
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from app.settings import Settings

RESERVED_DESCRIPTORS = 64
"""File descriptors reserved for files, databases and other processes."""
SHARE_OF_DESCRIPTORS = 0.75
"""Share of the other descriptors that connections may hold; the rest is for connections being
accepted."""
LINGER_SECONDS = 2.0
"""Time during which a connection is read after its last response, seconds, so that closing does not
reset it."""
LONGEST_LOOK, LOOKS = 1.0, 4
"""Longest pause between two checks of waiting connections, seconds, and number of checks within the
shortest time limit."""
STUCK_SECONDS = 1.0
"""Time without progress, seconds, after which a connection counts as stuck and may be closed to
make room for others."""
TOLD_SECONDS = 60.0
"""Shortest time between two log lines about connections that had to be closed, seconds."""

log = logging.getLogger("dubito")


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits on what a client may send, hold open and leave unread."""

    header_bytes: int
    """Largest request head, and largest amount of data between two pieces of a chunked body,
    bytes."""
    headers: int
    url_bytes: int
    header_seconds: float
    """Longest time from the start of a connection, or from the first byte of a head, to the end of
    the head, seconds."""
    idle_seconds: float
    """Longest time between two requests of a connection, seconds."""
    unread_seconds: float
    """Longest time during which a full send buffer does not shrink, seconds."""
    body_bytes: int
    """Most bytes of a body that are read although its request is answered already."""
    body_seconds: float
    connections: int
    unread_bytes: int
    """Most bytes of all responses together that clients do not read."""

    @classmethod
    def of(cls, settings: Settings) -> "ConnectionLimits":
        """Return the limits of the settings."""
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
"""Callback with the HTTP status of input that was rejected before it became a request."""


class Guest(Protocol):
    """A connection, as the server uses it."""

    @property
    def unsent(self) -> int:
        """Number of bytes of responses that the client has not read yet."""

    def expire(self, wait: "Wait") -> None:
        """End the connection, because it waited too long for something."""

    def abort(self) -> None:
        """End the connection immediately."""


class Wait:
    """The connections that wait for the same thing, longest wait first."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        """Longest wait of a connection, seconds."""
        self._since: dict[Guest, float] = {}

    def begin(self, guest: Guest, now: float) -> None:
        """Record that a connection starts to wait now."""
        self._since[guest] = now

    def end(self, guest: Guest) -> None:
        """Record that a connection no longer waits, if it did."""
        self._since.pop(guest, None)

    def longer_than(self, seconds: float, now: float) -> Iterator[Guest]:
        """Yield the connections that have waited for at least `seconds`, longest wait first."""
        for guest, since in list(self._since.items()):
            if now - since < seconds:
                return
            yield guest


class Connections:
    """All connections of a server. Used on the event loop."""

    def __init__(self, limits: ConnectionLimits, refused: Refused = lambda _: None) -> None:
        """Set the limits and the callback for rejections; raise the descriptor limit as needed."""
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
        """Register a connection; False if there is no room and none can be made.

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
        """Remove a connection that has ended."""
        self._open.discard(guest)
        for wait in self._waits:
            wait.end(guest)

    async def watch(self) -> None:
        """Check the connections periodically, until cancelled."""
        shortest = min(wait.seconds for wait in self._waits)
        while True:
            await asyncio.sleep(min(LONGEST_LOOK, shortest / LOOKS))
            self.look(asyncio.get_running_loop().time())

    def look(self, now: float) -> None:
        """End connections that have waited too long, or that hold too many unread bytes."""
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
            log.warning("%d connections are open, the most that are allowed", self._most)


def _descriptors(connections: int) -> int:
    """Return how many connections the descriptors allow, after raising the soft limit as needed."""
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
