"""The store: records as the service uses them, written by one thread and read by others."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Engine

from app.events import now
from app.records.database import opened
from app.records.erasure import is_due, retention
from app.records.key import read_or_make
from app.records.ledger import Ledger
from app.records.reader import Reader
from app.records.writer import Writer

PAUSE = 0.1
"""Seconds for which what is to be written gathers where answers do not wait for it."""


class Store:
    """Records that are open."""

    def __init__(self, engine: Engine, ledger: Ledger, pause: float = 0.0) -> None:
        """Begin to write."""
        self.writer = Writer(ledger, pause)
        self.reader = Reader(engine)

    async def forget(self, age: int) -> None:
        """Erase what is personal of all events that are older than so many microseconds.

        Raises:
            Unreadable: the database does not answer.
            Unrecorded: it does not take the erasure.
        """
        before = now() - age
        if await self.reader.ask(lambda connection: is_due(connection, before)):
            await self.writer.put(retention(before))

    def close(self) -> None:
        """Write what waits."""
        self.writer.close()


@contextmanager
def remembering(url: str, key: Path, chain: str, *, waits: bool = True) -> Iterator[Store]:
    """A store for the length of a block, in which this process writes a chain of its own.

    Args:
        url: of the database, SQLAlchemy's.
        key: the file of the chain's key.
        chain: identifier of the new chain.
        waits: whether answers wait for what is written.

    Raises:
        RecordsError: the database or the key cannot be used.
    """
    secret = read_or_make(key)
    with (
        opened(url) as engine,
        closing(Ledger(engine, secret, chain)) as ledger,
        closing(Store(engine, ledger, 0.0 if waits else PAUSE)) as store,
    ):
        yield store
