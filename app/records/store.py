"""The store: records as the service uses them, written by one thread and read by others."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Row, select
from sqlalchemy.exc import SQLAlchemyError

from app.errors import Unreadable
from app.events import Event, Reply
from app.records.database import opened
from app.records.key import read_or_make
from app.records.ledger import Ledger
from app.records.tables import events, replies
from app.records.writer import Writer

Found = TypeVar("Found")


class Store:
    """Records that are open."""

    def __init__(self, engine: Engine, ledger: Ledger) -> None:
        """Begin to write."""
        self._engine = engine
        self.writer = Writer(ledger)

    async def reply_to(self, key: str) -> Reply | None:
        """The first answer to a request that named a key.

        Raises:
            Unreadable: the database does not answer.
        """

        def read(connection: Connection) -> Reply | None:
            row = connection.execute(select(replies).where(replies.c.key == key)).first()
            return None if row is None else Reply(**row._mapping)  # noqa: SLF001 - its public name

        return await self._read(read)

    async def history(self, prediction: str) -> list[Event]:
        """All that happened to a prediction, first things first; nothing if it is not known.

        Raises:
            Unreadable: the database does not answer.
        """

        def read(connection: Connection) -> list[Event]:
            mine = select(events).where(events.c.prediction == prediction)
            rows = connection.execute(mine.order_by(events.c.time, events.c.sequence))
            return [_event(row) for row in rows]

        return await self._read(read)

    async def _read(self, read: Callable[[Connection], Found]) -> Found:
        def run() -> Found:
            with self._engine.connect() as connection:
                return read(connection)

        try:
            return await asyncio.to_thread(run)
        except SQLAlchemyError as error:
            raise Unreadable from error

    def close(self) -> None:
        """Write what waits."""
        self.writer.close()


@contextmanager
def remembering(url: str, key: Path, chain: str) -> Iterator[Store]:
    """A store for the length of a block, in which this process writes a chain of its own.

    Args:
        url: of the database, SQLAlchemy's.
        key: the file of the chain's key.
        chain: identifier of the new chain.

    Raises:
        RecordsError: the database or the key cannot be used.
    """
    secret = read_or_make(key)
    with (
        opened(url) as engine,
        closing(Ledger(engine, secret, chain)) as ledger,
        closing(Store(engine, ledger)) as store,
    ):
        yield store


def _event(row: Row[Any]) -> Event:
    return Event(row.kind, row.prediction, row.time, row.body, row.personal, row.reference)
