"""Detects whether writes still reach the records, by test writes and checks of the files."""

import time
from collections.abc import Sequence
from pathlib import Path

from app.errors import RecordsError
from app.record_events import Entry
from app.record_ports import Trouble
from app.records import key
from app.records.cause import Cause
from app.records.failures import database_cause
from app.records.ledger import Ledger
from app.records.state_files import one_line
from app.records.state_lock import LockedFiles

TRIAL_SECONDS = 1.0
"""Shortest time between two test writes when nothing else is written, seconds."""


class Watched:
    """A ledger that checks after every group that its files were not deleted or moved."""

    def __init__(
        self, ledger: Ledger, place: LockedFiles | None, secret: bytes, file: Path
    ) -> None:
        """Set the ledger, its files (None for a server), its key and the key's file."""
        self._ledger = ledger
        self._place = place
        self._secret = secret
        self._file = file
        self._failed: Cause | None = None
        self._written = 0.0
        """Time of the last successful write, seconds of the monotonic clock."""

    def write(self, entries: Sequence[Entry], at: int | None = None) -> list[bool]:
        """Append entries, see `app.records.ledger`.

        Raises:
            Displaced: the files were moved or deleted; the entries must not be reported as written.
            Exception: SQLAlchemy's or the driver's error if the database did not accept the
                entries.
        """
        try:
            added = self._ledger.write(entries, at)
            if self._place is not None:
                # Data committed to a deleted file is lost when this process ends.
                self._place.check_folder()
        except Exception as error:
            cause = database_cause(error)
            self._failed = cause if cause.is_lasting else self._failed
            raise
        self._written = time.monotonic()
        return added

    def look(self) -> Trouble | None:
        """Return the reason why nothing can be written now; None if writing works."""
        self._try()
        if self._failed is not None:
            return self._failed.trouble
        try:
            if self._secret in key.read_all(self._file):
                return None
        except RecordsError:
            pass
        return Trouble("the key of the records is not in its file any more", one_line(self._file))

    def _try(self) -> None:
        """Test whether the database can be written, unless a recent write shows it."""
        is_recent = time.monotonic() - self._written < TRIAL_SECONDS
        try:
            if self._place is not None:
                self._place.check()
            if self._failed is None and (is_recent or self._is_at_ease()):
                return
            self._ledger.touch()
        except Exception as error:  # noqa: BLE001 - `look` returns its cause
            self._failed = database_cause(error)
        else:
            self._failed = None

    def _is_at_ease(self) -> bool:
        """Whether a SQLite file's disk has room; a database server must be tested by writing."""
        return self._place is not None and not self._place.is_tight()
