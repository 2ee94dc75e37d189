"""The memory, as those see it who use it: where entries go, and where what they held comes from.

Whoever reads may find that the database does not answer (`RecordsUnavailable`), whoever writes that it does
not take an entry (`RecordingFailed`).
"""

from asyncio import Future
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from app.record_events import (
    Draft,
    Entry,
    Event,
    Listing,
    Note,
    Place,
    QueueItem,
    Reply,
    Rollup,
    Search,
    Unseen,
)
from app.watched_bundle import WatchedBundle


class Trouble(NamedTuple):
    """Why nothing can be recorded now."""

    sentence: str
    """What a client may be told."""
    detail: str
    """What an operator is told besides."""


class Writer(Protocol):
    """What takes entries, and says of each when it is on the disk."""

    @property
    def behind(self) -> int:
        """Events that are not written yet."""

    @property
    def failures(self) -> int:
        """Groups of entries that could not be written."""

    @property
    def trouble(self) -> str | None:
        """Why nothing can be recorded now, in a sentence; None where entries are taken."""

    def introduce(self, watched: WatchedBundle) -> None:
        """Say of which bundle drafts come; before there are any."""

    def leave(self, entry: Entry | Draft) -> None:
        """Queue an entry that nobody waits for."""

    def put(self, entry: Entry | Draft) -> "Future[bool]":
        """Queue an entry; whether it was added, False where another has answered to its key."""


class Reader(Protocol):
    """Where what was recorded comes from."""

    async def reply_to(self, key: str) -> Reply | None:
        """The first answer to a request that named a key."""

    async def history(self, prediction: str) -> list[Event]:
        """All that happened to a prediction, first things first."""

    async def note(self, name: str) -> Note | None:
        """A note of the service to itself."""

    async def rollups(
        self, digest: str, span: int, start: int, end: int | None = None
    ) -> list[Rollup]:
        """The counts of a bundle, stretch by stretch: those that begin from `start` on.

        Args:
            digest: the bundle's.
            span: seconds of a stretch: a minute or an hour.
            start: seconds since 1970.
            end: the same; those that begin then or later are left out, if it is given.
        """

    async def newest(self) -> int | None:
        """The time of the newest event, microseconds since 1970; None where there is none."""

    async def unseen(
        self, digest: str, seen: Mapping[str, int], default: int, start: int
    ) -> Unseen:
        """The minutes of a bundle that were not looked at, of those that begin from `start` on.

        Args:
            digest: the bundle's.
            seen: owner to the end of the last minute of its that was looked at.
            default: the same of owners that are not named.
            start: seconds since 1970; all that is kept takes its time.
        """

    async def queued(self, search: Search) -> int:
        """How many predictions of the review queue a search finds."""

    async def queue(
        self, search: Search, most: int, after: Place | None
    ) -> list[tuple[Place, QueueItem]]:
        """Some predictions of the review queue, each with its position, behind a position."""

    async def search(self, search: Search, most: int, after: Place | None) -> Listing:
        """Some recorded predictions, newest first, behind a position."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Where entries go and come from."""

    writer: Writer
    reader: Reader
    forget: Callable[[int], Awaitable[None]]
    """Erases what is personal and older than so many microseconds."""
    waits: bool
    """Whether an answer leaves only once its entry is on the disk."""
