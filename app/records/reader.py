"""Reads the records for the service, in the threads of the read pool."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Protocol, TypeVar

from app.errors import RecordsUnavailable
from app.record_events import (
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
from app.records.cause import NotWritten
from app.records.read_pool import READ_SECONDS, Desk

if TYPE_CHECKING:
    from app.records.queries import Queries

Found = TypeVar("Found")


class Askable(Protocol):
    """Records that can be asked, from several threads."""

    def ask(self, read: "Callable[[Queries], Found]") -> Found:
        """Run a query, see `app.records.queries.Source.ask`."""


class RecordsReader:
    """Reads the records concurrently with the writer."""

    def __init__(
        self,
        source: Askable,
        seconds: float = READ_SECONDS,
        settle: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Set the records to read.

        Args:
            source: the records.
            seconds: longest wait for a read.
            settle: waits until the database has all that was recorded before a read.
        """
        self._source = source
        self._seconds = seconds
        self._settle = settle
        self._desk = Desk(seconds)

    def close(self) -> None:
        """End the threads of the pool."""
        self._desk.close()

    async def reply_to(self, key: str) -> Reply | None:
        """Return the stored reply of an idempotency key, unless it has expired.

        Raises:
            RecordsUnavailable: the database does not respond.
        """
        # An answer with a key is sent once the tables have it.
        return await self._asked(lambda queries: queries.reply_to(key))

    async def history(self, prediction: str) -> list[Event]:
        """Return all events of a prediction, oldest first; empty if it is unknown.

        Raises:
            RecordsUnavailable: the database does not respond.
        """
        return await self.ask(lambda queries: queries.history(prediction))

    async def disagreements(self, most: int) -> list[Event]:
        """Return the newest events of disagreeing shadows, newest first.

        Raises:
            RecordsUnavailable: the database does not respond.
        """
        return await self.ask(lambda queries: queries.disagreements(most))

    async def predictions(self) -> list[str]:
        """List all prediction identifiers in their order, which is the order of time.

        Raises:
            RecordsUnavailable: the database does not respond.
        """
        return await self.ask(lambda queries: queries.predictions())

    async def rollups(
        self, digest: str, span: int, start: int, end: int | None = None
    ) -> list[Rollup]:
        """Return the counts of a bundle, see `app.records.rollups.read_rollups`.

        Raises:
            RecordsUnavailable: the database does not respond.
        """
        return await self.ask(lambda queries: queries.rollups(digest, span, start, end))

    async def newest(self) -> int | None:
        """Return the time of the newest event, microseconds since 1970; None if there is none.

        Raises:
            RecordsUnavailable: the database does not respond.
        """
        return await self.ask(lambda queries: queries.newest())

    async def unseen(
        self, digest: str, seen: Mapping[str, int], default: int, start: int
    ) -> Unseen:
        """Return minutes of a bundle not processed yet, see `app.records.rollups.unseen`.

        Raises:
            RecordsUnavailable: the database does not respond.
        """
        return await self.ask(lambda queries: queries.unseen(digest, seen, default, start))

    async def note(self, name: str) -> Note | None:
        """Return a note that the service has stored for itself; None if there is none.

        Raises:
            RecordsUnavailable: the database does not respond.
        """
        return await self.ask(lambda queries: queries.note(name))

    async def queued(self, search: Search) -> int:
        """Count the predictions of the review queue that match a search.

        Raises:
            RecordsUnavailable: the database does not respond.
        """
        return await self.ask(lambda queries: queries.queued(search))

    async def queue(
        self, search: Search, most: int, after: ListPosition | None
    ) -> list[tuple[ListPosition, QueueItem]]:
        """Return a page of the review queue, see `app.records.review_queue.queue_page`.

        Raises:
            RecordsUnavailable: the database does not respond.
        """
        return await self.ask(lambda queries: queries.queue(search, most, after))

    async def search(self, search: Search, most: int, after: ListPosition | None) -> Listing:
        """Search recorded predictions, see `app.records.search.search_page`.

        Raises:
            RecordsUnavailable: the database does not respond.
        """
        return await self.ask(lambda queries: queries.search(search, most, after))

    async def ask(self, read: "Callable[[Queries], Found]") -> Found:
        """Run a query that sees all that was recorded before it, in a thread of the pool.

        Raises:
            RecordsUnavailable: the database does not respond, or not in time.
        """
        if self._settle is not None:
            try:
                async with asyncio.timeout(self._seconds):
                    await self._settle()
            except TimeoutError:
                raise RecordsUnavailable("the tables are not up to date in time") from None
            except NotWritten as error:
                raise RecordsUnavailable(str(error)) from None
        return await self._asked(read)

    async def _asked(self, read: "Callable[[Queries], Found]") -> Found:
        return await self._desk.read(lambda: self._source.ask(read))
