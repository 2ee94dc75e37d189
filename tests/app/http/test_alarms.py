"""Alarms over HTTP: acknowledged with a name and a note, and begun anew."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from app import recorded_parts
from app.http.statistics_models import Alarm, UncertaintyFigures
from app.main import create_app
from app.monitoring import monitor
from app.record_events import Erasure, now
from app.records.address import url_of
from app.records.database import open_database, reading
from app.records.key import FILE, read_key
from app.records.key_check import start_chain
from app.records.tables import events
from app.records.verification import verify
from app.settings import Settings
from dubito.identifier import new_id
from tests.app.http.test_middleware import problem_of
from tests.raised import raise_drift
from tests.service import ROOT, until

BUNDLE = ROOT / "models" / "loan-grade" / "4"
SAID = {"name": "김 kim", "note": "prices were raised on Monday"}
ACTS = ("acknowledgement", "beginning")
PROXIED = {"X-Forwarded-For": "10.0.0.9"}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are read whenever somebody asks, and alarms are looked at often."""
    monkeypatch.setattr(monitor, "KEPT_SECONDS", -1.0)
    monkeypatch.setattr(recorded_parts, "LOOK_SECONDS", 0.05)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(models=ROOT / "models", version=4, state=tmp_path)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A service whose alarms are not raised, for tests that change nothing."""
    state = tmp_path_factory.mktemp("state")
    with serve(Settings(models=ROOT / "models", version=4, state=state)) as client:
        yield client


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """A service that knows of drift."""
    with raised(settings) as client:
        yield client


@contextmanager
def raised(settings: Settings) -> Iterator[TestClient]:
    raise_drift(settings.state, BUNDLE)
    with serve(settings) as client:
        until(lambda: alarm(client)["raised"])
        yield client


def serve(settings: Settings) -> TestClient:
    return TestClient(
        create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    )


def erase(settings: Settings) -> int:
    """Erase, as retention does, beside a service that does not run; returns of how many."""
    with open_database(url_of(None, settings.state)) as engine:
        ledger, _ = start_chain(engine, settings.state / FILE, new_id())
        with closing(ledger):
            return ledger.erase(Erasure(before=now()))


def alarm(client: TestClient, name: str = "drift", **headers: str) -> Any:
    found = client.get("/uncertainty", headers=headers).json()
    UncertaintyFigures.model_validate(found, strict=True)
    return next(one for one in found["alarms"] if one["name"] == name)


def say(client: TestClient, act: str, name: str = "drift", **changes: Any) -> httpx2.Response:
    return client.post(f"/alarms/{name}/{act}", json=SAID | changes)


def said(client: TestClient, act: str, name: str = "drift", **changes: Any) -> Any:
    answer = say(client, act, name, **changes)
    assert 200 == answer.status_code, answer.text
    Alarm.model_validate(answer.json(), strict=True)
    return answer.json()


def recorded(settings: Settings) -> list[Any]:
    """All events, of chains that verify."""
    with reading(url_of(None, settings.state)) as engine, engine.connect() as connection:
        assert () == verify(connection, read_key(settings.state / FILE), {}).faults
        return list(connection.execute(select(events).order_by(events.c.time)).all())


def test_a_raised_alarm_is_acknowledged_once(client: TestClient, settings: Settings) -> None:
    """The answer is the alarm as it is shown; who comes second is not told who was first."""
    before, other = alarm(client), alarm(client, "validity")
    assert (None, None, []) == (before["acknowledged"], before["began_at"], before["past"])
    found = said(client, "acknowledgement")
    acknowledged = found.pop("acknowledged")
    assert SAID == {name: acknowledged[name] for name in SAID}
    assert before == found | {"acknowledged": None}
    assert {**before, "acknowledged": acknowledged} == alarm(client)
    assert other == alarm(client, "validity")
    problem = problem_of(say(client, "acknowledgement", name="validity"), 409)
    assert "not raised" in problem["detail"]
    problem = problem_of(say(client, "acknowledgement", note="again"), 409)
    assert "the alarm is acknowledged already" == problem["detail"]
    (event,) = recorded(settings)
    assert "acknowledgement" == event.kind
    assert SAID == json.loads(event.personal)
    assert before["raised_at"] == json.loads(event.body)["raised_at"]


def test_begun_anew_an_alarm_keeps_what_was(settings: Settings) -> None:
    """Raised or not, as often as one likes, and after a restart."""
    with raised(settings) as client:
        before, other = alarm(client), alarm(client, "validity")
        said(client, "acknowledgement")
        first = said(client, "beginning")
        assert (False, 0, None, None) == tuple(
            first[name] for name in ("raised", "rows", "raised_at", "acknowledged")
        )
        (run,) = first["past"]
        for name in ("raised_at", "largest", "rows"):
            assert before[name] == run[name]
        assert SAID == {name: run[name] for name in SAID}
        assert (None, first["began_at"]) == (run["began_at"], run["ended_at"])
        second = said(client, "beginning", note="")
        assert run == second["past"][1]
        assert run["ended_at"] == second["past"][0]["began_at"]
        assert other == alarm(client, "validity")
        said(client, "beginning", "validity")
        assert second == alarm(client)
    with serve(settings) as again:
        until(lambda: alarm(again) == second)
    kinds = [event.kind for event in recorded(settings)]
    assert ["acknowledgement", "beginning", "beginning", "beginning"] == kinds


def test_names_are_erased_by_retention(settings: Settings) -> None:
    """What happened to the alarm stays, and nobody is named."""
    with raised(settings) as client:
        said(client, "beginning", "validity")
        shown = said(client, "beginning")
    assert 2 == erase(settings)
    nobody = dict.fromkeys(SAID)
    with serve(settings) as again:
        until(lambda: alarm(again)["past"] != [])
        assert {**shown, "past": [shown["past"][0] | nobody]} == alarm(again)
    assert {None} == {event.personal for event in recorded(settings)}


def test_whose_acknowledgement_was_erased_is_not_named(settings: Settings) -> None:
    """The alarm is acknowledged all the same."""
    with raised(settings) as client:
        shown = said(client, "acknowledgement")
    assert 1 == erase(settings)
    with serve(settings) as again:
        until(lambda: alarm(again)["acknowledged"] is not None)
        acknowledged = shown["acknowledged"] | dict.fromkeys(SAID)
        assert {**shown, "acknowledged": acknowledged} == alarm(again)
        problem_of(say(again, "acknowledgement"), 409)


def test_names_are_shown_to_whom_records_are(client: TestClient) -> None:
    """A proxy's callers see the same without them, under another tag, and cannot say anything."""
    said(client, "acknowledgement")
    said(client, "beginning")
    assert SAID["name"] == alarm(client)["past"][0]["name"]
    hidden = alarm(client, **PROXIED)
    assert alarm(client)["past"] == [hidden["past"][0] | SAID]
    tags = {client.get("/uncertainty", headers=one).headers["ETag"] for one in ({}, PROXIED)}
    assert 2 == len(tags)
    for act in ACTS:
        answer = client.post(f"/alarms/drift/{act}", json=SAID, headers=PROXIED)
        problem_of(answer, 403)


def test_alarms_are_no_predictions(client: TestClient, settings: Settings) -> None:
    """Neither shown, replayed, reviewed nor exported as such."""
    said(client, "acknowledgement")
    (event,) = recorded(settings)
    assert len(event.prediction) <= 36
    for action in ("", "/replay"):
        method = "POST" if action else "GET"
        address = f"/predictions/{event.prediction}{action}"
        problem_of(client.request(method, address), 404)
    assert 0 == client.get("/reviews").json()["waiting"]
    assert 0 == alarm(client, "validity")["rows"]


def test_of_many_at_once_none_is_lost(settings: Settings) -> None:
    """One acknowledgement, and every beginning."""
    raise_drift(settings.state, BUNDLE)

    async def race() -> tuple[list[httpx2.Response], list[httpx2.Response]]:
        app = create_app(settings)
        async with app.router.lifespan_context(app):
            transport = httpx2.ASGITransport(app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as one:

                async def all_say(act: str) -> list[httpx2.Response]:
                    address = f"/alarms/drift/{act}"
                    return await asyncio.gather(*(one.post(address, json=SAID) for _ in range(12)))

                return await all_say("acknowledgement"), await all_say("beginning")

    acknowledged, begun_anew = asyncio.run(race())
    assert [200] + [409] * 11 == sorted(answer.status_code for answer in acknowledged)
    assert [200] * 12 == [answer.status_code for answer in begun_anew]
    assert 12 == max(len(answer.json()["past"]) for answer in begun_anew)
    assert ["acknowledgement"] + ["beginning"] * 12 == [one.kind for one in recorded(settings)]


# What is refused.


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"name": ""}, {"name"}),
        ({"name": "x" * 201}, {"name"}),
        ({"name": 5, "note": None}, {"name", "note"}),
        ({"note": "x" * 4_001}, {"note"}),
        ({"alarm": "drift"}, {"alarm"}),
    ],
)
def test_what_cannot_be_noted(
    lasting: TestClient, act: str, changes: dict[str, Any], fields: set[str]
) -> None:
    """422 names what is wrong, repeats nothing of it, and nothing is noted."""
    answer = lasting.post(f"/alarms/drift/{act}", json=SAID | changes)
    assert fields == {fault["field"] for fault in problem_of(answer, 422)["errors"]}
    assert "xxx" not in answer.text
    assert [] == alarm(lasting)["past"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"name": "k", "note": ""', 400),
        (b'{"name": "k", "note": "", "name": "l"}', 422),
        (b'{"name": "\\ud800", "note": ""}', 400),
    ],
)
@pytest.mark.parametrize("act", ACTS)
def test_what_cannot_be_read(lasting: TestClient, act: str, content: bytes, status: int) -> None:
    address, headers = f"/alarms/drift/{act}", {"Content-Type": "application/json"}
    problem_of(lasting.post(address, content=content, headers=headers), status)
    problem_of(lasting.post(address, content=b"{}", headers={"Content-Type": "text/plain"}), 415)
    assert [] == alarm(lasting)["past"]


@pytest.mark.parametrize("name", ["Drift", "drift ", "both", "%00", "%F0%9F%98%80", "a" * 4_000])
def test_an_alarm_that_there_is_not(lasting: TestClient, name: str) -> None:
    """Whatever stands in the address; and options are not known."""
    for act in ACTS:
        problem_of(say(lasting, act, name), 404)
        problem_of(lasting.post(f"/alarms/drift/{act}?name=kim", json=SAID), 422)
        problem_of(lasting.get(f"/alarms/drift/{act}"), 405)


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, PROXIED]
)
def test_who_must_not_say_anything_is_refused(lasting: TestClient, headers: dict[str, str]) -> None:
    """Another name of this machine, pages of other sites, and who comes by a proxy."""
    for act in ACTS:
        problem_of(lasting.post(f"/alarms/drift/{act}", json=SAID, headers=headers), 403)
    assert [] == alarm(lasting)["past"]


def test_without_records_nothing_is_said() -> None:
    off = Settings(models=ROOT / "models", version=4, records="off")
    with serve(off) as client:
        for act in ACTS:
            problem_of(say(client, act), 404)
