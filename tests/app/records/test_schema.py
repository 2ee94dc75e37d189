"""Schemas: every older one is read as it is, none is changed but by the command that says so."""

import hashlib
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from app.errors import RecordsError
from app.records import export, schema
from app.records.address import database_at
from app.records.database import open_database, reading, snapshot
from app.records.databases.sqlite_file import unchanged
from app.records.ledger import Ledger
from app.records.schema import HEAD, MIGRATIONS, REVISIONS, migrate, state
from app.records.tables import metadata
from app.records.verification import verify
from tests.app.records.conftest import CHAIN, KEY, entries
from tests.app.records.old import COUNT, written
from tests.app.records.users import NOBODY, being, reachable
from tests.service import command

LATER = CHAIN[:-1] + "2"


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def check(url: str) -> None:
    """All that was written verifies."""
    with reading(url) as engine, snapshot(engine) as connection:
        found = verify(connection, KEY, {})
    assert (COUNT, ()) == (found.events, found.faults)


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def empty(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database without tables."""
    if request.param == "SQLite":
        yield request.getfixturevalue("file")
        return
    with request.getfixturevalue("server").database() as url:
        yield url


def test_all_migrations_are_known() -> None:
    """In their order: what is older is told from what is newer without looking for them."""
    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    walked = ScriptDirectory.from_config(config).walk_revisions()
    assert REVISIONS == tuple(script.revision for script in walked)[::-1]


@pytest.mark.parametrize("schema", REVISIONS)
def test_every_schema_is_read_as_it_is(
    empty: str, schema: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Verified and exported; not a byte or a name beside it is changed."""
    written(empty, schema, tmp_path_factory.mktemp("scratch"))
    before = digests(tmp_path)
    check(empty)
    with reading(empty) as engine, snapshot(engine) as connection:
        assert schema == state(connection)
        table = tmp_path_factory.mktemp("table") / "all.csv"
        assert COUNT == export.write_export(connection, table)
    with (
        reading(empty) as engine,
        engine.connect() as connection,
        pytest.raises(SQLAlchemyError, match=r"read-?only"),
    ):
        connection.execute(text("DELETE FROM events"))
    assert before == digests(tmp_path)


@pytest.mark.parametrize("schema", REVISIONS[:-1])
def test_an_older_schema_is_written_only_after_an_upgrade(
    empty: str, schema: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Until then the sentence names the command; of a file a copy is made first."""
    written(empty, schema, tmp_path_factory.mktemp("scratch"))
    with pytest.raises(RecordsError, match="`dubito records upgrade`"), open_database(empty):
        pass
    words = ["records", "upgrade", "--state", str(tmp_path), "--records-url", empty]
    done = command(*words)
    assert (0, True) == (
        done.returncode,
        f"{HEAD} now, and had {schema}".encode() in done.stdout,
    ), done.stderr
    check(empty)
    with open_database(empty) as engine, closing(Ledger(engine, KEY, LATER)) as ledger:
        assert [True] * 3 == ledger.write(entries(3, 50))
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert [] == compare_metadata(context, metadata)
    if "postgresql" in empty:
        assert f"pg_dump --format=custom --file=records-{schema}.dump".encode() in done.stdout
    else:
        (copy,) = tmp_path.glob(f"records.db.schema-{schema}.*Z")
        assert 0o600 == stat.S_IMODE(copy.stat().st_mode)
        check(f"sqlite:///{copy}")
    assert b"already" in command(*words).stdout


def test_a_copy_that_does_not_fit_is_a_sentence(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And leaves nothing behind."""
    written(file, REVISIONS[0], tmp_path / "..")

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("app.records.databases.sqlite._copy", full)
    before = digests(tmp_path)
    with pytest.raises(RecordsError, match="disk is full"):
        database_at(file).back_up(REVISIONS[0])
    assert before == digests(tmp_path)


def test_a_failed_upgrade_changes_nothing(
    empty: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it is one transaction."""
    written(empty, REVISIONS[0], tmp_path_factory.mktemp("scratch"))

    def fail(connection: Connection) -> None:
        migrate(connection)
        raise RuntimeError

    monkeypatch.setattr(schema, "migrate", fail)
    with pytest.raises(RuntimeError), database_at(empty).writable(fresh=False) as engine:
        schema.upgrade(engine)
    with reading(empty) as engine, engine.connect() as connection:
        assert REVISIONS[0] == state(connection)
    check(empty)


def test_what_is_read_may_be_written_meanwhile(url: str) -> None:
    """Beside the process that writes; what it adds is not seen in what is read."""
    with open_database(url) as engine, closing(Ledger(engine, KEY, CHAIN)) as ledger:
        ledger.write(entries(COUNT))
        with reading(url) as beside, snapshot(beside) as connection:
            assert COUNT == verify(connection, KEY, {}).events
            ledger.write(entries(5, 50))
            assert COUNT == verify(connection, KEY, {}).events


def readable(folder: Path) -> Path:
    """Let anybody read a folder's files, and nobody but root change them."""
    for path in folder.iterdir():
        path.chmod(0o444)
    reachable(folder).chmod(0o555)
    return folder


def copy_of(file: str, folder: Path, *ends: str) -> Path:
    """Some files of a database that is open, as somebody copies them who does not know better."""
    folder.mkdir()
    for end in ends:
        path = Path(make_url(file).database or "")
        shutil.copy(path.with_name(path.name + end), folder)
    return readable(folder)


def test_a_folder_that_cannot_be_written_is_read(file: str, tmp_path: Path) -> None:
    """After its service ended, and as a copy of a running one's files; never half of them."""
    with open_database(file) as engine, closing(Ledger(engine, KEY, CHAIN)) as ledger:
        ledger.write(entries(COUNT))
        whole = copy_of(file, tmp_path / "whole", "", "-wal", "-shm")
        half = copy_of(file, tmp_path / "half", "", "-wal")
    clean = copy_of(file, tmp_path / "clean", "")
    with being(NOBODY):
        for folder in (clean, whole):
            before = digests(folder)
            check(f"sqlite:///{folder}/records.db")
            assert before == digests(folder)
        with (
            pytest.raises(RecordsError, match="holds what is not in the database yet"),
            reading(f"sqlite:///{half}/records.db"),
        ):
            pass


def test_what_is_written_while_it_is_read_without_locks_is_told(file: str) -> None:
    """Rather than half of it."""
    with open_database(file) as engine, closing(Ledger(engine, KEY, CHAIN)) as ledger:
        ledger.write(entries(COUNT))
    with (
        pytest.raises(RecordsError, match="were written while they were read"),
        reading(file),
        open_database(file) as engine,
        closing(Ledger(engine, KEY, LATER)) as ledger,
    ):
        ledger.write(entries(1, 50))


@pytest.mark.parametrize("made", ["nothing", "empty", "no tables", "folder", "newer"])
def test_what_are_no_records_is_a_sentence(file: str, tmp_path: Path, made: str) -> None:
    """And is left as it was."""
    database = tmp_path / "records.db"
    if made == "empty":
        database.touch()
    elif made == "folder":
        database.mkdir()
    elif made == "no tables":
        with closing(sqlite3.connect(database)) as other:
            other.execute("CREATE TABLE x (y)")
    elif made == "newer":
        with open_database(file) as engine, engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = sorted(tmp_path.iterdir())
    for way in (reading, lambda url: open_database(url, fresh=False)):
        with pytest.raises(RecordsError) as refused, way(file):
            pass
        assert str(refused.value).isprintable()
    assert {*before, tmp_path / "records.lock"} >= set(tmp_path.iterdir())


def test_a_database_without_a_log_is_read_without_files_beside_it(file: str) -> None:
    """And one that is being written, by its locks."""
    path = Path(make_url(file).database or "")
    with open_database(file), unchanged(path) as mode:
        assert "ro" == mode
    with unchanged(path) as mode:
        assert "immutable" == mode
