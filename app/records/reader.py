"""Queries of the records for the service, run in the threads of the read pool."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Row, func, select
from sqlalchemy.exc import SQLAlchemyError

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
    now,
)
from app.records.cause import NotWritten
from app.records.conflicts import is_kept
from app.records.failures import database_cause
from app.records.read_pool import READ_SECONDS, Desk
from app.records.review_queue import count_matches, queue_page
from app.records.rollups import read_rollups, unseen
from app.records.search import search_page
from app.records.tables import events, marks, replies

Found = TypeVar("Found")


class RecordsReader:
    """Reads the records concurrently with the writer."""

    def __init__(
        self,
        engine: Engine,
        seconds: float = READ_SECONDS,
        settle: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Set the database to read.

        Args:
            engine: connections to the database.
            seconds: longest wait for a read.
            settle: waits until the database has all that was recorded before a read.
        """
        self._engine = engine
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

        def read(connection: Connection) -> Reply | None:
            mine = (replies.c.key == key) & is_kept(now())
            row = connection.execute(select(replies).where(mine)).first()
            return None if row is None else Reply(**row._mapping)  # noqa: SLF001 - its public name

        # An answer with a key is sent once the tables have it.
        return await self._asked(read)

    async def history(self, prediction: str) -> list[Event]:
        """Return all events of a prediction, oldest first; empty if it is unknown.

        Raises:
            RecordsUnavailable: the database does not respond.
        """

        def read(connection: Connection) -> list[Event]:
            mine = select(events).where(events.c.prediction == prediction)
            # A clock may have been set back, but a prediction always precedes what was said about
            # it.
            is_later = events.c.kind != "prediction"
            rows = connection.execute(mine.order_by(is_later, events.c.time, events.c.sequence))
            return [_event(row) for row in rows]

        return await self.ask(read)

    async def predictions(self) -> list[str]:
        """List all prediction identifiers in their order, which is the order of time.

        Raises:
            RecordsUnavailable: the database does not respond.
        """
        asked = select(events.c.prediction).where(events.c.kind == "prediction")
        ordered = asked.order_by(events.c.prediction)
        return await self.ask(lambda connection: list(connection.scalars(ordered)))

    async def rollups(
        self, digest: str, span: int, start: int, end: int | None = None
    ) -> list[Rollup]:
        """Return the counts of a bundle, see `app.records.rollups.read_rollups`.

        Raises:
            RecordsUnavailable: the database does not respond.
        """
        return await self.ask(lambda connection: read_rollups(connection, digest, span, start, end))

    async def newest(self) -> int | None:
        """Return the time of the newest event, microseconds since 1970; None if there is none.

        Raises:
            RecordsUnavailable: the database does not respond.
        """
        return await self.ask(lambda connection: connection.scalar(select(func.max(events.c.time))))

    async def unseen(
        self, digest: str, seen: Mapping[str, int], default: int, start: int
    ) -> Unseen:
        """Return minutes of a bundle not processed yet, see `app.records.rollups.unseen`.

        Raises:
            RecordsUnavailable: the database does not respond.
        """
        return await self.ask(lambda connection: unseen(connection, digest, seen, default, start))

    async def note(self, name: str) -> Note | None:
        """Return a note that the service has stored for itself; None if there is none.

        Raises:
            RecordsUnavailable: the database does not respond.
        """

        def find(connection: Connection) -> Note | None:
            row = connection.execute(select(marks).where(marks.c.name == name)).first()
            return None if row is None else Note(**row._mapping)  # noqa: SLF001 - its public name

        return await self.ask(find)

    async def queued(self, search: Search) -> int:
        """Count the predictions of the review queue that match a search.

        Raises:
            RecordsUnavailable: the database does not respond.
        """
        return await self.ask(lambda connection: count_matches(connection, search))

    async def queue(
        self, search: Search, most: int, after: ListPosition | None
    ) -> list[tuple[ListPosition, QueueItem]]:
        """Return a page of the review queue, see `app.records.review_queue.queue_page`.

        Raises:
            RecordsUnavailable: the database does not respond.
        """
        return await self.ask(lambda connection: queue_page(connection, search, most, after))

    async def search(self, search: Search, most: int, after: ListPosition | None) -> Listing:
        """Search recorded predictions, see `app.records.search.search_page`.

        Raises:
            RecordsUnavailable: the database does not respond.
        """
        return await self.ask(lambda connection: search_page(connection, search, most, after))

    async def ask(self, read: Callable[[Connection], Found]) -> Found:
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

    async def _asked(self, read: Callable[[Connection], Found]) -> Found:
        """Run a query in a thread of the pool."""

        def run() -> Found:
            with self._engine.connect() as connection:
                return read(connection)

        try:
            return await self._desk.read(run)
        except SQLAlchemyError as error:
            raise RecordsUnavailable(str(database_cause(error))) from error


def _event(row: Row[Any]) -> Event:
    place = f"{row.chain}.{row.sequence}"
    return Event(
        row.kind, row.prediction, row.time, row.body, row.personal, row.reference, id=place
    )
