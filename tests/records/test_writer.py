"""What gathered while the writer wrote is written together; nothing is told before it is there."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy.exc import OperationalError

from app.errors import Unrecorded
from app.events import Claim, Draft, Entry
from app.records import writer as module
from app.records.writer import Writer
from tests.records.conftest import entries, event

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


def test_what_is_put_in_one_turn_of_the_loop_is_one_group(writer: Writer, book: Book) -> None:
    """The thread is told of the first when the last is there."""

    async def run() -> None:
        await asyncio.gather(*(writer.put(entry) for entry in entries(7)))

    asyncio.run(run())
    assert [entries(7)] == book.groups


def test_what_nobody_waits_for_gathers(book: Book) -> None:
    """For a while; with the first that somebody waits for all goes at once."""
    named = Entry((event(9),), claim=Claim("outcome", "prediction-9"))

    async def run() -> None:
        with closing(Writer(book, pause=PATIENCE)) as patient:
            several = []
            for entry in entries(3):
                several.append(patient.put(entry))
                await asyncio.sleep(0.01)
            assert [] == book.groups
            start = time.monotonic()
            await asyncio.gather(*several, patient.put(named))
            assert time.monotonic() - start < PATIENCE / 2
            patient.put(entries(1, 20)[0])

    asyncio.run(run())
    assert [[*entries(3), named], entries(1, 20)] == book.groups


def test_what_nobody_waits_for_is_written_soon(book: Book) -> None:
    """Without anybody who comes after it."""

    async def run() -> None:
        with closing(Writer(book, pause=0.05)) as patient:
            assert await patient.put(entries(1)[0])

    asyncio.run(run())
    assert [entries(1)] == book.groups


def test_drafts_are_made_in_the_thread(writer: Writer, book: Book) -> None:
    """They count as many rows as they will have events."""
    (made,) = entries(1)
    threads = list[str]()

    def make() -> Entry:
        threads.append(threading.current_thread().name)
        return made

    async def run() -> None:
        book.let.clear()
        written = writer.put(Draft(3, is_urgent=False, make=make))
        assert 3 == writer.behind
        book.let.set()
        assert await written

    asyncio.run(run())
    assert ["dubito-records"] == threads
    assert [[made]] == book.groups


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
