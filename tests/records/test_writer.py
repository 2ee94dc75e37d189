"""What gathered while the writer wrote is written together; nothing is told before it is there."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy.exc import OperationalError

from app.errors import Unrecorded
from app.events import Entry
from app.records import writer as module
from app.records.writer import Writer
from tests.records.conftest import entries

PATIENCE = 5


class Book:
    """Takes entries when it is let; remembers the groups."""

    def __init__(self) -> None:
        self.groups: list[list[Entry]] = []
        self.let = threading.Event()
        self.let.set()
        self.begun = threading.Event()
        self.fails: Exception | None = None

    def write(self, group: list[Entry]) -> list[bool]:
        self.begun.set()
        assert self.let.wait(PATIENCE)
        if self.fails is not None:
            raise self.fails
        self.groups.append(list(group))
        return [entry.events[0].prediction != "prediction-3" for entry in group]


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def writer(book: Book) -> Iterator[Writer]:
    made = Writer(book)
    yield made
    made.close()


def test_what_waits_is_written_together_and_in_order(writer: Writer, book: Book) -> None:
    """The first entry goes at once, those that come meanwhile in one group after it."""

    async def run() -> list[bool]:
        book.let.clear()
        first = writer.put(entries(1)[0])
        await asyncio.to_thread(book.begun.wait, PATIENCE)
        others = [writer.put(entry) for entry in entries(5, 1)]
        assert 5 == writer.behind
        assert not first.done()
        book.let.set()
        return list(await asyncio.gather(first, *others))

    added = asyncio.run(run())
    assert [entries(1), entries(5, 1)] == book.groups
    assert [True, True, True, False, True, True] == added
    assert 0 == writer.behind


@pytest.mark.parametrize(
    "error", [OperationalError("insert", {}, Exception("disk is full")), TypeError("amount")]
)
def test_where_it_fails_everybody_of_the_group_is_told_and_the_next_is_written(
    writer: Writer, book: Book, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """And the log says that it failed, with nothing of what was to be written."""

    async def run() -> list[object]:
        book.fails = error
        found = await asyncio.gather(
            *(writer.put(entry) for entry in entries(3)), return_exceptions=True
        )
        book.fails = None
        return [*found, await writer.put(entries(1)[0])]

    *failed, written = asyncio.run(run())
    assert all(isinstance(one, Unrecorded) for one in failed)
    assert written is True
    assert "records cannot be written" in caplog.text
    assert "amount" not in caplog.text


def test_too_much_waiting_is_refused(
    writer: Writer, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is refused was not queued, and later there is room again."""
    monkeypatch.setattr(module, "MOST_WAITING", 3)

    async def run() -> None:
        book.let.clear()
        first = writer.put(entries(1)[0])
        await asyncio.to_thread(book.begun.wait, PATIENCE)
        others = [writer.put(entry) for entry in entries(3)]
        with pytest.raises(Unrecorded):
            writer.put(entries(1)[0])
        book.let.set()
        await asyncio.gather(first, *others)
        assert await writer.put(entries(1)[0])

    asyncio.run(run())


def test_closing_writes_what_waits(book: Book) -> None:
    """Nothing that was taken is lost by an orderly end."""

    async def run() -> None:
        made = Writer(book)
        book.let.clear()
        waiting = [made.put(entry) for entry in entries(9)]
        book.let.set()
        await asyncio.to_thread(made.close)
        assert 8 == sum(await asyncio.gather(*waiting))

    asyncio.run(run())


def test_who_has_gone_is_no_hindrance(writer: Writer, book: Book) -> None:
    """A request that was cancelled is written all the same; its neighbours are told."""

    async def run() -> None:
        book.let.clear()
        gone, other = (writer.put(entry) for entry in entries(2))
        gone.cancel()
        book.let.set()
        assert await other

    asyncio.run(run())
    assert 2 == sum(map(len, book.groups))
