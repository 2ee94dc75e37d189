"""Protocols of the record store as the service uses it: a writer and a reader.

A reader raises `RecordsUnavailable` if the database does not respond; a writer raises
`RecordingFailed` if the database does not accept an entry.
"""

from asyncio import Future
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from app.record_events import (
    Draft,
    Entry,
    Event,
    Listing,
    ListPosition,
    Note,
    QueueItem,
    Reply,
    Rollup,
    Search,
    Unseen,
)
from app.watched_bundle import WatchedBundle


class Trouble(NamedTuple):
    """Reason why nothing can be recorded now."""

    sentence: str
    """Explanation that may be shown to a caller."""
    detail: str
    """Additional explanation for an operator."""


class Writer(Protocol):
    """Accepts entries, and reports for each when it is on the disk."""

    @property
    def behind(self) -> int:
        """Number of events not written yet."""

    @property
    def failures(self) -> int:
        """Number of groups of entries that could not be written."""

    @property
    def trouble(self) -> str | None:
        """Reason why nothing can be recorded now, a sentence; None while entries are accepted."""

    def introduce(self, served: Sequence[WatchedBundle]) -> None:
        """Announce the bundles whose drafts follow; must precede the first draft."""

    def leave(self, entry: Entry | Draft) -> None:
        """Queue an entry that no caller awaits."""

    def put(self, entry: Entry | Draft) -> "Future[bool]":
        """Queue an entry; the future holds whether it was added, False if its key is taken."""


class Reader(Protocol):
    """Reads recorded data."""

    async def reply_to(self, key: str) -> Reply | None:
        """Return the first response to a request with an idempotency key."""

    async def history(self, prediction: str) -> list[Event]:
        """Return all events of a prediction, oldest first."""

    async def disagreements(self, most: int) -> list[Event]:
        """Return the newest events of disagreeing shadows, newest first."""

    async def note(self, name: str) -> Note | None:
        """Return a note that the service has stored for itself."""

    async def rollups(
        self, digest: str, span: int, start: int, end: int | None = None
    ) -> list[Rollup]:
        """Return the counts of a bundle by time span, for spans starting at `start` or later.

        Args:
            digest: digest of the bundle.
            span: length of a span in seconds: a minute or an hour.
            start: seconds since 1970.
            end: seconds since 1970; if given, spans starting then or later are left out.
        """

    async def newest(self) -> int | None:
        """Return the time of the newest event, microseconds since 1970; None if there is none."""

    async def unseen(
        self, digest: str, seen: Mapping[str, int], default: int, start: int
    ) -> Unseen:
        """Return the minutes of a bundle not processed yet, of those starting at `start` or later.

        Args:
            digest: digest of the bundle.
            seen: owner to the end of its last processed minute, seconds since 1970.
            default: end of the last processed minute for owners missing in `seen`.
            start: seconds since 1970; reading all stored minutes is slow.
        """

    async def queued(self, search: Search) -> int:
        """Count the predictions of the review queue that match a search."""

    async def queue(
        self, search: Search, most: int, after: ListPosition | None
    ) -> list[tuple[ListPosition, QueueItem]]:
        """Return a page of the review queue after a position, with each prediction's position."""

    async def search(self, search: Search, most: int, after: ListPosition | None) -> Listing:
        """Return a page of recorded predictions, newest first, after a position."""


@dataclass(frozen=True, slots=True)
class Memory:
    """A writer and a reader of the records, with the settings of their use."""

    writer: Writer
    reader: Reader
    forget: Callable[[int], Awaitable[None]]
    """Erases personal parts older than the given number of microseconds."""
    waits: bool
    """Whether a response is sent only after its entry is on the disk."""
