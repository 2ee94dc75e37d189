"""Other users of this machine, whom root can be for a while."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65_534


@contextmanager
def being(user: int) -> Iterator[None]:
    """Be another user, of root's group alone, for the length of a block."""
    if os.geteuid() != 0:
        pytest.skip("only root may be others")
    groups = os.getgroups()
    os.setgroups([])
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setgroups(groups)


def reachable(folder: Path) -> Path:
    """Let others come to a folder: pytest makes its own for one user."""
    for parent in (folder, *folder.parents[:-1]):
        if parent.stat().st_mode & 0o011 != 0o011:
            parent.chmod(parent.stat().st_mode | 0o011)
    return folder
