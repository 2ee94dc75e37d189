"""What several modules need is made once, for all the workers that run tests at a time."""

import fcntl
import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

FOLDER = "TESTS_MADE"
"""Variable with the folder of a run, which the process that began it sets for its workers."""


@cache
def _own() -> TemporaryDirectory[str]:
    """A folder that is there as long as this process."""
    return TemporaryDirectory(prefix="made-")


def begin() -> None:
    """Make the folder of this run, which is removed as this process ends."""
    os.environ[FOLDER] = _own().name


def made(name: str, make: Callable[[Path], Path]) -> Path:
    """What `make` returns of an empty folder; the first that asks for the name calls it.

    It is for reading alone: who changes it copies it.
    """
    root = Path(os.environ.get(FOLDER) or _own().name)
    work, told = root / name, root / f"{name}.made"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            told.write_text(str(make(work)), encoding="utf-8")
    return Path(told.read_text(encoding="utf-8"))
