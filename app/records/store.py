"""The records as the service uses them: a writer and a reader."""

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, closing
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from app.clock import Clock
from app.record_events import MICROSECONDS, Entry, Erasure, now
from app.records.location import RecordsLocation
from app.records.pages import Pages
from app.records.reader import Askable, RecordsReader
from app.records.writer import RecordsWriter

if TYPE_CHECKING:
    from app.records.queries import Queries

Found = TypeVar("Found")


class Store:
    """An open record store."""

    def __init__(self, source: Askable, pages: Pages) -> None:
        """Create the reader of records and their writer, whose groups are written by `pages`."""
        self.writer = RecordsWriter(pages)
        self._clock = Clock()
        self.reader = RecordsReader(source, settle=pages.settle)

    async def forget(self, age: int) -> None:
        """Erase the personal parts of all events older than `age` microseconds.

        Raises:
            RecordsUnavailable: the database does not respond.
            RecordingFailed: the database did not accept the erasure.
        """
        # The monotonic clock limits the time: an erasure by a clock set ahead could not be undone.
        before = min(now(), int(self._clock.steady() * MICROSECONDS)) - age
        if await self.reader.ask(lambda queries: queries.is_erasure_due(before)):
            await self.writer.put(Entry((), erasure=Erasure(before=before)))


class LateRecords:
    """Records that the first read opens.

    A service can grade before that, and the library that reads them takes 0.2 s to import.
    """

    def __init__(self, location: RecordsLocation) -> None:
        """Set where the records are, which another process has opened and writes."""
        self._location = location
        self._opening = Lock()
        self._stack = ExitStack()
        self._source: Askable | None = None

    def ask(self, read: "Callable[[Queries], Found]") -> Found:
        """Run a query; see `app.records.queries.Source.ask`."""
        with self._opening:
            if self._source is None:
                self._source = self._opened()
        return self._source.ask(read)

    def close(self) -> None:
        """Close the connections."""
        self._stack.close()

    def _opened(self) -> Askable:
        from app.records.address import database_at, url_of
        from app.records.queries import Source

        database = database_at(url_of(self._location.url, self._location.state))
        return Source(self._stack.enter_context(database.connected()))


@asynccontextmanager
async def elsewhere(location: RecordsLocation, pages: Pages) -> AsyncIterator[Store]:
    """Open a store whose database another process has opened and writes, within a block."""
    with closing(LateRecords(location)) as records:
        async with stored(records, pages) as store:
            yield store


@asynccontextmanager
async def stored(records: Askable, pages: Pages) -> AsyncIterator[Store]:
    """Open a store within a block, after which everything is written."""
    store = Store(records, pages)
    store.writer.watch()
    try:
        yield store
    finally:
        await store.writer.close()
        store.reader.close()
