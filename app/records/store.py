"""The store: records as the service uses them, read here and written where its pages are."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

from sqlalchemy import Engine

from app.clock import Clock
from app.events import MICROSECONDS, Entry, Erasure, now
from app.records.database import connected, opened
from app.records.erasure import is_due
from app.records.key import read_or_make
from app.records.ledger import Ledger
from app.records.pages import Pages, Thread
from app.records.reader import Reader
from app.records.writer import Writer


class Store:
    """Records that are open."""

    def __init__(self, engine: Engine, writer: Writer) -> None:
        """Take where they are read, and who writes them."""
        self.writer = writer
        self._clock = Clock()
        self.reader = Reader(engine)

    async def forget(self, age: int) -> None:
        """Erase what is personal of all events that are older than so many microseconds.

        Raises:
            Unreadable: the database does not answer.
            Unrecorded: it does not take the erasure.
        """
        # What a clock that is set ahead would erase too early, nobody brings back.
        before = min(now(), int(self._clock.steady() * MICROSECONDS)) - age
        if await self.reader.ask(lambda connection: is_due(connection, before)):
            await self.writer.put(Entry((), erasure=Erasure(before=before)))


@contextmanager
def writing(url: str, key: Path, chain: str) -> Iterator[tuple[Engine, Ledger]]:
    """A database, and a chain of this process' own in it, for the length of a block.

    Args:
        url: of the database, SQLAlchemy's.
        key: the file of the chain's key.
        chain: identifier of the new chain.

    Raises:
        RecordsError: the database or the key cannot be used.
    """
    secret = read_or_make(key)
    with opened(url) as engine, closing(Ledger(engine, secret, chain)) as ledger:
        yield engine, ledger


@asynccontextmanager
async def in_this_process(url: str, key: Path, chain: str) -> AsyncIterator[Store]:
    """A store for the length of a block, which a thread writes; as `writing` says."""
    with writing(url, key, chain) as (engine, ledger), closing(Thread(ledger)) as pages:
        async with _stored(engine, pages) as store:
            yield store


@asynccontextmanager
async def elsewhere(url: str, pages: Pages) -> AsyncIterator[Store]:
    """A store for the length of a block, whose database another process has opened and writes."""
    with connected(url) as engine:
        async with _stored(engine, pages) as store:
            yield store


@asynccontextmanager
async def _stored(engine: Engine, pages: Pages) -> AsyncIterator[Store]:
    store = Store(engine, Writer(pages))
    try:
        yield store
    finally:
        await store.writer.close()
        store.reader.close()
