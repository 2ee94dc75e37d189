"""What writes groups of entries, as the service sees it: a thread here, or another process."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from app.record_events import Draft, Entry
from app.record_ports import Trouble
from app.watched_bundle import WatchedBundle

LOOK_SECONDS = 0.5
"""Seconds between two checks whether entries can be written."""
SILENT_LOOKS = 10
"""Consecutive checks without a message from the recorder after which it counts as stuck."""

EntryGroup = Sequence[Entry | Draft]


class Pages(Protocol):
    """Writes groups in their order, asynchronously. Used on the event loop."""

    @property
    def is_over(self) -> bool:
        """Whether the writer has ended, so that nothing can be written any more."""

    def introduce(self, served: Sequence[WatchedBundle]) -> None:
        """Announce the bundles whose drafts follow; must precede the first draft."""

    def look(self) -> Trouble | None:
        """Return the known reason why nothing can be written; called every `LOOK_SECONDS`."""

    def submit(self, group: EntryGroup, *, is_awaited: bool = True) -> "asyncio.Future[list[bool]]":
        """Start to write a group; the future holds for each entry whether it was added.

        Args:
            group: the entries.
            is_awaited: whether the database's word is needed; if it is not, a group that is on the
                disk, from where it reaches the database, counts as added.

        Raises:
            NotWritten: raised by the future if the group was not accepted.
        """

    async def settle(self) -> None:
        """Wait until the database has all groups that were written so far.

        Raises:
            NotWritten: the database does not accept them.
        """


class Silence:
    """Counts checks since the last message from the recorder.

    Checks are counted instead of seconds: time would also pass while the checking process itself is
    suspended.
    """

    def __init__(self) -> None:
        self._looks = 0

    def end(self) -> None:
        """Restart the count: a message arrived."""
        self._looks = 0

    def look(self) -> Trouble | None:
        """Count a check; return a reason once there were more than `SILENT_LOOKS`."""
        self._looks += 1
        if self._looks <= SILENT_LOOKS:
            return None
        seconds = SILENT_LOOKS * LOOK_SECONDS
        return Trouble(
            f"the recorder has not answered for more than {seconds:g} s",
            "it is stuck, or waits for the database",
        )
