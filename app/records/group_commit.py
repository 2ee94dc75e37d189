"""Pages: where groups of entries are written, each together with others that wait."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from app.record_events import Draft, Entry, Made
from app.record_ports import Trouble
from app.records.failures import Cause, cause_of
from app.watched_bundle import WatchedBundle

MOST_EVENTS = 4_096
"""Of a transaction, unless a group has more."""
LOOK_SECONDS = 0.5
"""Between two looks at whether anything can be written."""
SILENT_LOOKS = 10
"""Looks, one after the other, after which whoever writes and has not answered stands still."""

Group = Sequence[Entry | Draft]
Build = Callable[[WatchedBundle], Made]
"""Makes what makes entries of the drafts of a bundle."""


class NotWritten(Exception):
    """A group was not written; of the error, whose text could hold figures, the cause is told."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause)
        self.cause = cause

    @property
    def trouble(self) -> Trouble | None:
        """Why the next one would not be written either, for all that is known."""
        return self.cause.trouble if self.cause.is_lasting else None

    def __str__(self) -> str:
        return str(self.cause)


class Pages(Protocol):
    """Writes groups, in their order. It lives on the event loop."""

    @property
    def is_over(self) -> bool:
        """Whether nothing is written any more."""

    def introduce(self, watched: WatchedBundle) -> None:
        """Say of which bundle drafts come; before there are any."""

    def look(self) -> Trouble | None:
        """What is known of why nothing can be written; called every `LOOK_SECONDS`."""

    def submit(self, group: Group) -> "asyncio.Future[list[bool]]":
        """Begin to write a group: for each entry whether it was added.

        Raises:
            NotWritten: the future; the database did not take it.
        """


class Book(Protocol):
    """What takes entries: all of a group, or none where it raises."""

    def write(self, entries: Sequence[Entry]) -> list[bool]:
        """For each entry whether it was added."""


class Silence:
    """Counts looks since whoever writes was heard of.

    Time by the clock would also pass where the process that looks stands still.
    """

    def __init__(self) -> None:
        self._looks = 0

    def end(self) -> None:
        """Begin to count anew: something was heard."""
        self._looks = 0

    def look(self) -> Trouble | None:
        """Count a look."""
        self._looks += 1
        if self._looks <= SILENT_LOOKS:
            return None
        seconds = SILENT_LOOKS * LOOK_SECONDS
        return Trouble(
            f"the recorder has not answered for more than {seconds:g} s",
            "it stands still, or waits for the database",
        )


def write(
    book: Book, made: Made | None, groups: Sequence[Group]
) -> "list[list[bool] | NotWritten]":
    """Write groups together; what comes of each."""
    try:
        added = iter(book.write([_entry(made, one) for group in groups for one in group]))
    except Exception as error:  # noqa: BLE001 - whoever waits is told, and the next are written
        return [NotWritten(cause_of(error)) for _ in groups]
    return [[next(added) for _ in group] for group in groups]


def size(group: Group) -> int:
    """How many events a group will have."""
    return sum(one.rows if isinstance(one, Draft) else len(one.events) for one in group)


def _entry(made: Made | None, one: Entry | Draft) -> Entry:
    if isinstance(one, Entry):
        return one
    assert made is not None  # noqa: S101 - it is introduced before there are drafts
    return made(one)


class Thread:
    """Writes in a thread of this process, which takes turns with the event loop."""

    def __init__(
        self, book: Book, build: Build, look: Callable[[], Trouble | None] = lambda: None
    ) -> None:
        """Begin the thread.

        Args:
            book: takes entries.
            build: makes what makes entries of the drafts of a bundle.
            look: says in the thread why nothing can be written.
        """
        self._book = book
        self._build = build
        self._look = look
        self._silence = Silence()
        self._is_looking = False
        self._trouble: Trouble | None = None
        self._made: Made | None = None
        self._waiting = deque[tuple[Group, asyncio.Future[list[bool]]]]()
        self._thread = ThreadPoolExecutor(1, "dubito-records")

    @property
    def is_over(self) -> bool:
        """Never: the thread lasts as long as the service."""
        return False

    def introduce(self, watched: WatchedBundle) -> None:
        """Say of which bundle drafts come."""
        self._made = self._build(watched)

    def look(self) -> Trouble | None:
        """What the thread found last, or that it stands still."""
        if not self._is_looking:
            self._is_looking = True
            self._thread.submit(self._see, asyncio.get_running_loop())
        return self._silence.look() or self._trouble

    def submit(self, group: Group) -> "asyncio.Future[list[bool]]":
        """Begin to write a group."""
        loop = asyncio.get_running_loop()
        written = loop.create_future()
        self._waiting.append((group, written))
        self._thread.submit(self._work, loop)
        return written

    def close(self) -> None:
        """Write what waits, and end the thread."""
        self._thread.shutdown()

    def _see(self, loop: asyncio.AbstractEventLoop) -> None:
        # By way of the loop, as what became of groups: the later one holds.
        loop.call_soon_threadsafe(self._hear, self._look())

    def _hear(self, trouble: Trouble | None) -> None:
        self._silence.end()
        self._is_looking, self._trouble = False, trouble

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write what waits, if that was not done with what waited before it."""
        taken, events = list[tuple[Group, asyncio.Future[list[bool]]]](), 0
        while self._waiting and events < MOST_EVENTS:
            taken.append(self._waiting.popleft())
            events += size(taken[-1][0])
        if taken:
            found = write(self._book, self._made, [group for group, _ in taken])
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
