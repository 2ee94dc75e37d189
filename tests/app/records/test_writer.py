"""The writer hands over what has come; nothing is told before it is there."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any

import pytest

from app.errors import RecordingFailed
from app.record_events import Draft, Entry, Reply
from app.record_ports import Trouble
from app.records import writer as module
from app.records.cause import Cause, NotWritten
from app.records.pages import EntryGroup
from app.records.writer import RecordsWriter
from app.watched_bundle import WatchedBundle
from tests.app.monitoring.toy import WATCHED
from tests.app.records.conftest import draft, entries
from tests.service import until

PATIENCE = 5
PASSING = Cause("OperationalError", None, is_lasting=False)


class Book:
    """Takes groups, and tells of them when the test does."""

    def __init__(self) -> None:
        self.groups: list[EntryGroup] = []
        self.awaited: list[bool] = []
        self.futures: list[asyncio.Future[list[bool]]] = []
        self.served: Sequence[WatchedBundle] = ()
        self.trouble: Trouble | None = None
        self.is_over = False

    def introduce(self, served: Sequence[WatchedBundle]) -> None:
        self.served = served

    def look(self) -> Trouble | None:
        return self.trouble

    def submit(self, group: EntryGroup, *, is_awaited: bool = True) -> "asyncio.Future[list[bool]]":
        self.groups.append(group)
        self.awaited.append(is_awaited)
        self.futures.append(asyncio.get_running_loop().create_future())
        return self.futures[-1]

    async def settle(self) -> None:
        """Everything is written at once."""

    def has(self, groups: int) -> bool:
        return len(self.groups) == groups

    def tell(self, at: int) -> None:
        """Say that a group was written, but for the third prediction."""
        group = [one for one in self.groups[at] if isinstance(one, Entry)]
        told = [one.events[0].prediction != "prediction-3" for one in group]
        self.futures[at].set_result(told)


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def writer(book: Book) -> RecordsWriter:
    return RecordsWriter(book)


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, PATIENCE))


def test_what_comes_in_one_turn_of_the_loop_goes_together(
    writer: RecordsWriter, book: Book
) -> None:
    """At once, whatever is under way; each is told of its own when it is written, not before."""

    async def use() -> None:
        several = [writer.put(one) for one in entries(5)]
        await asyncio.sleep(0)
        other = writer.put(entries(1, 9)[0])
        await asyncio.sleep(0)
        assert [entries(5), entries(1, 9)] == book.groups
        assert 6 == writer.behind
        assert not any(one.done() for one in (*several, other))
        book.tell(0)
        assert [True, True, True, False, True] == await asyncio.gather(*several)
        assert not other.done()
        assert 1 == writer.behind
        book.tell(1)
        assert await other
        assert 0 == writer.behind

    run(use())


def test_where_it_fails_everybody_of_the_group_is_told(
    writer: RecordsWriter, book: Book, caplog: pytest.LogCaptureFixture
) -> None:
    """And the log says that it failed; the next group is another matter."""

    async def use() -> None:
        several = [writer.put(one) for one in entries(3)]
        writer.leave(entries(1, 7)[0])
        await asyncio.sleep(0)
        after = writer.put(entries(1)[0])
        await asyncio.sleep(0)
        book.tell(0)
        book.futures[1].set_exception(NotWritten(PASSING))
        book.tell(2)
        failed = await asyncio.gather(*several, return_exceptions=True)
        assert all(isinstance(one, RecordingFailed) for one in failed)
        assert await after
        assert (1, 0) == (writer.failures, writer.behind)

    run(use())
    assert ["records cannot be written: OperationalError"] == caplog.messages


def test_too_much_waiting_is_refused(
    writer: RecordsWriter, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is refused was not queued, and later there is room again; drafts count their rows."""
    monkeypatch.setattr(module, "MOST_WAITING", 4)
    three = draft(3)

    async def use() -> None:
        writer.put(entries(1)[0])
        writer.leave(three)
        assert 4 == writer.behind
        for way in (writer.put, writer.leave):
            with pytest.raises(RecordingFailed):
                way(entries(1)[0])
        await asyncio.sleep(0)
        for written in book.futures:
            written.set_result([True])
        await asyncio.sleep(0)
        assert 0 == writer.behind

    run(use())
    assert [[three], entries(1)] == book.groups


def test_what_cannot_be_written_any_more_is_refused(writer: RecordsWriter, book: Book) -> None:
    """Also where nobody would wait for it: it would be lost for certain."""
    book.is_over = True

    async def use() -> None:
        for way in (writer.put, writer.leave):
            with pytest.raises(RecordingFailed):
                way(entries(1)[0])

    run(use())
    assert 0 == writer.behind


def test_an_error_of_handing_over_is_told(
    writer: RecordsWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one of writing: nobody waits for ever, and there is room again."""

    def fail(_: EntryGroup) -> None:
        raise MemoryError("amount")

    monkeypatch.setattr(Book, "submit", lambda _self, group, **_: fail(group))

    async def use() -> None:
        with pytest.raises(RecordingFailed):
            await writer.put(entries(1)[0])
        assert (1, 0) == (writer.failures, writer.behind)

    run(use())


def test_an_end_does_not_wait_for_ever(
    writer: RecordsWriter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says how much was left."""
    monkeypatch.setattr(module, "END_SECONDS", 0.05)

    async def use() -> None:
        for entry in entries(3):
            writer.leave(entry)
        await writer.close()

    run(use())
    assert ["3 events could not be written before the service ended"] == caplog.messages


def test_what_nobody_waits_for_gathers(
    writer: RecordsWriter, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a while; with the first that somebody waits for all goes at once."""
    monkeypatch.setattr(module, "PAUSE", PATIENCE * 2)

    async def use() -> None:
        for entry in entries(3):
            writer.leave(entry)
            await asyncio.sleep(0.01)
        assert [] == book.groups
        writer.put(entries(1, 9)[0])
        await asyncio.sleep(0)
        assert [entries(3), entries(1, 9)] == book.groups

    run(use())


def test_only_what_the_database_may_refuse_waits_for_its_word(
    writer: RecordsWriter, book: Book
) -> None:
    """An answer without a key contradicts nothing: it waits for the disk alone."""
    free = draft(2)
    keyed = Draft(free.parts, None, Reply("key", b"", "row-0", 1, b""))

    async def use() -> None:
        writer.put(keyed)
        writer.put(free)
        writer.put(entries(1)[0])
        await asyncio.sleep(0)

    run(use())
    assert [[free], [keyed, *entries(1)]] == book.groups
    assert [False, True] == book.awaited


def test_what_nobody_waits_for_goes_soon(writer: RecordsWriter, book: Book) -> None:
    """Without anybody who comes after it, and again after that."""

    async def use() -> None:
        for at in range(2):
            start = time.monotonic()
            writer.leave(entries(1, at)[0])
            await asyncio.to_thread(until, partial(book.has, at + 1))
            assert time.monotonic() - start >= module.PAUSE

    run(use())
    assert [entries(1), entries(1, 1)] == book.groups


def test_closing_waits_until_all_is_written(writer: RecordsWriter, book: Book) -> None:
    """Nothing that was taken is lost by an orderly end, also where nobody waits for it."""

    async def use() -> None:
        under_way = writer.put(entries(1)[0])
        await asyncio.sleep(0)
        writer.leave(entries(1, 1)[0])
        closing = asyncio.create_task(writer.close())
        await asyncio.sleep(0)
        assert [entries(1), entries(1, 1)] == book.groups
        book.tell(0)
        assert await under_way
        assert not closing.done()
        book.futures[1].set_exception(NotWritten(PASSING))
        await closing
        assert 0 == writer.behind

    run(use())


def test_who_has_gone_is_no_hindrance(writer: RecordsWriter, book: Book) -> None:
    """A request that was cancelled is written all the same; its neighbours are told."""

    async def use() -> None:
        gone, other = (writer.put(entry) for entry in entries(2))
        gone.cancel()
        await asyncio.sleep(0)
        book.tell(0)
        assert await other

    run(use())
    assert [entries(2)] == book.groups


def test_who_writes_is_told_of_which_bundle_drafts_come(writer: RecordsWriter, book: Book) -> None:
    """The writer hands on drafts as they are."""
    one = draft(2)

    async def use() -> None:
        writer.introduce([WATCHED])
        writer.put(one)
        await asyncio.sleep(0)

    run(use())
    assert book.served == [WATCHED]
    ((handed,),) = book.groups
    assert handed is one
