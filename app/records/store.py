"""The store: records as the service uses them, read here and written where its pages are."""

import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from app.clock import Clock
from app.record_events import MICROSECONDS, Entry, Erasure, now
from app.records.address import Address, file_of
from app.records.database import connected, legible, opened
from app.records.erasure import is_due
from app.records.group_commit import Build, Pages, Thread
from app.records.key_check import begun
from app.records.reader import Reader
from app.records.state_files import exposed, shown
from app.records.state_lock import Place, lock_of
from app.records.write_probe import Watched
from app.records.writer import Writer

log = logging.getLogger("dubito.records")


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
            RecordsUnavailable: the database does not answer.
            RecordingFailed: it does not take the erasure.
        """
        # What a clock that is set ahead would erase too early, nobody brings back.
        before = min(now(), int(self._clock.steady() * MICROSECONDS)) - age
        if await self.reader.ask(lambda connection: is_due(connection, before)):
            await self.writer.put(Entry((), erasure=Erasure(before=before)))


@dataclass(frozen=True, slots=True)
class Records:
    """Records that this process writes."""

    engine: Engine
    book: Watched
    notes: Sequence[str]
    """What an operator should know of them, a sentence each."""


@contextmanager
def writing(url: Address, key: Path, chain: str) -> Iterator[Records]:
    """A database, and a chain of this process' own in it, for the length of a block.

    Args:
        url: of the database, SQLAlchemy's.
        key: the file of the chain's key.
        chain: identifier of the new chain.

    Raises:
        RecordsError: the database or the key cannot be used.
    """
    file, missed = file_of(url), _missed(url, key)
    with ExitStack() as stack:
        engine = stack.enter_context(opened(url))
        with legible("the records cannot be opened"):
            ledger, secret = begun(engine, key, chain)
            stack.enter_context(closing(ledger))
            place = None if file is None else Place(file)
        files = [key] if file is None else [key, file, lock_of(file)]
        notes = [*exposed(files), *missed]
        yield Records(engine, Watched(ledger, place, secret, key), notes)


def _missed(url: Address, key: Path) -> list[str]:
    """What is to be said where a key is there, and the file of the records is not."""
    file = file_of(url)
    is_missing = file is not None and not (file.is_file() and file.stat().st_size)
    if file is None or not is_missing or not key.is_file():
        return []
    names = f"{shown(file)} was missing or empty, though {shown(key)} was there"
    return [f"{names}: unless this is the first start, records are lost"]


@asynccontextmanager
async def in_this_process(
    url: Address, key: Path, chain: str, build: Build
) -> AsyncIterator[Store]:
    """A store for the length of a block, which a thread writes; as `writing` says."""
    with (
        writing(url, key, chain) as records,
        closing(Thread(records.book, build, records.book.look)) as pages,
    ):
        for note in records.notes:
            log.warning("%s", note)
        async with _stored(records.engine, pages) as store:
            yield store


@asynccontextmanager
async def elsewhere(url: Address, pages: Pages) -> AsyncIterator[Store]:
    """A store for the length of a block, whose database another process has opened and writes."""
    with connected(url) as engine:
        async with _stored(engine, pages) as store:
            yield store


@asynccontextmanager
async def _stored(engine: Engine, pages: Pages) -> AsyncIterator[Store]:
    store = Store(engine, Writer(pages))
    store.writer.watch()
    try:
        yield store
    finally:
        await store.writer.close()
        store.reader.close()
