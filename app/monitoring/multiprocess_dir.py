"""The folder in which several workers keep their counts, so that each can show the sum of all.

Prometheus' library finds it by a variable that it reads once, when it is first imported.
"""

import fcntl
import os
import shutil
from contextlib import closing, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import BinaryIO

from app.errors import SettingsError

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
            with closing(_locked(parent, fcntl.LOCK_EX)):
                _share(parent, state)
                _sweep(parent)
                self.path = Path(mkdtemp(dir=parent))
                self._mark = _locked(self.path)
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
        self._mark.close()
        self._mark = _locked(self.path)
        return True

    def close(self) -> None:
        """Remove it."""
        keep_none()
        shutil.rmtree(self.path, ignore_errors=True)
        self._mark.close()


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
            _locked(left).close()
        except OSError:
            continue
        shutil.rmtree(left, ignore_errors=True)


def _locked(path: Path, how: int = fcntl.LOCK_EX | fcntl.LOCK_NB) -> BinaryIO:
    """Mark a folder as used, for as long as the file that is returned is open.

    Raises:
        OSError: it is used by another service, or is no folder.
    """
    file = (path / LOCK).open("wb")
    try:
        fcntl.flock(file, how)
    except OSError:
        file.close()
        raise
    return file
