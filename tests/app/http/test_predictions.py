"""Recorded predictions: shown, computed again, corrected, and how they came out."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import create_engine, text
from starlette.testclient import TestClient

from app.main import create_app
from app.proxy_headers import BY_PROXIES
from app.records.address import url_of
from app.settings import Settings
from tests.calibrated import publish
from tests.service import ROOT

Loan = dict[str, float | None]
Record = Callable[[str, object], None]
ROUTES = [
    ("GET", ""),
    ("POST", "/replay"),
    ("POST", "/what-if"),
    ("PUT", "/outcome"),
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a calibrated bundle."""
    return publish(tmp_path_factory.mktemp("models")).parent.parent


@pytest.fixture
def settings(models: Path, tmp_path: Path) -> Settings:
    return Settings(models=models, state=tmp_path)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(
        create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        yield client


def ask(client: TestClient, loan: Loan, query: str = "/mc?passes=60&seed=5", **headers: str) -> Any:
    return client.post(f"/predict{query}", json=loan, headers=headers).json()


def call(client: TestClient, method: str, route: str, **kwargs: Any) -> httpx2.Response:
    if method != "GET":
        kwargs.setdefault("json", {})
    return client.request(method, route, **kwargs)


def test_a_prediction_is_shown(client: TestClient, loan: Loan) -> None:
    """With features, reference, model, environment, how it was asked for, and the answer."""
    query = "/mc?passes=auto&tolerance=0.2&coverage=0.9"
    answer = ask(client, loan | {"debt_to_income": None}, query, **{"Dubito-Reference": "case 7"})
    shown = client.get(f"/predictions/{answer['id']}").json()
    assert (answer["id"], "/predict/mc", "case 7") == (
        shown["id"],
        shown["endpoint"],
        shown["reference"],
    )
    assert loan | {"debt_to_income": None} == shown["features"]
    assert answer["model"] == shown["model"]
    elsewhere = {"id", "model", "warnings"}
    assert {name: answer[name] for name in answer.keys() - elsewhere} == shown["answer"]
    assert shown["outcome"] is None


@pytest.mark.claim("replay", test=40, proof=1_000)
def test_replays_are_identical(
    settings: Settings, loan: Loan, count: int, record_property: Record
) -> None:
    """Recorded with all options mixed and at once, replayed after a restart: the same bits."""
    queries = [
        "",
        "/mc?passes=37",
        "/mc?passes=100&coverage=0.95&method=aps",
        "/mc?passes=auto&tolerance=0.05",
        "/mc?passes=130&class_conditional=true&target=0.05",
    ]

    async def recorded() -> list[str]:
        app = create_app(settings)
        async with app.router.lifespan_context(app):
            transport = httpx2.ASGITransport(app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://x") as client:

                async def one(at: int) -> list[str]:
                    body: Any = loan | {"loan_amount": 1_000 + at}
                    many = {"instances": [body, body | {"debt_to_income": None}]}
                    route = f"/predict{queries[at % len(queries)]}"
                    answer = await client.post(route, json=many if at % 3 else body)
                    told = answer.json()
                    return [row["id"] for row in told.get("predictions", [told])]

                found = await asyncio.gather(*(one(at) for at in range(count)))
                return [identifier for part in found for identifier in part][:count]

    identifiers = asyncio.run(recorded())
    with TestClient(
        create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        told = [call(client, "POST", f"/predictions/{one}/replay").json() for one in identifiers]
    identical = sum(one["identical"] for one in told)
    record_property("figure", f"{identical} of {count} identical")
    assert [] == [one["differing"] for one in told if not one["identical"]]
    assert {0.0} == {one["largest_difference"] for one in told}
    assert count == identical


def test_a_replay_says_how_far_apart_and_why(
    client: TestClient, settings: Settings, loan: Loan
) -> None:
    """Recorded in another environment with other figures: both are told."""
    identifier = ask(client, loan)["id"]
    engine = create_engine(url_of(None, settings.state))
    with engine.begin() as connection:
        body = connection.execute(text("SELECT body FROM events")).scalar_one()
        entropy = body.index(b'"predictive_entropy":') + len(b'"predictive_entropy":')
        other = body[:entropy] + b"9" + body[entropy:]
        other = other.replace(b'"environment":"sha256:', b'"environment":"sha256:x')
        connection.execute(text("UPDATE events SET body = :body"), {"body": other})
    engine.dispose()
    told = call(client, "POST", f"/predictions/{identifier}/replay").json()
    assert told["identical"] is False
    assert ["uncertainty.predictive_entropy"] == told["differing"]
    assert 9 <= told["largest_difference"] < 1e3
    assert ["the numerical environment has changed"] == told["reasons"]


def test_what_if(client: TestClient, loan: Loan) -> None:
    """Both answers under the recorded seed and passes; nothing changed, no difference."""
    answer = ask(client, loan)
    route = f"/predictions/{answer['id']}/what-if"
    same = call(client, "POST", route, json={"features": {}}).json()
    assert same["recorded"] == same["corrected"]
    assert {0.0} == set(same["difference"].values())
    told = call(client, "POST", route, json={"features": {"대출금액": 40000}}).json()
    direct = ask(client, loan | {"loan_amount": 40000})
    for name in ("mean", "std", "uncertainty", "grade", "decision", "prediction_set"):
        assert direct[name] == told["corrected"][name]
        assert answer[name] == told["recorded"][name]
    assert direct["mean"]["A"] - answer["mean"]["A"] == told["difference"]["mean.A"]
    assert loan | {"loan_amount": 40000} == told["features"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"features": {"loan_amount": -1}}, "loan_amount"),
        ({"features": {"loan_amount": "1"}}, "loan_amount"),
        ({"features": {"nonsense": 1}}, "nonsense"),
        ({"features": {"loan_amount": 1, "대출금액": 1}}, "features"),
        ({"feature": {}}, "feature"),
        ({}, "features"),
    ],
)
def test_a_correction_that_cannot_be_graded(
    client: TestClient, loan: Loan, body: Any, field: str
) -> None:
    """The answer names the feature."""
    told = call(client, "POST", f"/predictions/{ask(client, loan)['id']}/what-if", json=body)
    assert 422 == told.status_code
    assert field in [fault["field"] for fault in told.json()["errors"]]


@pytest.mark.parametrize(
    ("content", "status"), [(b'{"grade": "A", "grade": "B"}', 422), (b"{", 400), (b"", 400)]
)
def test_an_outcome_that_cannot_be_read(
    client: TestClient, loan: Loan, content: bytes, status: int
) -> None:
    """A member given twice is refused, and so is what is no JSON."""
    route = f"/predictions/{ask(client, loan)['id']}/outcome"
    headers = {"Content-Type": "application/json"}
    assert status == client.put(route, content=content, headers=headers).status_code


def test_an_outcome_is_noted_once(client: TestClient, loan: Loan) -> None:
    """The same again is as good as once; another is a conflict, and what is no grade is named."""
    identifier = ask(client, loan)["id"]
    route = f"/predictions/{identifier}/outcome"
    first, again = (call(client, "PUT", route, json={"grade": "B"}) for _ in range(2))
    assert 200 == first.status_code == again.status_code
    shown = client.get(f"/predictions/{identifier}").json()["outcome"]
    assert first.json() == again.json() == shown
    assert 409 == call(client, "PUT", route, json={"grade": "C"}).status_code
    wrong = call(client, "PUT", route, json={"grade": "Z"})
    assert (422, "grade") == (wrong.status_code, wrong.json()["errors"][0]["field"])


@pytest.fixture
def both(settings: Settings, tmp_path: Path) -> Settings:
    """With version 1 in the folder as well."""
    models = tmp_path / "models"
    shutil.copytree(settings.models, models)
    shutil.copytree(ROOT / "models" / "loan-grade" / "1", models / "loan-grade" / "1")
    return settings.model_copy(update={"models": models})


def test_another_bundle_computes_its_own(both: Settings, loan: Loan) -> None:
    """A prediction of another version is computed again by that one, while it is there."""
    with TestClient(
        create_app(both), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        identifier = ask(client, loan)["id"]
    first = both.model_copy(update={"version": 1})
    with TestClient(
        create_app(first), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        again = call(client, "POST", f"/predictions/{identifier}/replay")
        assert (200, True) == (again.status_code, again.json()["identical"])
        own = ask(client, loan)["id"]
        assert call(client, "POST", f"/predictions/{own}/replay").json()["identical"]


def test_a_bundle_that_is_gone_is_told(both: Settings, loan: Loan) -> None:
    """Or one that is not what it was: the prediction is shown, and not computed by another."""
    with TestClient(
        create_app(both), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        identifier = ask(client, loan)["id"]
    (both.models / "loan-grade" / "3").rename(both.models / "loan-grade" / "4")
    first = both.model_copy(update={"version": 1})
    with TestClient(
        create_app(first), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        assert 200 == client.get(f"/predictions/{identifier}").status_code
        told = call(client, "POST", f"/predictions/{identifier}/replay")
        assert 409 == told.status_code
        sentence = "bundle loan-grade/3, which produced this prediction, is no longer available"
        assert (sentence, "bundle_gone") == (told.json()["detail"], told.json()["code"])


@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_what_is_not_recorded_is_not_found(client: TestClient, method: str, route: str) -> None:
    """Nothing is shown, computed or noted."""
    body: Any = {"grade": "A"} if method == "PUT" else {"features": {}}
    found = client.request(
        method,
        f"/predictions/01a20b81-4528-7cce-8a01-28db29073c3c{route}",
        json=None if method == "GET" else body,
    )
    assert 404 == found.status_code


@pytest.mark.parametrize(("method", "route"), ROUTES)
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "http://evil.example"},
    ],
)
def test_who_must_not_ask_is_refused(
    client: TestClient, loan: Loan, method: str, route: str, headers: dict[str, str]
) -> None:
    """Another name of this machine, and pages of other sites."""
    address = f"/predictions/{ask(client, loan)['id']}{route}"
    assert 403 == call(client, method, address, headers=headers).status_code


def test_records_are_not_exposed_by_chance(settings: Settings, loan: Loan) -> None:
    """To a client on another machine they are shown only where a setting says so."""
    for exposed, status in ((0, 403), (1, 200)):
        open_to_all = Settings(
            models=settings.models, state=settings.state, host="10.1.2.3", records_exposed=exposed
        )
        with TestClient(
            create_app(open_to_all), base_url="http://127.0.0.1", client=("10.9.9.9", 50_000)
        ) as client:
            identifier = ask(client, loan)["id"]
            assert status == client.get(f"/predictions/{identifier}").status_code


@pytest.mark.parametrize("name", BY_PROXIES)
def test_a_proxy_that_says_so_shows_no_records(settings: Settings, loan: Loan, name: str) -> None:
    """Whoever asks through a proxy may be anywhere; a setting says that they may see records."""
    for exposed, status in ((0, 403), (1, 200)):
        told = Settings(models=settings.models, state=settings.state, records_exposed=exposed)
        with TestClient(
            create_app(told), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
        ) as client:
            identifier = ask(client, loan)["id"]
            answer = client.get(f"/predictions/{identifier}", headers={name: "192.0.2.1"})
            assert status == answer.status_code


def test_without_records_there_are_no_predictions(settings: Settings) -> None:
    """The routes are not there."""
    off = Settings(models=settings.models, state=settings.state, records="off")
    with TestClient(
        create_app(off), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        assert 404 == client.get("/predictions/x").status_code
        paths = client.get("/openapi.json").json()["paths"]
        assert not any("/predictions" in path for path in paths)
