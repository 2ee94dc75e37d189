"""Files: theirs may read them who should, whatever the umask, and they are whole or not there."""

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.monitoring.event_builder import EventBuilder
from app.records.address import url_of
from app.records.opening import writing
from app.records.state_files import exposed, make_folder, one_line, open_new, replace
from tests.app.records.conftest import CHAIN, entries
from tests.app.records.users import being, reachable


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    try:
        yield
    finally:
        os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    return {path.name: f"{stat.S_IMODE(path.stat().st_mode):o}" for path in folder.iterdir()}


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize(("folder", "file"), [(0o700, "600"), (0o755, "600"), (0o770, "660")])
def test_modes_follow_the_folder(tmp_path: Path, folder: int, file: str) -> None:
    """Its owner's alone, or its group's too; of SQLite's files beside the database as well."""
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(folder)
    with writing(url_of(None, state), state / "records.key", CHAIN, EventBuilder) as records:
        records.book.write(entries(1))
        names = {"records.db", "records.db-wal", "records.db-shm", "records.lock", "records.key"}
        assert dict.fromkeys(names, file) == modes(state)
        assert [] == list(records.notes)
    replace(state / "checkpoint", b"{}")
    assert file == modes(state)["checkpoint"]


def test_another_group_s_folder_shares_nothing(tmp_path: Path) -> None:
    """What a process makes there is of its own group, whom the folder does not name."""
    if os.geteuid() != 0:
        pytest.skip("only root may give a folder away")
    tmp_path.chmod(0o770)
    os.chown(tmp_path, 0, 4711)
    os.close(open_new(tmp_path / "file"))
    assert {"file": "600"} == modes(tmp_path)


@pytest.mark.usefixtures("umask")
def test_a_folder_that_is_made_is_its_owner_s(tmp_path: Path) -> None:
    make_folder(tmp_path / "a")
    assert {"a": "700"} == modes(tmp_path)


def test_others_who_may_read_are_told_of(tmp_path: Path) -> None:
    """Files of an older Dubito go on as they are, and the log says so."""
    url, key = f"sqlite:///{tmp_path}/records.db", tmp_path / "records.key"
    with writing(url, key, CHAIN, EventBuilder):
        pass
    (tmp_path / "records.db").chmod(0o644)
    with writing(url, key, CHAIN[:-1] + "2", EventBuilder) as records:
        (note,) = records.notes
        assert f"{tmp_path}/records.db is open to more users" in note
        assert "0644" in note
    assert "644" == modes(tmp_path)["records.db"]
    assert [] == exposed([tmp_path / "nothing"])


def test_a_file_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was there is there until then, and no draft is left."""
    file = tmp_path / "file"
    replace(file, b"before")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        replace(file, b"after")
    assert {"file": b"before"} == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    """It is not replaced by a file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with closing(os.fdopen(os.open(pipe, os.O_RDWR), "rb", buffering=0)) as reader:
        replace(pipe, b"told")
        assert b"told" == reader.read(4)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_name_in_a_sentence_is_on_one_line() -> None:
    assert r"a\nb\x1b[1m상태\udcff" == one_line(Path("a\nb\x1b[1m상태\udcff"))


def test_the_next_user_of_the_group_goes_on(tmp_path: Path) -> None:
    """With key and database of another one, as in an image whose user may be any."""
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o770)
    with being(0):
        os.chown(reachable(tmp_path) / "state", 10_001, 0)
    for number, user in enumerate((10_001, 1_000_660_000, 1_000_670_000)):
        url, chain = f"sqlite:///{state}/records.db", CHAIN[:-1] + str(number)
        with being(user), writing(url, state / "records.key", chain, EventBuilder) as records:
            assert [True] == records.book.write(entries(1, number))
    assert {"660"} == set(modes(state).values())
