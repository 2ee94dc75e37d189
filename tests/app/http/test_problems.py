"""Codes of problems: each is given where it should be, listed, put into words and documented."""

import asyncio
import json
import re
import shutil
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import httpx
import httpx2
import jsonschema_rs
import pytest
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient

from app.dashboard.asset import ASSETS
from app.errors import (
    Conflict,
    DeadlinePassed,
    DeadlinePassedRecording,
    DeadlineUnmeetable,
    EngineLost,
    NotFound,
    NotReady,
    Overloaded,
    RecordingFailed,
    RecordsUnavailable,
    TooManyWaiting,
)
from app.http import problems, statistics
from app.http.middleware import Conduct
from app.main import create_app
from app.problem_codes import ProblemCode
from app.settings import Settings
from dubito.errors import FieldCode
from tests.app.http.test_middleware import problem_of
from tests.app.http.test_reviews import erase
from tests.ensembles import ensemble_bundle
from tests.overflowing import HUGE
from tests.overflowing import publish as publish_overflowing
from tests.service import ROOT, Service, serving

Answer = httpx.Response | httpx2.Response
JSON = {"Content-Type": "application/json"}
NOBODY = "01a20b81-4528-7cce-8a01-28db29073c3c"
"""An identifier that no prediction has."""
MOST_BYTES, BODY_SECONDS, MOST_WORK = 20_000, 0.2, 100_000
WORDS = {"name": "kim", "note": ""}
SAID = {"grade": "A", "note": "", "reviewer": "kim"}
UNSEEN = {FieldCode.NOT_VALID}
"""For kinds of error that Pydantic may have tomorrow."""
WORD = re.compile(r'^  "fault\.(field\.)?(\w+)": "(.*)",$', re.MULTILINE)
ROW = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)
BOUND = re.compile(r"\{(minimum|maximum|limit)\b")


@dataclass(frozen=True, slots=True)
class Stage:
    """A service in this process that records, and what it has recorded."""

    client: TestClient
    settings: Settings
    loan: dict[str, Any]
    identifier: str

    def predict(self, body: Any = None, query: str = "", **headers: str) -> Answer:
        found = self.loan if body is None else body
        return self.client.post(f"/predict{query}", json=found, headers=headers)

    def send(self, content: bytes, **headers: str) -> Answer:
        return self.client.post("/predict", content=content, headers=JSON | headers)

    def case(self, method: str, rest: str = "", body: Any = None, **headers: str) -> Answer:
        address = f"/predictions/{self.identifier}{rest}"
        return self.client.request(method, address, json=body, headers=headers)

    def at_once(self, count: int, **headers: str) -> list[Answer]:
        """The answers to several requests that arrive together, in the service's own loop."""

        async def ask() -> list[Answer]:
            transport = httpx2.ASGITransport(self.client.app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as one:
                post = partial(one.post, "/predict", json=self.loan, headers=headers)
                return list(await asyncio.gather(*(post() for _ in range(count))))

        assert self.client.portal is not None
        return self.client.portal.call(ask)


Way = Callable[[Stage], Answer]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    settings = Settings(
        models=ROOT / "models",
        state=tmp_path_factory.mktemp("state"),
        max_body_bytes=MOST_BYTES,
        body_seconds=BODY_SECONDS,
        max_work=MOST_WORK,
    )
    loan = {
        "loan_amount": 12000,
        "annual_income": 96000,
        "debt_to_income": 8.6,
        "total_credit_lines": 14,
        "delinq_2y": 0,
        "paid_principal": 773.87,
        "paid_interest": 126.62,
        "paid_late_fees": 0,
        "current_accounts_delinq": 0,
    }
    with TestClient(
        create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        named = {"Dubito-Reference": "case", "Idempotency-Key": "first"}
        identifier = client.post("/predict", json=loan, headers=named).json()["id"]
        yield Stage(client, settings, loan, identifier)


@pytest.fixture(scope="module")
def document(stage: Stage) -> Any:
    return stage.client.get("/openapi.json").json()


def is_listed(document: Any, answer: Answer, code: ProblemCode) -> Any:
    """The problem of a code, which is as OpenAPI says."""
    content = problem_of(answer, answer.status_code)  # type: ignore[arg-type]
    assert code == content["code"], content
    name = "InvalidProblem" if "errors" in content else "Problem"
    whole = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    jsonschema_rs.validate(whole, content)
    return content


# Problems of a service in this process.


def raising(error: Exception) -> Way:
    """A route that raises something, as what is below it would."""

    def ask(_: Stage) -> Answer:
        app = FastAPI()
        problems.install(app)
        app.add_middleware(Conduct)

        @app.get("/")
        async def route() -> None:
            raise error

        with TestClient(app, raise_server_exceptions=False, client=("127.0.0.1", 50_000)) as client:
            return client.get("/")

    return ask


def slowly(stage: Stage) -> Answer:
    """The answer to a body that never ends."""

    async def body() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(20 * BODY_SECONDS)

    async def ask() -> Answer:
        transport = httpx2.ASGITransport(stage.client.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as one:
            return await one.post("/predict", content=body(), headers=JSON)

    assert stage.client.portal is not None
    return stage.client.portal.call(ask)


def broken_off(stage: Stage) -> Answer:
    """The answer to a client that has gone, which nobody reads but a test."""
    sent: list[Any] = []
    parts = iter([{"type": "http.request", "body": b"{", "more_body": True}])

    async def receive() -> Any:
        return next(parts, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/predict", "raw_path": b"/predict"}
    rest = {"query_string": b"", "headers": [], "http_version": "1.1", "scheme": "http"}
    assert stage.client.portal is not None
    stage.client.portal.call(stage.client.app, {**scope, **rest, "root_path": ""}, receive, send)
    start, body = sent
    return httpx.Response(start["status"], headers=start["headers"], content=body["body"])


def stopping(stage: Stage) -> Answer:
    state = stage.client.app.state  # type: ignore[attr-defined]
    state.ready = False
    try:
        return stage.client.get("/health/ready")
    finally:
        state.ready = True


def listening(stage: Stage) -> Answer:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "MOST_LISTENERS", 0)
        return stage.client.get("/uncertainty/stream")


def without_its_bundle(stage: Stage) -> Answer:
    """A replay of what another version has answered that is no more there."""
    models = stage.settings.state / "models"
    shutil.copytree(stage.settings.models, models)
    old = stage.settings.model_copy(
        update={"models": models, "version": 1, "state": models / "var"}
    )
    with TestClient(
        create_app(old), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        identifier = client.post("/predict", json=stage.loan).json()["id"]
    (models / "loan-grade" / "1").rename(models / "loan-grade" / "99")
    new = old.model_copy(update={"version": 2})
    with TestClient(
        create_app(new), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        return client.post(f"/predictions/{identifier}/replay", json={})


def erased(stage: Stage) -> Answer:
    """A replay of what was erased."""
    settings = stage.settings.model_copy(update={"state": stage.settings.state / "other"})
    with TestClient(
        create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        named = {"Dubito-Reference": "case"}
        identifier = client.post("/predict", json=stage.loan, headers=named).json()["id"]
    assert 1 == erase(settings, "case")
    with TestClient(
        create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        return client.post(f"/predictions/{identifier}/replay", json={})


def differing(way: Way) -> Way:
    """The second answer where the first is good."""

    def ask(stage: Stage) -> Answer:
        first, second = way(stage), way(replace(stage, loan={"grade": "B"}))
        assert 200 == first.status_code
        return second

    return ask


def outcome(stage: Stage) -> Answer:
    return stage.case("PUT", "/outcome", {"grade": stage.loan.get("grade", "A")})


def review(stage: Stage) -> Answer:
    body = SAID | {"grade": stage.loan.get("grade", "A")}
    return stage.client.post(f"/reviews/{stage.identifier}", json=body)


WAYS: dict[ProblemCode, Way] = {
    ProblemCode.INVALID_INPUT: lambda stage: stage.predict({}),
    ProblemCode.NOT_JSON: lambda stage: stage.send(b"{"),
    ProblemCode.BODY_BROKE_OFF: broken_off,
    ProblemCode.BODY_TOO_SLOW: slowly,
    ProblemCode.BODY_TOO_LARGE: lambda stage: stage.send(b" " * (MOST_BYTES + 1)),
    ProblemCode.WRONG_MEDIA_TYPE: lambda stage: stage.send(b"{}", **{"Content-Type": "text/csv"}),
    ProblemCode.COMPRESSED: lambda stage: stage.send(b"{}", **{"Content-Encoding": "gzip"}),
    ProblemCode.RECORDS_HIDDEN: lambda stage: stage.case("GET", Via="1.1 proxy"),
    ProblemCode.UNKNOWN_HOST: lambda stage: stage.case("GET", Host="evil.example"),
    ProblemCode.OTHER_SITE: lambda stage: stage.predict(Origin="https://evil.example"),
    ProblemCode.NO_SUCH_ADDRESS: lambda stage: stage.client.get("/nowhere"),
    ProblemCode.NO_SUCH_PREDICTION: lambda stage: stage.client.get(f"/predictions/{NOBODY}"),
    ProblemCode.METHOD_NOT_ALLOWED: lambda stage: stage.client.get("/predict"),
    ProblemCode.REFUSED: raising(HTTPException(418)),
    ProblemCode.KEY_IN_USE: lambda stage: next(
        one for one in stage.at_once(2, **{"Idempotency-Key": "twice"}) if one.status_code != 200
    ),
    ProblemCode.KEY_REUSED: lambda stage: stage.predict(
        query="/mc", **{"Idempotency-Key": "first"}
    ),
    ProblemCode.OUTCOME_DIFFERS: differing(outcome),
    ProblemCode.REVIEW_DIFFERS: differing(review),
    ProblemCode.NO_SUCH_ALARM: lambda stage: stage.client.post(
        "/alarms/fire/beginning", json=WORDS
    ),
    # As other routes would tell it; `test_inference.py` has the protocol's own form.
    ProblemCode.NO_SUCH_MODEL: raising(NotFound(ProblemCode.NO_SUCH_MODEL, "there is none")),
    ProblemCode.NO_CANARY: lambda stage: stage.client.delete("/canary"),
    ProblemCode.NO_SHADOW: lambda stage: stage.client.get("/shadow"),
    ProblemCode.NOT_LOADED: raising(Conflict(ProblemCode.NOT_LOADED, "it is not loaded")),
    ProblemCode.NOT_SERVABLE: raising(Conflict(ProblemCode.NOT_SERVABLE, "it is broken")),
    ProblemCode.NOT_UNLOADED: raising(Conflict(ProblemCode.NOT_UNLOADED, "it stays")),
    ProblemCode.NOT_RAISED: lambda stage: stage.client.post(
        "/alarms/drift/acknowledgement", json=WORDS
    ),
    ProblemCode.ACKNOWLEDGED: raising(
        Conflict(ProblemCode.ACKNOWLEDGED, "the alarm is acknowledged already")
    ),
    ProblemCode.NOT_LAST: lambda stage: stage.case(
        "PUT", "/outcome", {"grade": "A", "corrects": "x.1", "why": "a slip"}
    ),
    ProblemCode.NOT_WAITING: lambda stage: stage.client.put(
        f"/reviews/{stage.identifier}/assignee", json={"reviewer": "kim"}
    ),
    ProblemCode.BUNDLE_GONE: without_its_bundle,
    ProblemCode.FEATURES_ERASED: erased,
    ProblemCode.INTERNAL_ERROR: raising(ZeroDivisionError()),
    ProblemCode.QUEUE_FULL: raising(Overloaded(1)),
    ProblemCode.DEADLINE_UNMEETABLE: raising(DeadlineUnmeetable(1)),
    ProblemCode.ENGINE_LOST: raising(EngineLost()),
    ProblemCode.CROWDED: raising(TooManyWaiting()),
    ProblemCode.UNREADY: raising(NotReady("the engine is in trouble")),
    ProblemCode.STOPPING: stopping,
    ProblemCode.UNRECORDED: raising(RecordingFailed()),
    ProblemCode.UNREADABLE: raising(RecordsUnavailable()),
    ProblemCode.TOO_MANY_LISTENERS: listening,
    ProblemCode.DEADLINE_PASSED: raising(DeadlinePassed()),
    ProblemCode.DEADLINE_PASSED_RECORDING: raising(DeadlinePassedRecording()),
}
LIMITS: dict[ProblemCode, float] = {
    ProblemCode.BODY_TOO_LARGE: MOST_BYTES,
    ProblemCode.BODY_TOO_SLOW: BODY_SECONDS,
}


@pytest.mark.parametrize("code", WAYS)
def test_a_problem_has_its_code(stage: Stage, document: Any, code: ProblemCode) -> None:
    """Each refusal has the code that OpenAPI lists, and the setting's number where there is one."""
    content = is_listed(document, WAYS[code](stage), code)
    assert LIMITS.get(code) == content["limit"]


# Problems that are told before a request is one.

URL_BYTES, HEAD_BYTES, HEADERS, HEAD_SECONDS = 100, 2_000, 12, 0.3
START = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
WIRE: dict[ProblemCode, tuple[bytes, float | None]] = {
    ProblemCode.MALFORMED_REQUEST: (b"nonsense\r\n\r\n", None),
    ProblemCode.URL_TOO_LONG: (
        b"GET /%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % (b"x" * URL_BYTES),
        URL_BYTES,
    ),
    ProblemCode.HEAD_TOO_LARGE: (START + b"X: %b\r\n\r\n" % (b"x" * HEAD_BYTES), HEAD_BYTES),
    ProblemCode.TOO_MANY_HEADERS: (START + b"X: x\r\n" * HEADERS + b"\r\n", HEADERS),
    ProblemCode.HEAD_TOO_SLOW: (START, HEAD_SECONDS),
}


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    limits = {
        "--max-url-bytes": URL_BYTES,
        "--max-header-bytes": HEAD_BYTES,
        "--max-headers": HEADERS,
        "--header-seconds": HEAD_SECONDS,
        "--max-connections": 2,
    }
    words = (str(word) for pair in limits.items() for word in pair)
    with serving("loan-grade/1", "--records", "off", *words) as found:
        yield found


def told(client: socket.socket) -> Answer:
    """The one answer on a connection, which is closed after it."""
    data = b""
    while part := client.recv(1 << 16):
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return httpx.Response(int(status.split()[1]), headers=headers, content=body)


@contextmanager
def connected(service: Service) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as client:
        yield client


@pytest.mark.parametrize("code", WIRE)
def test_a_problem_of_the_wire_has_its_code(
    service: Service, document: Any, code: ProblemCode
) -> None:
    """What is no request, or a larger one than may be, is told with a code as well."""
    sent, limit = WIRE[code]
    with connected(service) as client:
        client.sendall(sent)
        content = is_listed(document, told(client), code)
    assert limit == content["limit"]


def test_a_connection_too_many_has_its_code(service: Service, document: Any) -> None:
    """Where both places are taken by who is not idle, one more is told so."""
    with connected(service) as first, connected(service) as second:
        for busy in (first, second):
            busy.sendall(START[:20])
        time.sleep(HEAD_SECONDS / 6)
        with connected(service) as third:
            is_listed(document, told(third), ProblemCode.TOO_MANY_CONNECTIONS)
        with suppress(OSError):
            told(first)
            told(second)


# Fields.


@dataclass(frozen=True, slots=True)
class Wrong:
    """What the service says of one wrong field."""

    ask: Way
    minimum: float | None = None
    maximum: float | None = None


def changed(name: str, value: Any) -> Way:
    return lambda stage: stage.predict(stage.loan | {name: value})


def reviewed(name: str, value: Any) -> Way:
    return lambda stage: stage.client.post(f"/reviews/{NOBODY}", json=SAID | {name: value})


def queried(query: str) -> Way:
    return lambda stage: stage.predict(query=f"/mc?{query}")


def rows(count: int, query: str = "") -> Way:
    return lambda stage: stage.predict({"instances": [stage.loan] * count}, query)


def overflowing(stage: Stage) -> Answer:
    folder = stage.settings.state / "overflowing"
    folder.mkdir()
    models = publish_overflowing(folder)
    settings = Settings(models=models, model="net", records="off")
    with TestClient(
        create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        return client.post("/predict", json=HUGE)


def uneven(_: Stage) -> Answer:
    folder = ensemble_bundle("classes")
    settings = Settings(models=folder.parent.parent, model="loan-grade", records="off")
    with TestClient(
        create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        return client.post("/predict/mc?passes=100", json={})


FIELDS: dict[FieldCode, Wrong] = {
    FieldCode.MISSING: Wrong(lambda stage: stage.predict({})),
    FieldCode.UNKNOWN: Wrong(changed("other", 1)),
    FieldCode.GIVEN_TWICE: Wrong(queried("seed=1&seed=2")),
    FieldCode.NOT_A_NUMBER: Wrong(changed("loan_amount", "7")),
    FieldCode.NOT_WHOLE: Wrong(changed("delinq_2y", 0.5)),
    FieldCode.NOT_FINITE: Wrong(lambda stage: stage.send(b'{"loan_amount": NaN}')),
    FieldCode.NOT_TRUE_OR_FALSE: Wrong(queried("draws=yes")),
    FieldCode.NOT_A_TEXT: Wrong(reviewed("note", 7)),
    FieldCode.NOT_A_LIST: Wrong(lambda stage: stage.predict({"instances": {}})),
    FieldCode.NOT_AN_OBJECT: Wrong(lambda stage: stage.predict({"instances": [7]})),
    FieldCode.TOO_SMALL: Wrong(queried("passes=0"), minimum=1),
    FieldCode.TOO_LARGE: Wrong(queried("deadline_ms=999999999"), maximum=600_000),
    FieldCode.NOT_ONE_OF: Wrong(queried("target=0.77777")),
    FieldCode.WRONG_FORM: Wrong(lambda stage: stage.client.get("/reviews?after=x")),
    FieldCode.NOT_A_TIME: Wrong(lambda stage: stage.client.get("/reviews?since=now")),
    FieldCode.NOT_A_RANGE: Wrong(
        lambda stage: stage.client.get(
            "/uncertainty?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z"
        )
    ),
    FieldCode.TEXT_TOO_SHORT: Wrong(reviewed("reviewer", ""), minimum=1),
    FieldCode.TEXT_TOO_LONG: Wrong(reviewed("reviewer", "x" * 201), maximum=200),
    FieldCode.NOT_PRINTABLE: Wrong(
        lambda stage: stage.predict(**{"Idempotency-Key": "x" * 201}), minimum=1, maximum=200
    ),
    FieldCode.TOO_FEW_ITEMS: Wrong(rows(0), minimum=1),
    FieldCode.TOO_MANY_ITEMS: Wrong(
        lambda stage: stage.predict({"instances": [{}] * 1_001}), maximum=1_000
    ),
    FieldCode.TOO_MANY_MEMBERS: Wrong(
        lambda stage: stage.case(
            "POST", "/what-if", {"features": stage.loan, "x": dict.fromkeys("abcdefghij", 1)}
        )
    ),
    FieldCode.TOO_MANY_PARAMETERS: Wrong(queried("&".join(["seed=1"] * 21)), maximum=20),
    FieldCode.TOO_MUCH_WORK: Wrong(rows(11, "/mc?passes=10000"), maximum=MOST_WORK),
    FieldCode.TOO_MANY_DRAWS: Wrong(rows(2, "/mc?passes=10000&draws=true"), maximum=100_000),
    FieldCode.OVERFLOWS: Wrong(overflowing),
    FieldCode.NOT_A_MULTIPLE: Wrong(uneven),
}


@pytest.mark.parametrize("code", FIELDS)
def test_a_wrong_field_has_its_code(stage: Stage, document: Any, code: FieldCode) -> None:
    """Each field has the code that OpenAPI lists, with the bounds that its sentence needs."""
    wrong = FIELDS[code]
    content = is_listed(document, wrong.ask(stage), ProblemCode.INVALID_INPUT)
    error = next(one for one in content["errors"] if one["code"] == code)
    assert (wrong.minimum, wrong.maximum) == (error["minimum"], error["maximum"])


def test_bounds_are_the_bundles(stage: Stage) -> None:
    """A value beyond a feature's range is told the range's end, and never itself."""
    model = stage.client.get("/model").json()
    for feature in model["features"]:
        for end, value in (("minimum", -9.5e300), ("maximum", 9.5e300)):
            answer = stage.predict(stage.loan | {feature["name"]: value})
            (error,) = answer.json()["errors"]
            assert feature[end] == error[end]
            assert "9.5" not in answer.text


# All codes.


def test_every_code_is_provoked() -> None:
    """No code is left out above."""
    assert set(ProblemCode) == {*WAYS, *WIRE, ProblemCode.TOO_MANY_CONNECTIONS}
    assert set(FieldCode) - UNSEEN == set(FIELDS)


def test_openapi_lists_every_code(document: Any) -> None:
    """As one that may grow, which both kinds of problem need and give no default for."""
    parts = document["components"]["schemas"]
    for name in ("Problem", "InvalidProblem", "FieldProblem"):
        codes = FieldCode if name == "FieldProblem" else ProblemCode
        code = parts[name]["properties"]["code"]
        assert ("string", list(codes)) == (code["type"], code["x-extensible-enum"])
        assert "code" in parts[name]["required"]


@pytest.mark.parametrize("code", [*ProblemCode, *FieldCode], ids=repr)
def test_every_code_is_used(code: ProblemCode | FieldCode) -> None:
    """Somewhere in the service, or in the library that reads its input, it is given."""
    name = f"{type(code).__name__}.{code.name}"
    files = [file for package in ("app", "dubito") for file in (ROOT / package).rglob("*.py")]
    assert any(name in file.read_text(encoding="utf-8") for file in files)


@pytest.mark.parametrize("language", ["english", "korean"])
def test_every_code_has_words(language: str) -> None:
    """The page says each in its languages, with the numbers that the problem has."""
    text = (ASSETS / f"{language}.js").read_text(encoding="utf-8")
    found = WORD.findall(text)
    whole = {name: said for field, name, said in found if not field}
    fields = {name: said for field, name, said in found if field}
    assert {*ProblemCode, "general"} <= set(whole)
    assert {*FieldCode, "general"} == set(fields)
    with_limit = {*LIMITS, *(code for code, (_, limit) in WIRE.items() if limit is not None)}
    assert with_limit == {code for code in ProblemCode if BOUND.search(whole[code])}
    for code, wrong in FIELDS.items():
        bounds = {name for name in ("minimum", "maximum") if getattr(wrong, name) is not None}
        assert set(BOUND.findall(fields[code])) == bounds


def test_every_code_is_documented() -> None:
    """`docs/problems.md` has a row for each, in the order of the code."""
    text = (ROOT / "docs" / "problems.md").read_text(encoding="utf-8")
    assert [*ProblemCode, *FieldCode] == ROW.findall(text)


def test_the_documented_problem_is_the_services(stage: Stage) -> None:
    """The example of `docs/problems.md`, to which the README leads, is an answer."""
    text = (ROOT / "docs" / "problems.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    assert json.loads(shown) == stage.predict(stage.loan | {"loan_amount": -5}).json()
    assert "docs/problems.md" in (ROOT / "README.md").read_text(encoding="utf-8")
