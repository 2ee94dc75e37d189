"""Group commit: writes entries that wait at the same time in one transaction."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import NamedTuple, Protocol

from app.record_events import Draft, Entry, Made
from app.record_ports import Trouble
from app.records.cause import NotWritten
from app.records.failures import database_cause
from app.records.pages import EntryGroup, Silence
from app.watched_bundle import WatchedBundle

MOST_EVENTS = 4_096
"""Most events in a transaction, unless a single group has more."""

Build = Callable[[Sequence[WatchedBundle]], Made]
"""Builds, for the served bundles, the function that turns drafts of one of them into entries."""


class Book(Protocol):
    """Writes entries in one transaction: all of them, or none if it raises."""

    def write(self, entries: Sequence[Entry]) -> list[bool]:
        """Write entries; return for each whether it was added."""


def write_groups(
    book: Book, made: Made | None, groups: Sequence[EntryGroup]
) -> "list[list[bool] | NotWritten]":
    """Write groups in one transaction; return the outcome of each."""
    try:
        built = entries_of(made, [one for group in groups for one in group])
        added = iter(built.outcomes(book.write(built.entries)))
    except Exception as error:  # noqa: BLE001 - callers get the cause, and the thread goes on
        return [NotWritten(database_cause(error)) for _ in groups]
    return [[next(added) for _ in group] for group in groups]


def size(group: EntryGroup) -> int:
    """Count the events that a group will have."""
    return sum(one.rows if isinstance(one, Draft) else len(one.events) for one in group)


class BuiltEntries(NamedTuple):
    """Entries of a list of entries and drafts."""

    entries: list[Entry]
    places: list[int]
    """Index in `entries` for each entry or draft."""

    def outcomes(self, added: Sequence[bool]) -> list[bool]:
        """Return for each entry or draft whether it was added; `added` says so of each entry."""
        return [added[place] for place in self.places]


def entries_of(made: Made | None, items: EntryGroup) -> BuiltEntries:
    """Build the entries of drafts; keep the order of all that could contradict each other.

    Successive drafts without a reply, which nothing can contradict, become one entry for each
    bundle: what is counted is counted once for all of them.
    """
    entries, places = list[Entry](), list[int]()
    for is_free, run in groupby(items, _is_free):
        if not is_free:
            for one in run:
                places.append(len(entries))
                entries.append(one if isinstance(one, Entry) else _built(made, [one]))
            continue
        bundles: dict[str, list[Draft]] = {}
        drafts = [one for one in run if isinstance(one, Draft)]
        for draft in drafts:
            bundles.setdefault(draft.digest, []).append(draft)
        at = {digest: len(entries) + place for place, digest in enumerate(bundles)}
        places += [at[draft.digest] for draft in drafts]
        entries += [_built(made, several) for several in bundles.values()]
    return BuiltEntries(entries, places)


def _is_free(one: Entry | Draft) -> bool:
    return isinstance(one, Draft) and one.reply is None


def _built(made: Made | None, drafts: Sequence[Draft]) -> Entry:
    """Build the entry of drafts of one bundle."""
    assert made is not None  # noqa: S101 - a bundle is introduced before its drafts
    return made(drafts)


class CommitThread:
    """Writes in a thread of this process, which shares the interpreter lock with the event loop."""

    def __init__(
        self, book: Book, build: Build, look: Callable[[], Trouble | None] = lambda: None
    ) -> None:
        """Start the thread.

        Args:
            book: writes entries.
            build: builds, for the served bundles, the function that turns drafts into entries.
            look: returns the reason why nothing can be written; called in the thread.
        """
        self._book = book
        self._build = build
        self._look = look
        self._silence = Silence()
        self._is_looking = False
        self._trouble: Trouble | None = None
        self._made: Made | None = None
        self._waiting = deque[tuple[EntryGroup, asyncio.Future[list[bool]]]]()
        self._thread = ThreadPoolExecutor(1, "dubito-records")

    @property
    def is_over(self) -> bool:
        """Always False: the thread lives as long as the service."""
        return False

    def introduce(self, served: Sequence[WatchedBundle]) -> None:
        """Announce the bundles whose drafts follow."""
        self._made = self._build(served)

    def look(self) -> Trouble | None:
        """Return the latest reason why nothing can be written, or that the thread is stuck."""
        if not self._is_looking:
            self._is_looking = True
            self._thread.submit(self._see, asyncio.get_running_loop())
        return self._silence.look() or self._trouble

    async def settle(self) -> None:
        """Return: a group is written when the database has it."""

    def submit(self, group: EntryGroup, *, is_awaited: bool = True) -> "asyncio.Future[list[bool]]":  # noqa: ARG002 - the database's word comes in any case
        """Start to write a group; see `Pages.submit`."""
        loop = asyncio.get_running_loop()
        written = loop.create_future()
        self._waiting.append((group, written))
        self._thread.submit(self._work, loop)
        return written

    def close(self) -> None:
        """Write all queued groups and end the thread."""
        self._thread.shutdown()

    def _see(self, loop: asyncio.AbstractEventLoop) -> None:
        # The result travels through the event loop, like the outcomes of groups, so that the later
        # one of the two prevails.
        loop.call_soon_threadsafe(self._hear, self._look())

    def _hear(self, trouble: Trouble | None) -> None:
        self._silence.end()
        self._is_looking, self._trouble = False, trouble

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write all queued groups together, unless an earlier call has taken them."""
        taken, events = list[tuple[EntryGroup, asyncio.Future[list[bool]]]](), 0
        while self._waiting and events < MOST_EVENTS:
            taken.append(self._waiting.popleft())
            events += size(taken[-1][0])
        if taken:
            found = write_groups(self._book, self._made, [group for group, _ in taken])
            loop.call_soon_threadsafe(self._tell, [written for _, written in taken], found)

    def _tell(
        self,
        several: "list[asyncio.Future[list[bool]]]",
        found: "list[list[bool] | NotWritten]",
    ) -> None:
        for written, outcome in zip(several, found, strict=True):
            if isinstance(outcome, NotWritten):
                self._trouble = outcome.trouble or self._trouble
                written.set_exception(outcome)
            else:
                written.set_result(outcome)
