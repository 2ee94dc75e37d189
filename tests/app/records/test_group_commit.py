"""A thread writes groups in their order, together with what has gathered meanwhile."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from app.count_keys import Family, key
from app.record_events import Draft, Entry, Made, PlainPart, Reply, Tally
from app.record_ports import Trouble
from app.records.cause import NotWritten
from app.records.group_commit import CommitThread, entries_of
from app.records.pages import SILENT_LOOKS
from app.watched_bundle import WatchedBundle
from dubito.answer import Answer, PlainResult
from dubito.types import Identity
from tests.app.monitoring.toy import WATCHED
from tests.app.records.conftest import draft, entries

PATIENCE = 5


class Book:
    """Takes entries when it is let; remembers what was written together, and where."""

    def __init__(self) -> None:
        self.written: list[list[Entry]] = []
        self.threads = set[str]()
        self.let = threading.Event()
        self.let.set()
        self.begun = threading.Event()
        self.fails: Exception | None = None

    def write(self, group: Sequence[Entry]) -> list[bool]:
        self.begun.set()
        assert self.let.wait(PATIENCE)
        self.threads.add(threading.current_thread().name)
        if self.fails is not None:
            raise self.fails
        self.written.append(list(group))
        return [entry.events[0].prediction != "prediction-3" for entry in group]


@pytest.fixture
def book() -> Book:
    return Book()


def unused(_: Sequence[WatchedBundle]) -> Made:
    """Makes nothing: nobody introduces a bundle."""
    raise NotImplementedError


@pytest.fixture
def thread(book: Book) -> Iterator[CommitThread]:
    with closing(CommitThread(book, unused)) as thread:
        yield thread


def run(use: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(use(), PATIENCE))


def test_what_waits_is_written_together_and_in_order(thread: CommitThread, book: Book) -> None:
    """The first group goes at once, those that come meanwhile are one transaction after it."""

    async def use() -> None:
        book.let.clear()
        first = thread.submit(entries(1))
        await asyncio.to_thread(book.begun.wait, PATIENCE)
        others = [thread.submit(group) for group in (entries(2, 1), entries(1, 3), entries(2, 4))]
        book.let.set()
        found = await asyncio.gather(first, *others)
        assert [[True], [True, True], [False], [True, True]] == found

    run(use)
    assert [entries(1), entries(5, 1)] == book.written
    (name,) = book.threads
    assert name.startswith("dubito-records")


def test_a_transaction_is_bounded(
    thread: CommitThread, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with the group that is more; what is left goes with the next."""
    monkeypatch.setattr("app.records.group_commit.MOST_EVENTS", 3)

    async def use() -> None:
        book.let.clear()
        first = thread.submit(entries(1))
        await asyncio.to_thread(book.begun.wait, PATIENCE)
        others = [thread.submit(entries(2, at)) for at in (1, 3, 5)]
        book.let.set()
        await asyncio.gather(first, *others)

    run(use)
    assert [entries(1), entries(4, 1), entries(2, 5)] == book.written


@pytest.mark.parametrize(
    "error", [OperationalError("insert", {}, Exception("disk is full")), TypeError("amount")]
)
def test_where_it_fails_the_kind_is_told_and_the_next_is_written(
    thread: CommitThread, book: Book, error: Exception
) -> None:
    """With nothing of what was to be written."""

    async def use() -> None:
        book.fails = error
        for written in (thread.submit(entries(2)), thread.submit(entries(1))):
            with pytest.raises(NotWritten) as failed:
                await written
            assert type(error).__name__ == str(failed.value) == failed.value.cause.name
        book.fails = None
        assert [True] == await thread.submit(entries(1))

    run(use)


def test_entries_of_drafts_are_made_in_the_thread(book: Book) -> None:
    """By what is built of the bundle introduced last; an error is as one of the database."""
    threads, made_of = list[str](), list[Draft]()
    other = replace(WATCHED, environment="sha256:other")

    def made(several: Sequence[Draft]) -> Entry:
        threads.append(threading.current_thread().name)
        made_of.extend(several)
        return entries(1, 5)[0]

    def wrong(_: Sequence[Draft]) -> Entry:
        raise ValueError("amount")

    def build(served: Sequence[WatchedBundle]) -> Made:
        assert served in ([WATCHED], [other])
        return made if served == [WATCHED] else wrong

    async def use() -> None:
        with closing(CommitThread(book, build)) as thread:
            thread.introduce([WATCHED])
            assert [True, True] == await thread.submit([*entries(1), draft(1)])
            thread.introduce([other])
            with pytest.raises(NotWritten, match="ValueError"):
                await thread.submit([draft(1)])

    run(use)
    assert set(threads) == book.threads
    assert [draft(1)] == made_of
    assert [[*entries(1), *entries(1, 5)]] == book.written


def test_drafts_of_several_bundles_become_an_entry_for_each() -> None:
    """What stands between them keeps its place; each draft has the outcome of its own entry."""
    (own,) = entries(1)
    answers = [
        Answer(
            "row",
            PlainResult("A", {"A": 1.0}),
            (),
            Identity("shells", version, f"sha256:{version}"),
        )
        for version in (1, 2, 3)
    ]
    first, second, third = (Draft((PlainPart(1, b"", [one]),), None, None) for one in answers)

    def made(several: Sequence[Draft]) -> Entry:
        (digest,) = {draft.digest for draft in several}
        return Entry((), tally=Tally(digest, {key(Family.ROWS): len(several)}))

    built = entries_of(made, [first, second, first, own, second, first, third])
    found = [
        (one.tally.digest, one.tally.counts[key(Family.ROWS)])
        for one in built.entries
        if one.tally is not None
    ]
    apart = [("sha256:1", 2), ("sha256:2", 1), ("sha256:2", 1), ("sha256:1", 1), ("sha256:3", 1)]
    assert apart == found
    assert own is built.entries[2]
    assert [1, 2, 1, 3, 4, 5, 6] == built.outcomes([1, 2, 3, 4, 5, 6])  # type: ignore[list-item]


def test_closing_writes_what_waits(book: Book) -> None:
    """Whoever waits is told."""

    async def use() -> None:
        thread = CommitThread(book, unused)
        book.let.clear()
        waiting = [thread.submit(entries(1, at)) for at in range(9)]
        book.let.set()
        await asyncio.to_thread(thread.close)
        assert [[at != 3] for at in range(9)] == await asyncio.gather(*waiting)

    run(use)


async def seen(thread: CommitThread, trouble: Trouble | None) -> None:
    """Look until something is found."""
    while thread.look() != trouble:  # noqa: ASYNC110 - each look is what is tried
        await asyncio.sleep(0.01)


def test_a_thread_that_stands_still_is_noticed(book: Book) -> None:
    """After so many looks in which it said nothing; what it says of the book counts otherwise."""
    told: list[Trouble | None] = [Trouble("nothing can be recorded: the disk is full", "")]

    async def use() -> None:
        with closing(CommitThread(book, unused, lambda: told[0])) as thread:
            await seen(thread, told[0])
            told[0] = None
            await seen(thread, None)
            book.let.clear()
            waiting = thread.submit(entries(1))
            await asyncio.to_thread(book.begun.wait, PATIENCE)
            looks = [thread.look() for _ in range(SILENT_LOOKS + 1)]
            await asyncio.sleep(0)
            assert looks[-2] is None
            assert "has not answered for more than 5 s" in (looks[-1] or ("",))[0]
            book.let.set()
            assert [True] == await waiting
            await seen(thread, None)

    run(use)


def test_drafts_that_nothing_contradicts_become_one_entry() -> None:
    """In the order of all; each item has the outcome of its entry."""
    free = draft(1)
    keyed = Draft(free.parts, None, Reply("key", b"", "row-0", 1, b""))
    (own,) = entries(1)

    def made(several: Sequence[Draft]) -> Entry:
        return Entry((), tally=Tally("made", {key(Family.ROWS): len(several)}))

    built = entries_of(made, [free, free, keyed, keyed, own, free])
    made_of = [
        one.tally.counts[key(Family.ROWS)] for one in built.entries if one is not own and one.tally
    ]
    assert [2, 1, 1, 1] == made_of
    assert own is built.entries[3]
    assert [True, True, False, True, False, True] == built.outcomes(
        [True, False, True, False, True]
    )
