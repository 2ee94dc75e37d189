"""The key of the chain: made once, for its owner alone, and refused where it is none."""

import errno
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.errors import RecordsError
from app.records.key import BYTES, read_all, read_key, read_or_make, renew
from tests.service import ROOT, environment

DIE = """
import os, pathlib, sys
from app.records import key
file = pathlib.Path(sys.argv[1])
def end(*_, **__):
    (file.parent / f".{file.name}.draft").write_text("0123")
    os._exit(9)
owner, _, name = sys.argv[2].rpartition(".")
setattr(eval(owner), name, end)
key.read_or_make(file)
"""
"""Makes a key, and ends at a step as if it was killed there."""


def test_it_is_made_once_and_read_again(tmp_path: Path) -> None:
    """Only its owner may read the file, and nothing else is left in the folder."""
    file = tmp_path / "state" / "key"
    made = read_or_make(file)
    assert BYTES == len(made)
    assert made == read_or_make(file) == read_key(file)
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    assert [file] == list(file.parent.iterdir())


def test_two_that_make_it_at_once_have_the_same(tmp_path: Path) -> None:
    """Workers that start together chain with one key."""
    with ThreadPoolExecutor(8) as threads:
        for at in range(200):
            found = set(threads.map(read_or_make, [tmp_path / str(at)] * 8))
            assert 1 == len(found)
    assert [] == list(tmp_path.glob(".*"))


@pytest.mark.parametrize("text", ["", "zz" * 32, "00" * 31, "é" * 64])
def test_what_is_no_key_is_refused(tmp_path: Path, text: str) -> None:
    """The sentence names the file, and holds nothing of it."""
    file = tmp_path / "key"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RecordsError, match="does not hold 64 hexadecimal digits"):
        read_or_make(file)


def test_a_key_that_is_not_there_is_not_made_to_verify(tmp_path: Path) -> None:
    """A fresh one would verify nothing."""
    with pytest.raises(RecordsError, match="No such file"):
        read_key(tmp_path / "key")
    assert [] == list(tmp_path.iterdir())


def test_no_link_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not all storage has links."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "link", refuse)
    assert read_or_make(tmp_path / "key") == read_key(tmp_path / "key")


@pytest.mark.parametrize(
    "step", ["key.open_or_make", "key.fcntl.flock", "os.fsync", "pathlib.Path.replace"]
)
def test_a_process_that_dies_leaves_a_key_or_none(tmp_path: Path, step: str) -> None:
    """Killed at any step, half a key written: the next one makes it whole, and does not wait."""
    file = tmp_path / "key"
    done = subprocess.run(
        [sys.executable, "-c", DIE, str(file), step], cwd=ROOT, env=environment(), check=False
    )
    assert 9 == done.returncode
    assert not file.exists()
    assert BYTES == len(read_or_make(file))
    assert [file] == list(tmp_path.iterdir())


def test_a_new_key_keeps_the_old_ones(tmp_path: Path) -> None:
    """On lines of their own, as chains are verified by them; the first one is that of today."""
    file = tmp_path / "key"
    first = read_or_make(file)
    renew(file)
    second = read_key(file)
    renew(file)
    assert (second, first) == read_all(file)[1:]
    assert 3 == len(set(read_all(file)))
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    file.write_text("no key")
    with pytest.raises(RecordsError, match="does not hold 64"):
        renew(file)
    assert "no key" == file.read_text()
