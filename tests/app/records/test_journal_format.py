"""A journal of format 1, which a killed service of Dubito 0.4.0 has left, is read for ever."""

import json
import sqlite3
import tarfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from app.monitoring.event_builder import EventBuilder
from app.records.address import url_of
from app.records.database import reading
from app.records.key import read_all
from app.records.opening import writing
from app.records.table_batch import applied_by
from app.records.tables import events, replies
from app.records.waiting import reading_all
from tests.service import ROOT, command

HOME = ROOT / "tests" / "fixtures" / "journal"
CHAIN = "00000000-0000-7000-8000-000000000009"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A copy of what the service has left."""
    with tarfile.open(HOME / "state.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


@pytest.fixture(scope="module")
def answers() -> Mapping[str, Any]:
    """What was answered, by its identifier, in order."""
    found: Mapping[str, Any] = json.loads((HOME / "answers.json").read_text(encoding="utf-8"))
    return found


def upgrade(state: Path) -> None:
    """Bring the tables to the newest schema, beside the journal, as the sentence says."""
    done = command("records", "upgrade", "--state", str(state))
    assert 0 == done.returncode, done.stderr


def told(engine: Engine) -> dict[str, Any]:
    """The figures of all predictions, by their identifiers, in order."""
    asked = select(events.c.prediction, events.c.body).where(events.c.kind == "prediction")
    with engine.connect() as connection:
        rows = connection.execute(asked.order_by(events.c.prediction))
        return {one: json.loads(body)["answer"] for one, body in rows}


def expected(answers: Mapping[str, Any]) -> dict[str, Any]:
    """The same, by what was answered."""
    apart = {"id", "model", "warnings"}
    return {
        one: {name: value for name, value in answer.items() if name not in apart}
        for one, answer in answers.items()
    }


def test_it_is_read_where_it_lies(state: Path, answers: Mapping[str, Any]) -> None:
    """The tables alone lack some of the answers; with the journal all are there."""
    url = url_of(None, state)
    with reading(url) as engine:
        assert len(told(engine)) < len(answers)
    with reading_all(url, lambda: read_all(state / "records.key"), EventBuilder) as engine:
        assert expected(answers) == told(engine)


def test_what_reaches_the_tables_meanwhile_is_read_once(
    state: Path, answers: Mapping[str, Any]
) -> None:
    """A service may go on beside a command that reads: no event is there twice, and none lacks."""
    upgrade(state)
    url, key = url_of(None, state), state / "records.key"
    asked = select(events.c.prediction).where(events.c.kind == "prediction")
    with (
        # A database that nobody has open is read as one that nobody writes.
        closing(sqlite3.connect(state / "records.db")) as other,
        other,
        closing(other.execute("SELECT * FROM events")),
        reading_all(url, lambda: read_all(key), EventBuilder) as engine,
        engine.connect() as open_,
    ):
        assert sorted(answers) == sorted(open_.scalars(asked))
        open_.rollback()
        with writing(url, key, CHAIN, EventBuilder, is_journaled=True):
            assert sorted(answers) == sorted(open_.scalars(asked))


def test_a_start_adds_it_to_the_tables(state: Path, answers: Mapping[str, Any]) -> None:
    """With the response under its idempotency key; the journal is empty then."""
    upgrade(state)
    url, key = url_of(None, state), state / "records.key"
    with writing(url, key, CHAIN, EventBuilder, is_journaled=True) as records:
        assert expected(answers) == told(records.engine)
        with records.engine.connect() as connection:
            assert ["once"] == list(connection.scalars(select(replies.c.key)))
            assert applied_by(connection) > 0
    with reading(url) as engine:
        assert expected(answers) == told(engine)
