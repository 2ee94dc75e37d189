"""The folder in which several workers keep their counts, so that each can show the sum of all.

Prometheus' library finds it by a variable that it reads once, when it is first imported.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
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


@contextmanager
def shared(state: Path) -> Iterator[Path]:
    """A fresh folder for the workers that are started in a block.

    Raises:
        SettingsError: it cannot be made.
    """
    parent = state / "metrics"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        # Services that start at the same moment do so one after the other.
        with closing(_locked(parent, fcntl.LOCK_EX)):
            _sweep(parent)
            made = Path(mkdtemp(dir=parent))
            lock = _locked(made)
    except OSError as error:
        raise SettingsError(
            f"DUBITO_STATE: several workers count together in {parent}, which cannot be written"
        ) from error
    os.environ[VARIABLE] = str(made)
    try:
        yield made
    finally:
        keep_none()
        shutil.rmtree(made, ignore_errors=True)
        lock.close()


def forget(pid: int | None) -> None:
    """Take what a worker that has ended said of itself out of the sums; what it counted stays."""
    for file in (folder() or Path()).glob(f"gauge_live*_{pid}.db"):
        file.unlink(missing_ok=True)


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
