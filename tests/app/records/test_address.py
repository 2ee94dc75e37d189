"""Addresses: any path is a database's, and what is none is refused without being repeated."""

import os
import traceback
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import RecordsError
from app.records.address import database_at, url_of
from app.records.database import open_database, reading
from app.records.databases.sqlite import SQLite

ODD = [
    "what?is=this/var",
    "a#b",
    "100%",
    "%41",
    "two words",
    "상태",
    "line\nbreak",
    ":memory:",
    "file:x?mode=memory",
    "a&b=c",
    "\udcff",
]
NAMES = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=60)


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("is_relative", [True, False])
def test_records_are_where_the_state_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, is_relative: bool
) -> None:
    """Whatever a path holds: it is made there and nowhere else, and read again."""
    monkeypatch.chdir(tmp_path)
    state = Path(name) if is_relative else tmp_path / name
    url = url_of(None, state)
    with open_database(url), reading(url):
        assert (state / "records.db").is_file()
    found = {path.name for _, _, names in os.walk(tmp_path) for path in map(Path, names)}
    assert {"records.db", "records.lock"} == found
    assert database_at(url).name.isprintable()


@given(NAMES)
@settings(max_examples=200)
def test_a_path_comes_back_from_its_address(name: str) -> None:
    """As the file that it names."""
    state = Path("/nowhere") / name
    database = database_at(url_of(None, state))
    assert isinstance(database, SQLite)
    assert Path(os.path.realpath(state / "records.db")) == database.file


@pytest.mark.parametrize(
    "state", [Path("x" * 300), Path("/".join(["x" * 200] * 5)), Path("/".join(["x" * 200] * 30))]
)
def test_a_path_that_is_too_long_is_a_sentence(tmp_path: Path, state: Path) -> None:
    """For the file system or for SQLite."""
    with pytest.raises(RecordsError), open_database(url_of(None, tmp_path / state)):
        pass


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite+pysqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true",
        "sqlite:///file:x?mode=memory&cache=shared&uri=true",
        "sqlite:///file::memory:",
        "sqlite:////var/x.db?mode=memory",
        "sqlite://host/x.db",
        "sqlite+aiosqlite:////var/x.db",
        "mysql://u:secret@h/x",
        "mssql+pyodbc://u:secret@h/x",
        "oracle://u:secret@h/x",
        "postgresql+asyncpg://u:secret@h/x",
        "postgresql+psycopg2://u:secret@h/x",
        "postgresql://u:secret@h:port/x",
        "postgresql://u:secret@h:99999999999/x",
        "postgres://u:secret@h/x",
        "u:secret@h/x",
        "/var/secret.db",
        "://secret",
        "\n",
    ],
)
def test_what_is_no_database_of_records_is_a_sentence(url: str) -> None:
    """Nothing of it is repeated, as it may hold a password."""
    with pytest.raises(RecordsError) as refused, open_database(url_of(url, Path("var"))):
        pass
    assert "secret" not in "".join(traceback.format_exception(refused.value))
    assert str(refused.value).isprintable()


def test_a_server_is_named_without_its_password() -> None:
    """In a sentence and in the command that dumps it."""
    url = (
        "postgresql://kim:secret@db.example:5433/loans?host=/run/pg&password=other&sslmode=require"
    )
    database = database_at(url)
    backup = database.back_up("a b")
    assert "postgresql://kim@db.example:5433/loans?host=%2Frun%2Fpg" == database.name
    assert (
        "pg_dump --format=custom '--file=records-a b.dump' --host=db.example --port=5433 "
        "--username=kim --dbname=loans" == backup.sentence.splitlines()[1]
    )
    assert not backup.is_made
    assert database.is_shared
