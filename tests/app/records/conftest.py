"""Databases of records, one of either kind, and what is written to them."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from app.count_keys import Family, key
from app.record_events import Draft, Entry, Event, PlainPart, QueueItem
from app.records.address import url_of
from app.records.database import open_database
from app.records.ledger import Ledger
from dubito.answer import Answer, PlainAnswer, PlainResult
from dubito.types import Identity
from tests.postgres import MODEL, Server, serving

KEY = bytes(range(32))
CHAIN = "01a20b81-4528-7cce-8a01-000000000001"
ROWS = key(Family.ROWS)
PERSONAL = {"features": {"amount": 4711.5, "income": None}, "reference": None}


def event(number: int, reference: str | None = None) -> Event:
    """A prediction's event, with a figure that tells it from others."""
    personal = json.dumps({**PERSONAL, "number": number, "reference": reference}).encode()
    model = {"name": "loan", "version": 1, "digest": "sha256:0"}
    answer = {"grade": "A", "probabilities": {"A": 1.0}}
    told = {"endpoint": "/predict", "environment": "", "model": model, "answer": answer}
    body = json.dumps({**told, "warnings": [], "number": number}).encode()
    return Event("prediction", f"prediction-{number}", 1_000 + number, body, personal, reference)


def referral(prediction: str, time: int, doubt: float = 0.5, **changes: Any) -> QueueItem:
    """One that waits, as they are made of answers."""
    model = {"name": "loan", "version": 1, "digest": "sha256:0"}
    shown = {"grade": "A", "reasons": ["ambiguous"], "model": model}
    usual = {
        "body": json.dumps(shown).encode(),
        "grade": "A",
        "reasons": "\nambiguous\n",
        "digest": "sha256:0",
        "version": 1,
        "model": "loan",
        "reference": None,
    }
    return QueueItem(prediction, time, doubt, **{**usual, **changes})


def entries(count: int, first: int = 0) -> list[Entry]:
    return [Entry((event(number),)) for number in range(first, first + count)]


def draft(rows: int) -> Draft:
    """What a request for deterministic answers was answered; nobody makes an entry of it."""
    identity, result = Identity("shells", 3, "sha256:0"), PlainResult("A", {"A": 1.0})
    answers: list[PlainAnswer] = [Answer(f"row-{at}", result, (), identity) for at in range(rows)]
    return Draft((PlainPart(1, b"", answers),), None, None)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server with a database of empty tables, after which others are made."""
    with serving() as server:
        server.run(f"CREATE DATABASE {MODEL}")
        with open_database(server.url(MODEL)):
            pass
        yield server


@pytest.fixture
def file(tmp_path: Path) -> str:
    """The URL of a database of SQLite."""
    return url_of(None, tmp_path).render_as_string()


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a fresh database, of one kind and of the other."""
    if request.param == "SQLite":
        yield request.getfixturevalue("file")
        return
    with request.getfixturevalue("server").database(MODEL) as url:
        yield url


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    with open_database(url) as engine:
        yield engine


@pytest.fixture
def ledger(engine: Engine) -> Iterator[Ledger]:
    with closing(Ledger(engine, KEY, CHAIN)) as ledger:
        yield ledger
