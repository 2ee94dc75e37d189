"""The key of the chain: made once, for its owner alone, and refused where it is none."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.errors import RecordsError
from app.records.key import BYTES, read, read_or_make


def test_it_is_made_once_and_read_again(tmp_path: Path) -> None:
    """Only its owner may read the file, and nothing else is left in the folder."""
    file = tmp_path / "state" / "key"
    made = read_or_make(file)
    assert BYTES == len(made)
    assert made == read_or_make(file) == read(file)
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    assert [file] == list(file.parent.iterdir())


def test_two_that_make_it_at_once_have_the_same(tmp_path: Path) -> None:
    """Workers that start together chain with one key."""
    with ThreadPoolExecutor(8) as threads:
        for at in range(20):
            found = set(threads.map(read_or_make, [tmp_path / str(at)] * 8))
            assert 1 == len(found)


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
        read(tmp_path / "key")
    assert [] == list(tmp_path.iterdir())
