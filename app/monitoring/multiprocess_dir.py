"""The folder in which several workers store their Prometheus metrics, so that each shows the sum.

The Prometheus client finds the folder by an environment variable that it reads once, at its first
import.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from app.errors import SettingsError

if TYPE_CHECKING:
    from filelock import FileLock

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
LOCK = "lock"


def folder() -> Path | None:
    """Return the folder of this process's metrics; None if they are in memory (one worker)."""
    text = os.environ.get(VARIABLE)
    return None if text is None else Path(text)


def keep_none() -> None:
    """Store metrics in memory, whatever the environment variable of another service says."""
    os.environ.pop(VARIABLE, None)


class Shared:
    """The metrics folder of one service's workers, locked as long as the service runs."""

    def __init__(self, state: Path) -> None:
        """Create a new folder.

        Raises:
            SettingsError: the folder cannot be created.
        """
        parent = state / "metrics"
        try:
            parent.mkdir(parents=True, exist_ok=True)
            # The lock lets services that start at the same moment sweep one after the other.
            with _lock_of(parent):
                _share(parent, state)
                _sweep(parent)
                self.path = Path(mkdtemp(dir=parent))
                self._mark = _marked(self.path)
        except OSError as error:
            raise SettingsError(
                f"DUBITO_STATE: the workers share their counts in {parent}, which cannot be written"
            ) from error
        os.environ[VARIABLE] = str(self.path)

    def restore(self) -> bool:
        """Recreate the folder if it was removed; return whether it was.

        Raises:
            OSError: the folder cannot be created.
        """
        if (self.path / LOCK).exists():
            return False
        self.path.mkdir(parents=True, exist_ok=True)
        self._mark.release()
        self._mark = _marked(self.path)
        return True

    def close(self) -> None:
        """Remove the folder and release its lock."""
        keep_none()
        shutil.rmtree(self.path, ignore_errors=True)
        self._mark.release()


def remove_worker(pid: int | None) -> None:
    """Remove the gauges of a worker that has ended from the sums; its counters remain."""
    for file in (folder() or Path()).glob(f"gauge_live*_{pid}.db"):
        file.unlink(missing_ok=True)


def _share(parent: Path, state: Path) -> None:
    """Give the parent folder the state folder's mode, for the next user of its group."""
    mode = state.stat().st_mode & 0o770
    # Only the owner may change the mode; if that is another user, it is set already.
    with suppress(PermissionError):
        parent.chmod(mode)
        (parent / LOCK).chmod(mode & 0o660)


def _sweep(parent: Path) -> None:
    """Remove the folders of services that were killed."""
    for left in parent.iterdir():
        try:
            _marked(left).release()
        except OSError:
            continue
        shutil.rmtree(left, ignore_errors=True)


def _marked(path: Path) -> "FileLock":
    """Lock a folder as being in use, until the lock is released.

    Raises:
        OSError: another service uses the folder, or it is not a folder.
    """
    lock = _lock_of(path)
    lock.acquire(blocking=False)
    return lock


def _lock_of(path: Path) -> "FileLock":
    """Return the lock of a folder; storage without locks is rejected, not marked by a file."""
    # Importing filelock takes time that a service without workers does not need to spend.
    from filelock import FileLock

    return FileLock(path / LOCK, thread_local=False, preserve_lock_file=True)
