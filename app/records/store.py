"""Opens the records for the service: a writer (in a thread or another process) and a reader."""

import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from app.clock import Clock
from app.record_events import MICROSECONDS, Entry, Erasure, now
from app.records.address import Address, database_at
from app.records.database import legible, open_database
from app.records.databases.database import Database
from app.records.erasure import is_due
from app.records.group_commit import Build, CommitThread, Pages
from app.records.key_check import start_chain
from app.records.reader import RecordsReader
from app.records.state_files import exposed, one_line
from app.records.write_probe import Watched
from app.records.writer import RecordsWriter

log = logging.getLogger("dubito.records")


class Store:
    """An open record store."""

    def __init__(self, engine: Engine, writer: RecordsWriter) -> None:
        """Create the reader of a database; the writer is given."""
        self.writer = writer
        self._clock = Clock()
        self.reader = RecordsReader(engine)

    async def forget(self, age: int) -> None:
        """Erase the personal parts of all events older than `age` microseconds.

        Raises:
            RecordsUnavailable: the database does not respond.
            RecordingFailed: the database did not accept the erasure.
        """
        # The monotonic clock limits the time: an erasure by a clock set ahead could not be undone.
        before = min(now(), int(self._clock.steady() * MICROSECONDS)) - age
        if await self.reader.ask(lambda connection: is_due(connection, before)):
            await self.writer.put(Entry((), erasure=Erasure(before=before)))


@dataclass(frozen=True, slots=True)
class OpenRecords:
    """Records that are open for writing in this process."""

    engine: Engine
    book: Watched
    notes: Sequence[str]
    """Warnings for an operator, one sentence each."""


@contextmanager
def writing(url: Address, key: Path, chain: str) -> Iterator[OpenRecords]:
    """Open a database and start a new chain in it, within a block.

    Args:
        url: URL of the database, as SQLAlchemy spells it.
        key: path of the key file.
        chain: identifier of the new chain.

    Raises:
        RecordsError: the database or the key cannot be used.
    """
    database = database_at(url)
    missed = _missed(database, key)
    with ExitStack() as stack:
        engine = stack.enter_context(open_database(url))
        with legible("the records cannot be opened"):
            ledger, secret = start_chain(engine, key, chain)
            stack.enter_context(closing(ledger))
            files = database.opened_files()
        notes = [*exposed((key, *database.files)), *missed]
        yield OpenRecords(engine, Watched(ledger, files, secret, key), notes)


def _missed(database: Database, key: Path) -> list[str]:
    """Return a warning if there is a key but the records' file is missing or empty."""
    if not database.is_missing or not key.is_file():
        return []
    names = f"{database.name} was missing or empty, though {one_line(key)} was there"
    return [f"{names}: unless this is the first start, records are lost"]


@asynccontextmanager
async def open_store(url: Address, key: Path, chain: str, build: Build) -> AsyncIterator[Store]:
    """Open a store that a thread of this process writes, within a block; raises like `writing`."""
    with (
        writing(url, key, chain) as records,
        closing(CommitThread(records.book, build, records.book.look)) as pages,
    ):
        for note in records.notes:
            log.warning("%s", note)
        async with _stored(records.engine, pages) as store:
            yield store


@asynccontextmanager
async def elsewhere(url: Address, pages: Pages) -> AsyncIterator[Store]:
    """Open a store whose database another process has opened and writes, within a block."""
    with database_at(url).connected() as engine:
        async with _stored(engine, pages) as store:
            yield store


@asynccontextmanager
async def _stored(engine: Engine, pages: Pages) -> AsyncIterator[Store]:
    store = Store(engine, RecordsWriter(pages))
    store.writer.watch()
    try:
        yield store
    finally:
        await store.writer.close()
        store.reader.close()
