"""Figures over time over HTTP: what they say, how they are kept, and who listens."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import numpy as np
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, create_engine, event
from starlette.testclient import TestClient

from app import recorded_parts
from app.http import statistics as route
from app.http.statistics_models import UncertaintyFigures
from app.main import create_app
from app.monitoring import monitor
from app.monitoring.log_bins import bounds, place
from app.records.address import url_of
from app.records.tables import events, marks
from app.settings import Settings
from dubito.bundles.validation.inspection import inspect
from dubito.inputs.rows import example
from dubito.loans.columns import LAYOUT
from dubito.training.data import read_table
from dubito.training.split import split_rows
from dubito.types import Floats
from dubito.uncertainty.bins import bins_of
from dubito.uncertainty.calibration import expected_calibration_error
from dubito.uncertainty.drift import drift
from tests.service import ROOT, serving, until

Loan = dict[str, float | None]
CLASSES = "ABCDEFG"
MANIFEST = inspect(ROOT / "models" / "loan-grade" / "4").manifest
NAMES = MANIFEST.signature.names
TARGET = 0.03
"""The bundle's own promise."""
QUERIES = ("", "/mc", "/mc?seed=7", "/mc?passes=30", "/mc?passes=auto", "/mc?target=0.05")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are read whenever somebody asks, and streams look often."""
    monkeypatch.setattr(monitor, "KEPT_SECONDS", -1.0)
    monkeypatch.setattr(route, "KEPT_SECONDS", 0.02)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(models=ROOT / "models", version=4, state=tmp_path)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(
        create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        yield client


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One for tests that change nothing."""
    state = tmp_path_factory.mktemp("state")
    settings = Settings(models=ROOT / "models", version=4, state=state)
    with TestClient(
        create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        yield client


@pytest.fixture(scope="module")
def loans() -> list[Loan]:
    """Real ones that nothing was fitted on; some with an income that nobody has."""
    table = read_table(None, LAYOUT)
    held_out = table.where(split_rows(table.labels, 0).test).features[:240].tolist()
    found = [dict(zip(NAMES, map(number, row), strict=True)) for row in held_out]
    return [loan | ({} if at % 11 else {"annual_income": 9e8}) for at, loan in enumerate(found)]


def number(value: float) -> float | None:
    return None if value != value else int(value) if value.is_integer() else value


def ask(client: TestClient, loans: list[Loan]) -> list[str]:
    """120 rows alone and in lists, with all kinds of options; returns their identifiers."""
    found = []
    for at, query in enumerate(QUERIES):
        rows = loans[20 * at : 20 * at + 20]
        bodies: list[Any] = [*rows[:4], {"instances": rows[4:]}]
        for body in bodies:
            answer = client.post(f"/predict{query}", json=body)
            assert 200 == answer.status_code, answer.text
            told = answer.json()
            found += [row["id"] for row in told.get("predictions", [told])]
    return found


def come_out(client: TestClient, identifiers: list[str], seed: int) -> None:
    """Note how some of them came out, often as graded."""
    random = np.random.default_rng(seed)
    for identifier in identifiers[::2]:
        graded = client.get(f"/predictions/{identifier}").json()["answer"]["grade"]
        grade = graded if random.random() < 0.6 else str(random.choice(list(CLASSES)))
        route = f"/predictions/{identifier}/outcome"
        assert 200 == client.put(route, json={"grade": grade}).status_code


def counted(client: TestClient, rows: int) -> Any:
    """Figures once they count so many rows: a read that already runs is shared, and is older."""
    end = time.monotonic() + 10
    while (found := told(client))["total"]["rows"] != rows and time.monotonic() < end:
        time.sleep(0.05)
    assert rows == found["total"]["rows"]
    return found


def told(client: TestClient, query: str = "") -> Any:
    answer = client.get(f"/uncertainty{query}")
    assert 200 == answer.status_code
    UncertaintyFigures.model_validate(answer.json(), strict=True)
    return answer.json()


Records = list[tuple[dict[str, Any], dict[str, float | None], str | None]]


def recorded(state: Path) -> Records:
    """The body, the features and the outcome of each prediction, from the events themselves."""
    engine = create_engine(url_of(None, state))
    with engine.connect() as connection:
        rows = connection.execute(events.select()).all()
    engine.dispose()
    known = {row.prediction: json.loads(row.body)["grade"] for row in rows if row.kind == "outcome"}
    return [
        (json.loads(row.body), json.loads(row.personal)["features"], known.get(row.prediction))
        for row in rows
        if row.kind == "prediction"
    ]


def check_answers(total: Mapping[str, Any], records: Records) -> None:
    """Compare figures of answers with the answers."""
    answers = [body["answer"] for body, _, _ in records]
    doubted = [one for one in answers if "mean" in one]
    decisions = [one["decision"] for one in doubted]
    assert len(answers) == total["rows"]
    assert sum(one["passes"] for one in doubted) == total["passes"]
    grades = Counter(one["grade"] for one in answers)
    assert {name: grades[name] for name in CLASSES} == total["grades"]
    actions = Counter(one["action"] for one in decisions)
    assert (actions["automate"], actions["refer"]) == (total["automated"], total["referred"])
    assert actions["refer"] / len(decisions) == total["referral_rate"]
    assert Counter(reason for one in decisions for reason in one["reasons"]) == total["reasons"]
    sizes = Counter(str(len(one["prediction_set"]["grades"])) for one in doubted)
    assert sizes == total["set_sizes"]
    warnings = Counter(one["kind"] for body, _, _ in records for one in body["warnings"])
    assert warnings == total["warnings"]
    for name in ("predictive_entropy", "mutual_information"):
        values = [one["uncertainty"][name] for one in doubted]
        for level, quantile in total[name].items():
            exact = float(np.quantile(values, float(level), method="inverted_cdf"))
            low, high = bounds(place(exact), np.log(7))
            assert low <= quantile <= high


def check_outcomes(found: Mapping[str, Any], records: Records) -> None:
    """Compare figures of outcomes with the answers whose truth is known."""
    known = [(body["answer"], grade) for body, _, grade in records if grade is not None]
    right = [answer["grade"] == grade for answer, grade in known]
    assert (len(known), np.mean(right)) == (found["known"], found["accuracy"])
    doubted = [(answer, CLASSES.index(grade)) for answer, grade in known if "mean" in answer]
    mean = np.array([list(answer["mean"].values()) for answer, _ in doubted])
    labels = np.array([label for _, label in doubted])
    assert expected_calibration_error(mean, labels) == pytest.approx(found["ece"], abs=2e-6)
    assert len(doubted) == sum(one["rows"] for one in found["reliability"])
    wrong = mean.argmax(axis=1) != labels
    assert wrong.mean() == pytest.approx(found["risk_coverage"][-1]["risk"])
    of = np.array([is_automated(answer["decision"]) for answer, _ in doubted])
    assert {"promised": TARGET, "wrong": wrong[of].mean(), "rows": of.sum()} == found["automated"]


def is_automated(decision: Mapping[str, Any]) -> bool:
    is_promised: bool = decision["guaranteed"] and decision["target"] == TARGET
    return is_promised and decision["action"] == "automate"


def check_drift(found: Mapping[str, Any], records: Records) -> None:
    """Compare drift with the recorded features."""
    streams = bins_of(MANIFEST.signature, MANIFEST.calibration)
    assert (len(records), list(streams)) == (
        found["rows"],
        [one["feature"] for one in found["features"]],
    )
    for one in found["features"][:-1]:
        values = column(records, one["feature"])
        bins = streams[one["feature"]]
        seen = np.bincount(bins.indices(values), minlength=bins.size)
        expected = drift(bins, dict(enumerate(seen.tolist())))
        assert (len(records), expected.missing, expected.psi, expected.p_value) == (
            one["rows"],
            one["missing"],
            one["psi"],
            one["p_value"],
        )


def column(records: Records, name: str) -> Floats:
    values = [features[name] for _, features, _ in records]
    return np.array([np.nan if value is None else value for value in values])


def test_figures_are_those_of_the_recorded_events(settings: Settings, loans: list[Loan]) -> None:
    """Also after a restart, whose counts are added to those of the process before it."""
    for run in range(2):
        with TestClient(
            create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
        ) as client:
            come_out(client, ask(client, loans[120 * run :]), run)
            found = told(client, "?window=6h&step=1h")
            records = recorded(settings.state)
            assert (run + 1) * 120 == len(records)
            check_answers(found["total"], records)
            check_outcomes(found["outcomes"], records)
            check_drift(found["drift"], records)
            doubted = [body["answer"] for body, _, _ in records if "mean" in body["answer"]]
            expected = np.mean([one["mean"][one["grade"]] for one in doubted])
            assert expected == pytest.approx(found["estimate"]["accuracy"], abs=1e-6)
            # Of requests without a seed and with as many passes as calibrated: one row each.
            assert (run + 1) * 5 * 2 == found["drift"]["features"][-1]["rows"]
            assert len(records) == sum(step["rows"] for step in found["steps"])
            assert MANIFEST.identity.digest == found["model"]["digest"]


def test_replays_and_corrections_are_no_answers(client: TestClient, loan: Loan) -> None:
    """They change no figure."""
    identifier = client.post("/predict/mc", json=loan).json()["id"]
    before = counted(client, 1)
    for action in ("replay", "what-if"):
        address = f"/predictions/{identifier}/{action}"
        assert 200 == client.post(address, json={"features": {}}).status_code
    assert before["total"] == told(client)["total"]


def test_an_answer_given_again_is_counted_once(client: TestClient, loan: Loan) -> None:
    """Under one key, as its record is one."""
    for _ in range(3):
        client.post("/predict/mc", json=loan, headers={"Idempotency-Key": "k"})
    counted(client, 1)
    assert 1 == told(client)["total"]["rows"]


def test_what_is_as_it_was_is_not_sent_again(client: TestClient, loan: Loan) -> None:
    """304 for a tag that still holds, alone or among others; another answer has another tag.

    It is a weak one, which holds for the same figures compressed and not.
    """
    first = client.get("/uncertainty?window=30d&step=1d")
    assert "max-age=1" == first.headers["Cache-Control"]
    tag = first.headers["ETag"]
    assert ("gzip", 'W/"') == (first.headers["Content-Encoding"], tag[:3])
    for tags in (tag, tag.removeprefix("W/"), f'"other", {tag}'):
        wanted = {"If-None-Match": tags, "Accept-Encoding": "identity"}
        again = client.get("/uncertainty?window=30d&step=1d", headers=wanted)
        assert (304, b"", tag) == (again.status_code, again.content, again.headers["ETag"])
    client.post("/predict", json=loan)
    other = client.get("/uncertainty?window=30d&step=1d", headers={"If-None-Match": tag})
    assert (200, 1) == (other.status_code, other.json()["total"]["rows"])
    assert tag != other.headers["ETag"]


def test_no_event_is_read_for_figures(client: TestClient, loan: Loan) -> None:
    """Only what was counted when the events were written, and when the newest was."""
    client.post("/predict/mc", json=loan)
    statements: list[str] = []

    def note(*arguments: Any) -> None:
        statements.append(arguments[2])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        told(client, "?window=1d&step=1m")
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    reads = [one for one in statements if one.startswith("SELECT")]
    assert reads
    of_events = {" ".join(one.split()) for one in reads if "events" in one}
    assert {"SELECT max(events.time) AS max_1 FROM events"} == of_events


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?window=2h", "window"),
        ("?step=5m", "step"),
        ("?window=", "window"),
        ("?window=1h&window=6h", "window"),
        ("?last=1h", "last"),
    ],
)
@pytest.mark.parametrize("address", ["/uncertainty", "/uncertainty/stream"])
def test_a_window_that_there_is_not(
    lasting: TestClient, address: str, query: str, field: str
) -> None:
    """422, and the answer names the parameter."""
    answer = lasting.get(address + query)
    assert 422 == answer.status_code
    assert [field] == [one["field"] for one in answer.json()["errors"]]


def test_a_step_that_does_not_fit_is_replaced(lasting: TestClient) -> None:
    """The answer tells by which."""
    found = told(lasting, "?window=6h&step=1d")
    assert ("6h", "1h", 6) == (found["window"], found["step"], len(found["steps"]))


def test_openapi_names_both(lasting: TestClient) -> None:
    """With their windows, steps and ranges; without records neither is there."""
    paths = lasting.get("/openapi.json").json()["paths"]
    parameters = paths["/uncertainty"]["get"]["parameters"]
    found = {one["name"]: one["schema"] for one in parameters if one["in"] == "query"}
    windows = {"window": ["1h", "6h", "1d", "7d", "30d"], "step": ["1m", "10m", "1h", "1d"]}
    assert windows == {name: found[name]["enum"] for name in ("window", "step")}
    assert {"since", "until", *windows} == found.keys()
    assert ["date-time"] * 2 == [found[name]["format"] for name in ("since", "until")]
    stream = paths["/uncertainty/stream"]["get"]
    listened = {one["name"] for one in stream["parameters"] if one["in"] == "query"}
    assert windows.keys() == listened
    answered = stream["responses"]
    assert ["text/event-stream"] == list(answered["200"]["content"])
    off = Settings(models=ROOT / "models", version=4, records="off")
    with TestClient(create_app(off), client=("127.0.0.1", 50_000)) as other:
        assert 404 == other.get("/uncertainty").status_code
        assert 404 == other.get("/uncertainty/stream").status_code
        assert not any("uncertainty" in path for path in other.get("/openapi.json").json()["paths"])


def test_alarms_that_cannot_be_looked_at_are_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Again and again in the log, in a line without any figure; all the rest goes on."""
    with TestClient(create_app(settings), client=("127.0.0.1", 50_000)):
        pass
    engine = create_engine(url_of(None, settings.state))
    name = f"watch:{MANIFEST.identity.digest}"
    with engine.begin() as connection:
        garbage = {"name": name, "position": 60, "content": b'{"drift": 94827.5163}'}
        connection.execute(marks.insert().values(garbage))
    engine.dispose()
    monkeypatch.setattr(recorded_parts, "LOOK_SECONDS", 0.05)
    with TestClient(
        create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        until(lambda: caplog.text.count("a periodic task failed") >= 2)
        assert ["drift", "validity"] == [alarm["name"] for alarm in told(client)["alarms"]]
    assert "94827" not in caplog.text


# Ranges of one's own.

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
BEFORE = "2026-11-02T11:00:00Z"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"since": BEFORE}, "until"),
        ({"until": BEFORE}, "since"),
        ({"since": BEFORE, "until": BEFORE}, "until"),
        ({"since": "2026-11-02T20:00:00+09:00", "until": BEFORE}, "until"),
        ({"since": "2025-09-28T10:59:59Z", "until": BEFORE}, "until"),
        ({"since": BEFORE, "until": "2026-11-02T12:00:00Z", "window": "1h"}, "window"),
        ({"since": BEFORE, "until": "2026-11-02T12:00:00Z", "step": "2h"}, "step"),
        ({"since": BEFORE, "until": "2026-11-02T12:00:00"}, "until"),
        ({"since": "2026-11-02", "until": BEFORE}, "since"),
        ({"since": "2026-02-30T11:00:00Z", "until": BEFORE}, "since"),
        ({"since": "0001-01-01T00:00:00+14:00", "until": BEFORE}, "since"),
        ({"since": "1793617200", "until": BEFORE}, "since"),
        ({"since": BEFORE, "until": "9999-12-31T23:59:59Z"}, "until"),
        ({"since": "", "until": BEFORE}, "since"),
    ],
)
def test_a_range_that_there_is_not(lasting: TestClient, query: dict[str, str], field: str) -> None:
    """422, and the answer names the parameter."""
    answer = lasting.get("/uncertainty", params=query)
    assert 422 == answer.status_code
    assert [field] == [one["field"] for one in answer.json()["errors"]]


def test_a_stream_takes_no_range(lasting: TestClient) -> None:
    """It tells of windows, which go on; both bounds are refused by their names."""
    query = {"since": BEFORE, "until": "2026-11-02T12:00:00Z"}
    answer = lasting.get("/uncertainty/stream", params=query)
    assert 422 == answer.status_code
    assert ["since", "until"] == [one["field"] for one in answer.json()["errors"]]


def test_the_ends_of_what_may_be_asked_are_answered(lasting: TestClient) -> None:
    """The first and the last year, and all of 400 days."""
    for begin, end, steps in (
        ("1970-01-01T00:00:00+14:00", "1970-01-01T00:00:00-14:00", 28),
        ("2999-12-31T00:00:00-12:00", "2999-12-31T23:59:59.999999999-12:00", 144),
        ("2025-09-28T11:00:00Z", BEFORE, 400),
    ):
        answer = lasting.get("/uncertainty", params={"since": begin, "until": end})
        assert (200, steps) == (answer.status_code, len(answer.json()["steps"]))


def test_a_range_has_what_its_minutes_have(client: TestClient, loan: Loan) -> None:
    """Named by times of any zone; its window is null."""
    for _ in range(3):
        client.post("/predict/mc", json=loan)
    usual = counted(client, 3)
    zone = timezone(timedelta(hours=9))
    now = datetime.now(zone).replace(microsecond=0)
    bounds = (now - timedelta(minutes=30), now + timedelta(minutes=1))
    query = "&".join(
        f"{name}={quote(at.isoformat())}"
        for name, at in zip(("since", "until"), bounds, strict=True)
    )
    found = told(client, f"?{query}")
    assert (None, "1m") == (found["window"], found["step"])
    start, end = (datetime.fromisoformat(found[name]) for name in ("start", "end"))
    assert start <= bounds[0] < start + timedelta(minutes=1)
    assert end - timedelta(minutes=1) < bounds[1] <= end
    assert 3 == found["total"]["rows"]
    assert usual["total"] == found["total"]
    assert usual["outcomes"] == found["outcomes"]


# The service itself.


def test_requests_are_told_by_status(settings: Settings, loan: Loan) -> None:
    """Beside a count of the same; those by which it is watched are none, a restart keeps all."""
    seen, graded = Counter[str](), Counter[str]()
    for _ in range(2):
        with TestClient(
            create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
        ) as client:
            for path, body in (
                *[("/predict", loan), ("/predict/mc", loan)] * 3,
                *[("/predict/mc?passes=0", loan), ("/predict", {})],
            ):
                status = str(client.post(path, json=body).status_code)
                seen[status] += 1
                graded[status] += 1
            for path in ("/model", "/nowhere", "/metrics", "/health/ready", "/uncertainty"):
                status = str(client.get(path).status_code)
                seen[status] += path in ("/model", "/nowhere")
    with TestClient(
        create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        found = told(client)
    assert {"200": 14, "404": 2, "422": 4} == found["service"]["statuses"] == seen
    assert (20, 0, 0, 6) == tuple(
        found["service"][name] for name in ("requests", "errors", "refused", "invalid")
    )
    assert {"200": 12, "422": 4} == found["service"]["grading"]["statuses"] == graded
    assert 20 == sum(one["service"]["requests"] for one in found["steps"])
    for name in ("0.5", "0.95", "0.99"):
        assert 0 < found["service"]["latency"][name] < 5


def test_how_it_stands_now_is_told(
    client: TestClient, loan: Loan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest record, the queue, and what readiness says."""
    assert (None, 0, None) == standing(client)
    before = datetime.now(UTC)
    client.post("/predict/mc", json=loan)
    newest, *_ = standing(client)
    assert before <= datetime.fromisoformat(newest) <= datetime.now(UTC)
    said = property(lambda _: "it stands still")
    monkeypatch.setattr("app.serving.predictor.Predictor.trouble", said)
    monkeypatch.setattr("app.serving.predictor.Predictor.backlog", property(lambda _: 700))
    assert (newest, 700, "it stands still") == standing(client)
    assert "it stands still" == client.get("/health/ready").json()["detail"]


def standing(client: TestClient) -> tuple[Any, ...]:
    found = told(client)["service"]
    return tuple(found[name] for name in ("last_record", "queue", "trouble"))


# Who listens.


class Listener:
    """A client of a stream, as an ASGI server would have it."""

    def __init__(self, app: FastAPI, query: str = "") -> None:
        self.status = 0
        self.parts: asyncio.Queue[bytes] = asyncio.Queue()
        self._gone = asyncio.Event()
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/uncertainty/stream",
            "query_string": query.encode(),
            "headers": [(b"host", b"127.0.0.1")],
        }
        self.exchange = asyncio.create_task(app(scope, self._receive, self._send))

    async def event(self) -> Any:
        """The next figures."""
        async with asyncio.timeout(5):
            while b"data: " not in (part := await self.parts.get()):
                pass
        return json.loads(part.partition(b"data: ")[2])

    async def leave(self) -> None:
        self._gone.set()
        async with asyncio.timeout(5):
            await self.exchange

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            await self.parts.put(message["body"])


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[tuple[FastAPI, httpx2.AsyncClient]]:
    """The service, and a client of it that does not listen."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield app, client


def test_a_stream_tells_what_changes(
    settings: Settings, loan: Loan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First what is, then the same as a poll says whenever that changes, and nothing twice."""
    monkeypatch.setattr(recorded_parts, "WRITE_SECONDS", 3_600)

    async def listen() -> None:
        async with running(settings) as (app, client):
            listener = Listener(app, "window=30d&step=1d")
            assert 0 == (await listener.event())["total"]["rows"]
            for rows in (1, 2):
                await asyncio.sleep(0.2)
                assert listener.parts.empty()
                await client.post("/predict/mc", json=loan)
                # Before the rows there may be a queue that has something in it.
                while (found := await listener.event())["total"]["rows"] < rows:
                    pass
                assert rows == found["total"]["rows"]
                assert found == (await client.get("/uncertainty?window=30d&step=1d")).json()
            await listener.leave()

    asyncio.run(listen())


def test_a_stream_ends_with_the_service(settings: Settings) -> None:
    """Once it is not ready any more, whole and without an error."""

    async def listen() -> None:
        async with running(settings) as (app, _):
            listener = Listener(app)
            await listener.event()
            app.state.ready = False
            async with asyncio.timeout(2):
                await listener.exchange
            assert b"" == listener.parts.get_nowait()

    asyncio.run(listen())


def test_a_silent_stream_says_that_it_is_there(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a comment now and then, so that nobody in between takes it for dead."""
    monkeypatch.setattr(route, "SILENCE", 0.1)

    async def listen() -> None:
        async with running(settings) as (app, _):
            listener = Listener(app, "window=30d&step=1d")
            await listener.event()
            async with asyncio.timeout(5):
                assert (await listener.parts.get()).startswith(b":")
            await listener.leave()

    asyncio.run(listen())


def test_no_more_listen_than_is_allowed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if all come at once; whoever leaves makes room."""
    monkeypatch.setattr(route, "MOST_LISTENERS", 3)

    async def listen() -> None:
        async with running(settings) as (app, _):
            for _ in range(2):
                listeners = [Listener(app) for _ in range(7)]
                await asyncio.gather(*(one.parts.get() for one in listeners))
                assert [200] * 3 + [503] * 4 == sorted(one.status for one in listeners)
                assert 4 == sum(one.exchange.done() for one in listeners)
                await asyncio.gather(*(one.leave() for one in listeners))

    asyncio.run(listen())


def test_a_service_with_listeners_ends_at_once() -> None:
    """A real one, after SIGTERM: streams are ended whole, and its exit code is 0."""
    loan = example(inspect(ROOT / "models" / "loan-grade" / "1").manifest.signature)
    with (
        serving("loan-grade/1", "--drain-seconds", "0.2") as real,
        contextlib.ExitStack() as stack,
    ):
        answers = []
        for _ in range(3):
            connection = http.client.HTTPConnection("127.0.0.1", real.port, timeout=20)
            stack.callback(connection.close)
            connection.request("GET", "/uncertainty/stream")
            answers.append(connection.getresponse())
        assert [0, 0, 0] == [rows_of(answer) for answer in answers]
        other = http.client.HTTPConnection("127.0.0.1", real.port, timeout=20)
        stack.callback(other.close)
        other.request("POST", "/predict", json.dumps(loan), {"Content-Type": "application/json"})
        assert 200 == other.getresponse().status
        assert [1, 1, 1] == [rows_of(answer) for answer in answers]
        began = time.monotonic()
        os.kill(real.process.pid, signal.SIGTERM)
        for answer in answers:
            # Without its end `http.client` raises IncompleteRead.
            answer.read()
        assert 0 == real.process.wait(20)
        assert time.monotonic() - began < 3
        assert "Traceback" not in real.written()


def rows_of(answer: http.client.HTTPResponse) -> int:
    """Of the next event."""
    while not (line := answer.readline()).startswith(b"data: "):
        assert line
    rows: int = json.loads(line[6:])["total"]["rows"]
    return rows
