"""Every answered row is recorded before its answer leaves, and nothing else is."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, select, update
from starlette.testclient import TestClient

from app.main import create_app
from app.record_events import MICROSECONDS, now
from app.records.address import url_of
from app.records.key import FILE, read_key
from app.records.tables import events, replies
from app.records.verification import verify
from app.settings import Settings
from tests.service import ROOT, until

DAY = 86_400 * MICROSECONDS
JSON = {"Content-Type": "application/json"}
Loan = dict[str, float | None]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "var"


@pytest.fixture
def client(state: Path) -> Iterator[TestClient]:
    settings = Settings(models=ROOT / "models", version=1, state=state)
    with TestClient(
        create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        yield client


def recorded(state: Path) -> list[Any]:
    """What the database holds, read from beside the service."""
    engine: Engine = create_engine(url_of(None, state))
    with engine.connect() as connection:
        found = connection.execute(select(events).order_by(events.c.sequence)).all()
        told = verify(connection, read_key(state / FILE), {}).faults
    engine.dispose()
    assert () == told
    return list(found)


def test_an_answer_is_there_before_it_leaves(client: TestClient, state: Path, loan: Loan) -> None:
    """With all that is needed to repeat and to explain it; what is personal stands apart."""
    headers = {**JSON, "Dubito-Reference": "case 7"}
    asked = "/predict/mc?passes=60&seed=5"
    answer = client.post(asked, json=loan | {"loan_amount": 4711e6}, headers=headers).json()
    (row,) = recorded(state)
    body, personal = json.loads(row.body), json.loads(row.personal)
    assert ("prediction", answer["id"], "case 7") == (row.kind, row.prediction, row.reference)
    assert {"features": loan | {"loan_amount": 4711e6}, "reference": "case 7"} == personal
    members = {"id", "model", "warnings"}
    assert {key: answer[key] for key in answer.keys() - members} == body["answer"]
    assert answer["model"] == body["model"]
    assert "/predict/mc" == body["endpoint"]
    assert {"passes": 60, "tolerance": None, "degrade": False, "judged": None} == body["asked"]
    assert client.get("/model").json()["environment"]["fingerprint"] == body["environment"]
    assert ["out_of_range"] == [warning["kind"] for warning in body["warnings"]]
    assert b"4711" not in row.body


def test_every_row_of_a_list_has_a_record(client: TestClient, state: Path, loan: Loan) -> None:
    """In their order, under the identifiers they were answered with; null stays null."""
    rows = [loan | {"loan_amount": 1_000 + at, "debt_to_income": None} for at in range(40)]
    answers = client.post("/predict", json={"instances": rows}).json()["predictions"]
    found = recorded(state)
    assert [answer["id"] for answer in answers] == [row.prediction for row in found]
    assert rows == [json.loads(row.personal)["features"] for row in found]
    grades = [json.loads(row.body)["answer"]["grade"] for row in found]
    assert [answer["grade"] for answer in answers] == grades


def test_what_was_not_answered_has_no_record(client: TestClient, state: Path, loan: Loan) -> None:
    """Refused requests leave nothing."""
    assert 422 == client.post("/predict", json=loan | {"loan_amount": -1}).status_code
    assert 422 == client.post("/predict/mc?passes=0", json=loan).status_code
    assert [] == recorded(state)


@pytest.mark.parametrize("route", ["/predict", "/predict/mc"])
def test_a_key_has_one_answer(client: TestClient, state: Path, loan: Loan, route: str) -> None:
    """The same request with its key again: the same bytes, and one record."""
    headers = {**JSON, "Idempotency-Key": "k-1"}
    for body in (loan, {"instances": [loan, loan]}):
        headers["Idempotency-Key"] += "x"
        first, second = (client.post(route, json=body, headers=headers) for _ in range(2))
        assert 200 == first.status_code == second.status_code
        assert first.content == second.content
    assert 3 == len(recorded(state))


def test_a_key_survives_a_restart(state: Path, loan: Loan) -> None:
    """Another process answers with the same bytes."""
    settings, found = Settings(models=ROOT / "models", version=1, state=state), []
    for _ in range(2):
        with TestClient(create_app(settings), client=("127.0.0.1", 50_000)) as client:
            found.append(client.post("/predict/mc", json=loan, headers={"Idempotency-Key": "k"}))
    assert found[0].content == found[1].content


def test_a_key_with_another_request_is_a_conflict(client: TestClient, loan: Loan) -> None:
    """Another row, another query or another route under one key is a mistake."""
    headers = {"Idempotency-Key": "k"}
    assert 200 == client.post("/predict/mc", json=loan, headers=headers).status_code
    for route, body in (
        ("/predict/mc", loan | {"loan_amount": 1}),
        ("/predict/mc?passes=7", loan),
        ("/predict", loan),
    ):
        answer = client.post(route, json=body, headers=headers)
        assert 409 == answer.status_code
        assert "Idempotency-Key" in answer.json()["detail"]


@pytest.mark.parametrize("change", [0, 1])
def test_a_key_is_free_again_after_a_day(
    client: TestClient, state: Path, loan: Loan, change: int
) -> None:
    """The same request is answered anew, and another one is no conflict."""
    headers = {"Idempotency-Key": "nightly"}
    first = client.post("/predict", json=loan, headers=headers).json()
    # Nobody but a test sets a reply's time back.
    engine = create_engine(url_of(None, state))
    with engine.begin() as connection:
        connection.execute(update(replies).values(time=replies.c.time - DAY))
    engine.dispose()
    other = loan | {"loan_amount": 10_000 + change}
    second, third = (client.post("/predict", json=other, headers=headers) for _ in range(2))
    assert 200 == second.status_code
    assert first["id"] != second.json()["id"]
    assert second.content == third.content


@pytest.mark.parametrize("name", ["Dubito-Reference", "Idempotency-Key"])
@pytest.mark.parametrize("text", ["", "x" * 201, "a\tb"])
def test_a_header_that_cannot_be_kept_is_refused(
    client: TestClient, loan: Loan, name: str, text: str
) -> None:
    """The answer names the header."""
    answer = client.post("/predict", json=loan, headers={name: text})
    assert 422 == answer.status_code
    assert name.lower() == answer.json()["errors"][0]["field"]


def test_without_records_nothing_is_written(state: Path, loan: Loan) -> None:
    """`records=off` makes no folder."""
    settings = Settings(models=ROOT / "models", version=1, state=state, records="off")
    with TestClient(create_app(settings), client=("127.0.0.1", 50_000)) as client:
        assert 200 == client.post("/predict", json=loan).status_code
    assert not state.exists()


def test_relaxed_records_are_there_after_an_orderly_end(state: Path, loan: Loan) -> None:
    """Written behind, but not lost."""
    settings = Settings(models=ROOT / "models", version=1, state=state, records="relaxed")
    with TestClient(create_app(settings), client=("127.0.0.1", 50_000)) as client:
        answers = [client.post("/predict", json=loan).json() for _ in range(20)]
    assert [answer["id"] for answer in answers] == [row.prediction for row in recorded(state)]


def test_what_is_personal_is_forgotten_at_the_start(state: Path, loan: Loan) -> None:
    """Where a setting says after how many days; what is younger stays."""
    settings = Settings(models=ROOT / "models", version=1, state=state)
    with TestClient(create_app(settings), client=("127.0.0.1", 50_000)) as client:
        for _ in range(2):
            client.post("/predict", json=loan)
    # Nobody but a test sets an event's time back, and the chain tells of it.
    engine = create_engine(url_of(None, state))
    old = events.c.sequence == 1
    with engine.begin() as connection:
        connection.execute(update(events).where(old).values(time=now() - 3 * DAY))
    with TestClient(
        create_app(settings.model_copy(update={"retention_days": 2})), client=("127.0.0.1", 50_000)
    ):
        left = select(events.c.salt.is_not(None)).order_by(events.c.time)
        with engine.connect() as connection:
            until(lambda: connection.scalars(left).all()[:2] == [False, True])
    engine.dispose()
