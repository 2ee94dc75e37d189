"""The folder in which several workers keep their counts, so that each can show the sum of all.

Prometheus' library finds it by a variable that it reads once, when it is first imported.
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
    """Where this process' counts are kept; nowhere but in its memory if it serves alone."""
    text = os.environ.get(VARIABLE)
    return None if text is None else Path(text)


def keep_none() -> None:
    """Serve alone, whatever another service's variable says."""
    os.environ.pop(VARIABLE, None)


class Shared:
    """The folder of one service's workers, marked as used for as long as it is not closed."""

    def __init__(self, state: Path) -> None:
        """Make a fresh one.

        Raises:
            SettingsError: it cannot be made.
        """
        parent = state / "metrics"
        try:
            parent.mkdir(parents=True, exist_ok=True)
            # Services that start at the same moment do so one after the other.
            with _lock_of(parent):
                _share(parent, state)
                _sweep(parent)
                self.path = Path(mkdtemp(dir=parent))
                self._mark = _marked(self.path)
        except OSError as error:
            raise SettingsError(
                f"DUBITO_STATE: several workers count together in {parent}, which cannot be written"
            ) from error
        os.environ[VARIABLE] = str(self.path)

    def restore(self) -> bool:
        """Make the folder anew where somebody has removed it; whether that was so.

        Raises:
            OSError: it cannot be made.
        """
        if (self.path / LOCK).exists():
            return False
        self.path.mkdir(parents=True, exist_ok=True)
        self._mark.release()
        self._mark = _marked(self.path)
        return True

    def close(self) -> None:
        """Remove it."""
        keep_none()
        shutil.rmtree(self.path, ignore_errors=True)
        self._mark.release()


def forget(pid: int | None) -> None:
    """Take what a worker that has ended said of itself out of the sums; what it counted stays."""
    for file in (folder() or Path()).glob(f"gauge_live*_{pid}.db"):
        file.unlink(missing_ok=True)


def _share(parent: Path, state: Path) -> None:
    """Let the next user of the state's group in, where the state is the group's."""
    mode = state.stat().st_mode & 0o770
    # Whoever made it has done so already.
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
    """Mark a folder as used, until the lock is released.

    Raises:
        OSError: it is used by another service, or is no folder.
    """
    lock = _lock_of(path)
    lock.acquire(blocking=False)
    return lock


def _lock_of(path: Path) -> "FileLock":
    """The lock of a folder; storage that knows no locks is refused, not marked by a file."""
    # A service without workers does without what this imports.
    from filelock import FileLock

    return FileLock(path / LOCK, thread_local=False, preserve_lock_file=True)
