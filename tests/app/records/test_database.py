"""The database: made at the first start, refused where it cannot be right."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url

from app.errors import RecordsError
from app.records.address import database_at, url_of
from app.records.database import open_database, reading
from app.records.ledger import Ledger
from app.records.schema import HEAD
from app.records.tables import metadata
from app.records.verification import verify
from tests.app.records.conftest import CHAIN, KEY, entries
from tests.postgres import Server
from tests.service import ROOT, environment

HOLD = (
    "import sys, time; from app.records.database import open_database\n"
    "with open_database(sys.argv[1]): print('open', flush=True); sys.stdin.read()"
)


def test_migrations_make_what_the_code_knows(engine: Engine) -> None:
    """No difference between the tables of the last migration and those of the code.

    Which is the last one is known without looking for it.
    """
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert [] == compare_metadata(context, metadata)
        assert HEAD == context.get_current_revision()


def test_a_second_start_finds_what_the_first_wrote(url: str) -> None:
    """Migrations that ran are not run again."""
    with open_database(url) as engine, engine.begin() as connection:
        connection.execute(text("INSERT INTO replies VALUES ('k', 'r', 1, 'p', 'c')"))
    with open_database(url) as engine, engine.connect() as connection:
        assert 1 == connection.scalar(text("SELECT count(*) FROM replies"))


def test_what_is_committed_survives_and_what_is_erased_does_not(file: str) -> None:
    """Write-ahead log, synced at each commit, erased bytes overwritten."""
    with open_database(file) as engine, engine.connect() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "secure_delete")
        ]
    assert ["wal", 2, 1] == found


def test_a_newer_database_is_refused(url: str) -> None:
    """Whoever goes back to an older Dubito is told, and nothing is changed."""
    with open_database(url) as engine, engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(RecordsError, match="newer Dubito made the records"), open_database(url):
        pass


def test_a_second_process_is_refused(file: str) -> None:
    """While one process writes no other may; afterwards it may."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, file],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert b"open\n" == process.stdout.readline()
        with (
            pytest.raises(RecordsError, match="another process writes the records"),
            open_database(file),
        ):
            pass
        with reading(file):
            pass
        process.communicate()
    with open_database(file):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file is in the way."""
    (tmp_path / "state").write_text("")
    with (
        pytest.raises(RecordsError, match="state"),
        open_database(url_of(None, tmp_path / "state" / "inner")),
    ):
        pass


@pytest.mark.parametrize("url", ["nonsense", "postgresql+nodriver://x/y", "sqlite:////dev/null/x"])
def test_a_database_that_cannot_be_opened_is_one_sentence(url: str) -> None:
    """It is the URL of nothing, its driver is unknown, or there is no such place."""
    with pytest.raises(RecordsError), open_database(url):
        pass


def test_what_is_no_database_is_one_sentence(tmp_path: Path, file: str) -> None:
    """A file of other content is not touched."""
    other = tmp_path / "records.db"
    other.write_bytes(b"no database" * 1000)
    with pytest.raises(RecordsError, match="not a database"), open_database(file):
        pass
    assert b"no database" * 1000 == other.read_bytes()


def test_urls_are_told_apart() -> None:
    """SQLite's is the one that a single process must hold."""
    assert not database_at(url_of(None, Path("var"))).is_shared
    assert database_at("postgresql+psycopg://localhost/dubito").is_shared
    assert "postgresql+psycopg://x" == str(url_of("postgresql://x", Path("var")))


def test_without_a_driver_s_name_postgresql_is_reached(server: Server) -> None:
    """By the driver that Dubito brings."""
    with server.database() as url, open_database(url.replace("+psycopg", "")) as engine:
        assert "psycopg" == engine.dialect.driver


def test_what_is_committed_is_on_the_disk_of_postgresql(server: Server) -> None:
    """Also where the database says otherwise; a stricter word of its own stands."""
    with server.database() as url:
        name = make_url(url).database
        for set_to, found in (("off", "on"), ("remote_apply", "remote_apply")):
            server.run(f"ALTER DATABASE {name} SET synchronous_commit = {set_to}")
            with open_database(url) as engine, engine.connect() as connection:
                assert found == connection.scalar(text("SHOW synchronous_commit"))
                assert "5s" == connection.scalar(text("SHOW lock_timeout"))


def test_several_start_at_once(server: Server) -> None:
    """One of them makes the tables, and all begin a chain; none is told of a fault."""
    with server.database() as url:

        def start(number: int) -> int:
            with (
                open_database(url) as engine,
                closing(Ledger(engine, KEY, CHAIN[:-1] + str(number))) as one,
            ):
                return sum(one.write(entries(5, 10 * number)))

        with ThreadPoolExecutor(6) as threads:
            assert [5] * 6 == list(threads.map(start, range(6)))
        with open_database(url) as engine, engine.connect() as connection:
            verdict = verify(connection, KEY, {})
    assert (30, 6, ()) == (verdict.events, len(verdict.heads), verdict.faults)
