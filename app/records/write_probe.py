"""The watch: sees whether what a process writes arrives where it will be looked for."""

import time
from collections.abc import Sequence
from pathlib import Path

from app.errors import RecordsError
from app.record_events import Entry
from app.record_ports import Trouble
from app.records import key
from app.records.failures import Cause, cause_of
from app.records.ledger import Ledger
from app.records.state_files import shown
from app.records.state_lock import Place

TRIAL_SECONDS = 1.0
"""Between two writes that try whether any is possible, where nothing else is written."""


class Watched:
    """A ledger whose every group is written to files that are where they were opened."""

    def __init__(self, ledger: Ledger, place: Place | None, secret: bytes, file: Path) -> None:
        """Take what writes, where its files are if it has any, and its key with the key's file."""
        self._ledger = ledger
        self._place = place
        self._secret = secret
        self._file = file
        self._failed: Cause | None = None
        self._written = 0.0
        """When something was written, in seconds of the monotonic clock."""

    def write(self, entries: Sequence[Entry]) -> list[bool]:
        """Add what entries hold, see `app.records.ledger`.

        Raises:
            Displaced: the files are elsewhere; nobody may be told that anything was written.
            Exception: SQLAlchemy's or the driver's; the database did not take it.
        """
        try:
            added = self._ledger.write(entries)
            if self._place is not None:
                # What was committed to a deleted file is lost with this process.
                self._place.check_folder()
        except Exception as error:
            cause = cause_of(error)
            self._failed = cause if cause.is_lasting else self._failed
            raise
        self._written = time.monotonic()
        return added

    def look(self) -> Trouble | None:
        """Why nothing can be written now."""
        self._try()
        if self._failed is not None:
            return self._failed.trouble
        try:
            if self._secret in key.read_all(self._file):
                return None
        except RecordsError:
            pass
        return Trouble("the key of the records is not in its file any more", shown(self._file))

    def _try(self) -> None:
        """See whether anything can be written, where that is not known."""
        is_recent = time.monotonic() - self._written < TRIAL_SECONDS
        try:
            if self._place is not None:
                self._place.check()
            if self._failed is None and (is_recent or self._is_at_ease()):
                return
            self._ledger.touch()
        except Exception as error:  # noqa: BLE001 - it is told by whoever asks
            self._failed = cause_of(error)
        else:
            self._failed = None

    def _is_at_ease(self) -> bool:
        """Whether a file has room around it; of a server nothing is known without asking."""
        return self._place is not None and not self._place.is_tight()
