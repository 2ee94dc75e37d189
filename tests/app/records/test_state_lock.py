"""The place: whatever is done to the files of records that are open is seen and said."""

import asyncio
import errno
import fcntl
import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.errors import RecordingFailed, RecordsError
from app.monitoring.event_builder import EventBuilder
from app.record_events import Made
from app.records import key
from app.records.database import open_database, reading, snapshot
from app.records.opening import open_store, writing
from app.records.state_lock import FILE, held
from app.records.store import Store
from app.records.verification import verify
from app.watched_bundle import WatchedBundle
from tests import service
from tests.app.monitoring.toy import WATCHED
from tests.app.records.conftest import CHAIN, draft, entries
from tests.postgres import serving as service_of_postgresql

PATIENCE = 30
DISPLACED = "nothing can be recorded: the records' files were deleted, moved or replaced"
KEYLESS = "the key of the records is not in its file any more"


@dataclass(frozen=True)
class State:
    """A state folder."""

    folder: Path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder}/records.db"

    @property
    def key(self) -> Path:
        return self.folder / "records.key"

    def copy(self, name: str) -> None:
        """Put another file of the same content in a file's place."""
        shutil.copy(self.folder / name, self.folder / "copy")
        (self.folder / "copy").replace(self.folder / name)

    def delete(self, *names: str) -> None:
        for name in names:
            (self.folder / name).unlink()


Harm = Callable[[State], object]
FOR_GOOD: dict[str, Harm] = {
    "folder deleted": lambda state: shutil.rmtree(state.folder),
    "database deleted": lambda state: state.delete("records.db", "records.db-wal"),
    "database replaced": lambda state: state.copy("records.db"),
    "log deleted": lambda state: state.delete("records.db-wal"),
}
FOR_GOOD_TOO: dict[str, Harm] = {
    "index deleted": lambda state: state.delete("records.db-shm"),
    "lock deleted": lambda state: state.delete("records.lock"),
    "lock replaced": lambda state: state.copy("records.lock"),
}
"""What takes away nothing that was written."""
AWHILE: dict[str, tuple[Harm, Harm, str]] = {
    "folder moved": (
        lambda state: state.folder.rename(state.folder.with_name("away")),
        lambda state: state.folder.with_name("away").rename(state.folder),
        DISPLACED,
    ),
    "database moved": (
        lambda state: (state.folder / "records.db").rename(state.folder / "x"),
        lambda state: (state.folder / "x").rename(state.folder / "records.db"),
        DISPLACED,
    ),
    "key deleted": (
        lambda state: state.key.rename(state.folder / "x"),
        lambda state: (state.folder / "x").rename(state.key),
        KEYLESS,
    ),
    "key replaced": (
        lambda state: (shutil.copy(state.key, state.folder / "x"), state.key.write_text("0" * 64)),
        lambda state: (state.folder / "x").rename(state.key),
        KEYLESS,
    ),
}
"""What is done, how it is undone, and what is said of it."""


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "state")


def build(_: Sequence[WatchedBundle]) -> Made:
    """Makes the same entry of every draft."""
    return lambda _: entries(1)[0]


def using(state: State, use: Callable[[Store], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        async with open_store(state.url, state.key, CHAIN, build) as store:
            await asyncio.wait_for(use(store), PATIENCE)

    asyncio.run(run())


async def until(is_so: Callable[[], bool]) -> float:
    """Seconds until something is so."""
    begun = time.monotonic()
    await asyncio.to_thread(service.until, is_so)
    return time.monotonic() - begun


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.name == "dubito.records"]


@pytest.mark.parametrize("harm", FOR_GOOD)
def test_what_is_lost_is_seen_at_once(
    state: State, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The very next entry is refused, and so are all that follow; the log says it once."""

    async def use(store: Store) -> None:
        assert await store.writer.put(entries(1)[0])
        FOR_GOOD[harm](state)
        with pytest.raises(RecordingFailed):
            await store.writer.put(entries(1, 1)[0])
        assert (store.writer.trouble or "").startswith(DISPLACED)
        for way in (store.writer.put, store.writer.leave):
            with pytest.raises(RecordingFailed):
                way(entries(1, 2)[0])

    using(state, use)
    (line,) = told(caplog)
    assert line.startswith(DISPLACED)
    assert "deleted files can be read until this process ends: copy /proc/" in line


@pytest.mark.parametrize("harm", FOR_GOOD_TOO)
def test_what_keeps_others_out_is_missed_soon(
    state: State, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is lost by it; but another process may begin to write."""

    async def use(store: Store) -> None:
        assert await store.writer.put(entries(1)[0])
        FOR_GOOD_TOO[harm](state)
        assert await until(lambda: store.writer.trouble is not None) < 5
        with pytest.raises(RecordingFailed):
            store.writer.put(entries(1, 1)[0])

    using(state, use)
    (line,) = told(caplog)
    assert line.startswith(DISPLACED)


@pytest.mark.parametrize("harm", AWHILE)
def test_without_anybody_who_asks_it_is_seen_soon(
    state: State, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Within two seconds; where it can be undone all goes on, and the log says both once."""
    break_it, mend_it, sentence = AWHILE[harm]

    async def use(store: Store) -> None:
        assert await store.writer.put(entries(1)[0])
        break_it(state)
        assert await until(lambda: store.writer.trouble is not None) < 5
        assert (store.writer.trouble or "").startswith(sentence)
        with pytest.raises(RecordingFailed):
            store.writer.put(entries(1, 1)[0])
        mend_it(state)
        await until(lambda: store.writer.trouble is None)
        assert await store.writer.put(entries(1, 2)[0])
        await until(lambda: len(told(caplog)) == 2)

    with caplog.at_level(logging.WARNING):
        using(state, use)
    assert "records are written again" == told(caplog)[1]


def test_relaxed_entries_that_are_lost_are_counted(
    state: State, caplog: pytest.LogCaptureFixture
) -> None:
    """Their answers have left already."""

    async def use(store: Store) -> None:
        store.writer.introduce([WATCHED])
        store.writer.leave(draft(3))
        shutil.rmtree(state.folder)
        await until(lambda: len(told(caplog)) == 2)

    using(state, use)
    assert "3 events of answers already sent are not recorded" == told(caplog)[1]


def test_what_was_acknowledged_can_be_copied(
    state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says from where: all of it is in files that are deleted, and open."""
    rescued, other = tmp_path / "rescued", tmp_path / "records.db"
    rescued.mkdir()
    # Files of their names that are open here before them are not meant.
    strangers = [(tmp_path / f"records.db{end}").open("wb") for end in ("", "-wal")]
    other.unlink()

    async def use(store: Store) -> None:
        for number in range(20):
            assert await store.writer.put(entries(1, number)[0])
        secret = key.read_key(state.key)
        shutil.rmtree(state.folder)
        await until(lambda: bool(told(caplog)))
        words = told(caplog)[0].partition(": copy ")[2].split(" and ")
        for word in words:
            source, _, name = word.partition(" ")
            shutil.copyfile(source, rescued / name.strip("()"))
        with (
            reading(f"sqlite:///{rescued}/records.db") as engine,
            snapshot(engine) as connection,
        ):
            verdict = verify(connection, secret, {})
        assert (20, ()) == (verdict.events, verdict.faults)

    using(state, use)
    for stranger in strangers:
        stranger.close()


def test_a_second_process_never_has_the_same_files(state: State) -> None:
    """Where the lock was deleted it may begin; the first one writes nothing any more."""
    ours = []

    async def use(store: Store) -> None:
        assert await store.writer.put(entries(1)[0])
        with pytest.raises(RecordsError, match="another process"):
            await asyncio.to_thread(_write_beside, state)
        state.delete("records.lock")
        await asyncio.to_thread(_write_beside, state)
        await until(lambda: store.writer.trouble is not None)
        with pytest.raises(RecordingFailed):
            store.writer.put(entries(1, 1)[0])
        ours.append(store.writer.trouble)

    using(state, use)
    assert ours[0] is not None
    with reading(state.url) as engine, snapshot(engine) as connection:
        assert () == verify(connection, key.read_key(state.key), {}).faults


def _write_beside(state: State) -> None:
    with open_database(state.url):
        pass


def test_a_lock_that_is_moved_while_it_is_taken_is_not_held(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process could make and hold one in its place: both would write."""
    lock, real = state.folder / "records.lock", fcntl.flock

    def moved(descriptor: int, how: int) -> None:
        if lock.exists():
            lock.rename(lock.with_name("away"))
        real(descriptor, how)

    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", moved)
        with pytest.raises(RecordsError, match="cannot be locked"), held(state.folder / FILE):
            pass
    lock.with_name("away").rename(lock)
    with held(state.folder / FILE):
        assert lock.exists()


def test_storage_that_knows_no_locks_is_refused(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that stands for a lock would outlive a crash, or be overlooked by another program."""

    def unknown(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", unknown)
    with pytest.raises(RecordsError, match="cannot be locked"), held(state.folder / FILE):
        pass
    assert b"" == (state.folder / "records.lock").read_bytes()


def test_a_database_that_is_missing_though_its_key_is_there_is_told(state: State) -> None:
    """It is made anew, as at a first start with a key that was given; the log says so."""
    for end in (1, 2):
        with writing(state.url, state.key, CHAIN, EventBuilder) as records:
            assert end - 1 == len(records.notes)
        state.delete("records.db")


def test_a_server_that_is_gone_is_seen_without_anybody_who_asks(tmp_path: Path) -> None:
    """As is that it is back; nothing that is asked for then fails for the connection of before."""
    with service_of_postgresql() as server, server.database() as url:

        async def use(store: Store) -> None:
            assert await store.writer.put(entries(1)[0])
            await asyncio.to_thread(server.end)
            await until(lambda: store.writer.trouble is not None)
            assert "nothing can be recorded: the database" in (store.writer.trouble or "")
            await asyncio.to_thread(server.start)
            await until(lambda: store.writer.trouble is None)
            assert await store.writer.put(entries(1, 1)[0])

        async def run() -> None:
            async with open_store(url, tmp_path / "key", CHAIN, build) as store:
                await use(store)

        asyncio.run(run())
        with reading(url) as engine, snapshot(engine) as connection:
            verdict = verify(connection, key.read_key(tmp_path / "key"), {})
        assert (2, ()) == (verdict.events, verdict.faults)


def test_a_disk_that_only_reads_is_seen_without_anybody_who_asks(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And that it can be written again: what is tried then is a write like any other."""
    monkeypatch.setattr("app.records.databases.sqlite_file.BUSY_SECONDS", 0.1)
    real = os.statvfs

    async def use(store: Store) -> None:
        def tight(path: Any) -> Any:
            about = list(real(path)[:10])
            about[8] |= os.ST_RDONLY
            return os.statvfs_result(about)

        monkeypatch.setattr(os, "statvfs", tight)
        with closing(sqlite3.connect(state.folder / "records.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await until(lambda: store.writer.trouble is not None)
            assert "nothing can be recorded: another process holds the database" == (
                store.writer.trouble
            )
            other.execute("ROLLBACK")
        await until(lambda: store.writer.trouble is None)

    using(state, use)
