"""Queries of the records for the service, each of which blocks."""

from collections.abc import Callable, Mapping
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
from app.records.conflicts import is_kept
from app.records.erasure import is_due
from app.records.failures import database_cause
from app.records.review_queue import count_matches, queue_page
from app.records.rollups import read_rollups, unseen
from app.records.search import search_page
from app.records.tables import IS_DISAGREEMENT, events, marks, replies

Found = TypeVar("Found")


class Queries:
    """Queries over one connection."""

    def __init__(self, connection: Connection) -> None:
        """Set the connection."""
        self._connection = connection

    def reply_to(self, key: str) -> Reply | None:
        """Return the stored reply of an idempotency key, unless it has expired."""
        mine = (replies.c.key == key) & is_kept(now())
        row = self._connection.execute(select(replies).where(mine)).first()
        return None if row is None else Reply(**row._mapping)  # noqa: SLF001 - its public name

    def history(self, prediction: str) -> list[Event]:
        """Return all events of a prediction, oldest first; empty if it is unknown."""
        mine = select(events).where(events.c.prediction == prediction)
        # A clock may have been set back, but a prediction always precedes what was said about it.
        is_later = events.c.kind != "prediction"
        ordered = mine.order_by(is_later, events.c.time, events.c.sequence)
        return [_event(row) for row in self._connection.execute(ordered)]

    def disagreements(self, most: int) -> list[Event]:
        """Return the newest events of disagreeing shadows, newest first."""
        mine = select(events).where(IS_DISAGREEMENT).order_by(events.c.time.desc()).limit(most)
        return [_event(row) for row in self._connection.execute(mine)]

    def predictions(self) -> list[str]:
        """List all prediction identifiers in their order, which is the order of time."""
        asked = select(events.c.prediction).where(events.c.kind == "prediction")
        return list(self._connection.scalars(asked.order_by(events.c.prediction)))

    def rollups(self, digest: str, span: int, start: int, end: int | None) -> list[Rollup]:
        """Return the counts of a bundle, see `app.records.rollups.read_rollups`."""
        return read_rollups(self._connection, digest, span, start, end)

    def newest(self) -> int | None:
        """Return the time of the newest event, microseconds since 1970; None if there is none."""
        found: int | None = self._connection.scalar(select(func.max(events.c.time)))
        return found

    def unseen(self, digest: str, seen: Mapping[str, int], default: int, start: int) -> Unseen:
        """Return minutes of a bundle not processed yet, see `app.records.rollups.unseen`."""
        return unseen(self._connection, digest, seen, default, start)

    def note(self, name: str) -> Note | None:
        """Return a note that the service has stored for itself; None if there is none."""
        row = self._connection.execute(select(marks).where(marks.c.name == name)).first()
        return None if row is None else Note(**row._mapping)  # noqa: SLF001 - its public name

    def queued(self, search: Search) -> int:
        """Count the predictions of the review queue that match a search."""
        return count_matches(self._connection, search)

    def queue(
        self, search: Search, most: int, after: ListPosition | None
    ) -> list[tuple[ListPosition, QueueItem]]:
        """Return a page of the review queue, see `app.records.review_queue.queue_page`."""
        return queue_page(self._connection, search, most, after)

    def search(self, search: Search, most: int, after: ListPosition | None) -> Listing:
        """Search recorded predictions, see `app.records.search.search_page`."""
        return search_page(self._connection, search, most, after)

    def is_erasure_due(self, before: int) -> bool:
        """Whether an event before a time, in microseconds since 1970, has its personal part."""
        return is_due(self._connection, before)


class Source:
    """An open database, which threads may ask at the same time."""

    def __init__(self, engine: Engine) -> None:
        """Set the connections to the database."""
        self._engine = engine

    def ask(self, read: Callable[[Queries], Found]) -> Found:
        """Run a query.

        Raises:
            RecordsUnavailable: the database does not respond.
        """
        try:
            with self._engine.connect() as connection:
                return read(Queries(connection))
        except SQLAlchemyError as error:
            raise RecordsUnavailable(str(database_cause(error))) from error


def _event(row: Row[Any]) -> Event:
    place = f"{row.chain}.{row.sequence}"
    return Event(
        row.kind, row.prediction, row.time, row.body, row.personal, row.reference, id=place
    )
