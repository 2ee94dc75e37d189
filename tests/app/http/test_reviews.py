"""What waits for a person, and what a person made of it: said once, whoever says it when."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from sqlalchemy import create_engine, text
from starlette.testclient import TestClient

from app.main import create_app
from app.record_events import Erasure
from app.records.address import url_of
from app.records.database import open_database
from app.records.key import FILE, read_key
from app.records.ledger import Ledger
from app.settings import Settings
from dubito.bundles.validation.inspection import inspect
from dubito.identifier import new_id
from tests.calibrated import features
from tests.service import ROOT

Loan = dict[str, float | None]
Answers = list[dict[str, Any]]
NAMES = inspect(ROOT / "models" / "loan-grade" / "4").manifest.signature.names
SAID = {"grade": "C", "note": "pays late, but pays", "reviewer": "kim"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(models=ROOT / "models", version=4, state=tmp_path)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with serve(settings) as client:
        yield client


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One for many tests, which leave no trace that others would notice."""
    state = tmp_path_factory.mktemp("state")
    with serve(Settings(models=ROOT / "models", version=4, state=state)) as client:
        yield client


def serve(settings: Settings) -> TestClient:
    return TestClient(
        create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    )


def strange(count: int, seed: int) -> list[Loan]:
    """Loans as there are none, without a value, for which each is referred."""
    rows = [dict(zip(NAMES, row, strict=True)) for row in features(count, seed).tolist()]
    return [row | {"debt_to_income": None} for row in rows]


def refer(client: TestClient, count: int, seed: int, **headers: str) -> Answers:
    """Have some loans graded, two of them alone; all of the answers are for a person."""
    loans = strange(count, seed)
    found = [client.post("/predict/mc", json=loan, headers=headers).json() for loan in loans[:2]]
    many = client.post("/predict/mc", json={"instances": loans[2:]}, headers=headers)
    return [*found, *many.json()["predictions"]]


def ids(answers: Answers) -> list[str]:
    return [one["id"] for one in answers]


def listed(client: TestClient, **options: Any) -> Any:
    answer = client.get("/reviews", params=options)
    assert 200 == answer.status_code, answer.text
    return answer.json()


def review(client: TestClient, identifier: str, **changes: Any) -> httpx2.Response:
    return client.post(f"/reviews/{identifier}", json=SAID | changes)


def test_the_queue_shows_what_was_referred_and_why(client: TestClient, loan: Loan) -> None:
    """As it was answered, with the time it was recorded at; what is automated is not there."""
    automated = client.post("/predict/mc?target=0.1", json=loan).json()
    assert "automate" == automated["decision"]["action"]
    client.post("/predict", json=loan)
    answers = refer(client, 30, 1)
    found = listed(client)
    assert (len(answers), None) == (found["waiting"], found["next"])
    assert found["waiting"] == found["found"]
    recorded = {one["id"]: client.get(f"/predictions/{one['id']}").json() for one in answers}
    assert {
        one["id"]: {
            "id": one["id"],
            "time": recorded[one["id"]]["time"],
            "grade": one["grade"],
            "reasons": one["decision"]["reasons"],
            "predictive_entropy": one["uncertainty"]["predictive_entropy"],
            "mutual_information": one["uncertainty"]["mutual_information"],
            "model": one["model"],
            **dict.fromkeys(("reference", "assignee", "decided", "verdict", "reviewer")),
        }
        for one in answers
    } == {one["id"]: one for one in found["reviews"]}


def test_the_oldest_or_the_most_doubtful_come_first(client: TestClient) -> None:
    answers = [*refer(client, 12, 2), *refer(client, 12, 3)]
    shown = listed(client, order="oldest")["reviews"]
    assert sorted((one["time"], one["id"]) for one in shown) == [
        (one["time"], one["id"]) for one in shown
    ]
    assert set(ids(answers)) == set(ids(shown))
    doubtful = listed(client, order="doubtful")["reviews"]
    doubts = [one["predictive_entropy"] for one in doubtful]
    assert sorted(doubts, reverse=True) == doubts
    assert set(ids(answers)) == set(ids(doubtful))


@pytest.mark.parametrize("order", ["oldest", "doubtful"])
def test_pages_have_neither_gaps_nor_doubles(client: TestClient, order: str) -> None:
    """While others come and are reviewed between two pages, in front of the cursor and behind."""
    random = np.random.default_rng(4)
    first = ids(refer(client, 40, 5))
    waiting, reviewed, seen = list(first), set[str](), list[str]()
    after: dict[str, str] = {}
    for turn in range(100):
        page = listed(client, order=order, limit=5, **after)
        assert len(waiting) == page["waiting"]
        shown = ids(page["reviews"])
        assert not reviewed & set(shown)
        seen += shown
        if page["next"] is None:
            break
        after = {"after": page["next"]}
        if turn < 6:
            waiting += ids(refer(client, 3, 100 + turn))
        for identifier in random.choice(waiting, 2, replace=False).tolist():
            assert 200 == review(client, identifier).status_code
            waiting.remove(identifier)
            reviewed.add(identifier)
    assert len(seen) == len(set(seen)) > 20
    assert set(first) - reviewed <= set(seen)
    if order == "oldest":
        assert set(waiting) <= set(seen)


def test_a_cursor_outlives_the_one_it_names(client: TestClient) -> None:
    """The last of a page is reviewed: the next page begins behind it all the same."""
    refer(client, 12, 6)
    whole = ids(listed(client)["reviews"])
    page = listed(client, limit=4)
    review(client, page["reviews"][-1]["id"])
    assert whole[4:8] == ids(listed(client, limit=4, after=page["next"])["reviews"])


def test_a_review_is_shown_and_its_case_waits_no_longer(client: TestClient) -> None:
    """The same again is as good as once; another is a conflict."""
    one, other = ids(refer(client, 8, 7))[:2]
    first = review(client, one)
    assert 200 == first.status_code
    told = first.json()
    assert SAID == {name: told[name] for name in SAID}
    assert told == client.get(f"/predictions/{one}").json()["review"]
    assert client.get(f"/predictions/{other}").json()["review"] is None
    assert one not in ids(listed(client)["reviews"])
    for changes in ({"grade": "D"}, {"note": ""}, {"reviewer": "lee"}):
        conflict = review(client, one, **changes)
        assert 409 == conflict.status_code
        assert "another review" in conflict.json()["detail"]
    assert told == review(client, one).json()


def test_a_review_outlives_a_restart(settings: Settings) -> None:
    """The same again and another are what they were."""
    with serve(settings) as client:
        one = refer(client, 3, 9)[0]["id"]
        told = review(client, one).json()
    with serve(settings) as client:
        assert told == review(client, one).json()
        assert 409 == review(client, one, grade="D").status_code
        assert one not in ids(listed(client)["reviews"])


def test_what_was_automated_may_be_reviewed_too(lasting: TestClient, loan: Loan) -> None:
    """A person may look at any case, also at one that was graded without doubts."""
    for query in ("/mc?target=0.1", ""):
        identifier = lasting.post(f"/predict{query}", json=loan).json()["id"]
        assert 200 == review(lasting, identifier).status_code
        assert "C" == lasting.get(f"/predictions/{identifier}").json()["review"]["grade"]


# Who says it first.

Say = Callable[[httpx2.AsyncClient, str, str], Awaitable[httpx2.Response]]


async def outcome(client: httpx2.AsyncClient, identifier: str, grade: str) -> httpx2.Response:
    return await client.put(f"/predictions/{identifier}/outcome", json={"grade": grade})


async def verdict(client: httpx2.AsyncClient, identifier: str, grade: str) -> httpx2.Response:
    return await client.post(f"/reviews/{identifier}", json=SAID | {"grade": grade})


@pytest.mark.parametrize("say", [outcome, verdict])
def test_of_many_at_once_one_is_recorded(settings: Settings, loan: Loan, say: Say) -> None:
    """Equal ones are all answered alike; of different ones all but the first are conflicts."""

    async def race() -> tuple[list[httpx2.Response], list[httpx2.Response], Any, Any]:
        app = create_app(settings)
        async with app.router.lifespan_context(app):
            transport = httpx2.ASGITransport(app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as one:
                same, other = [(await one.post("/predict/mc", json=loan)).json() for _ in range(2)]
                alike = await asyncio.gather(*(say(one, same["id"], "B") for _ in range(12)))
                apart = await asyncio.gather(*(say(one, other["id"], at) for at in "ABCDEFG" * 2))
                shown = (await one.get(f"/predictions/{other['id']}")).json()
                await asyncio.sleep(1.1)
                figures = (await one.get("/uncertainty?window=6h")).json()
                return alike, apart, shown, figures

    alike, apart, shown, figures = asyncio.run(race())
    assert {200} == {answer.status_code for answer in alike}
    assert 1 == len({answer.content for answer in alike})
    said = [answer for answer in apart if answer.status_code == 200]
    assert [409] * 12 == [answer.status_code for answer in apart if answer not in said]
    assert said[0].json() == said[1].json() == shown["outcome" if say is outcome else "review"]
    assert (2 if say is outcome else 0) == figures["outcomes"]["known"]


def test_an_outcome_is_of_the_grades_that_were_there(settings: Settings, loan: Loan) -> None:
    """Of a prediction of another bundle than the served one, whose grades are others."""
    with serve(settings) as client:
        identifier = client.post("/predict", json=loan).json()["id"]
        engine = create_engine(url_of(None, settings.state))
        with engine.begin() as connection:
            body = connection.execute(text("SELECT body FROM events")).scalar_one()
            other = body.replace(b'"probabilities":{"A"', b'"probabilities":{"best"')
            connection.execute(text("UPDATE events SET body = :body"), {"body": other})
        engine.dispose()
        route = f"/predictions/{identifier}/outcome"
        for refused in (
            client.put(route, json={"grade": "A"}),
            review(client, identifier, grade="A"),
        ):
            assert 422 == refused.status_code
            assert ["grade"] == [fault["field"] for fault in refused.json()["errors"]]
        assert 200 == client.put(route, json={"grade": "B"}).status_code
        assert 200 == review(client, identifier).status_code


# What is refused.


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"grade": "Z"}, {"grade"}),
        ({"grade": None}, {"grade"}),
        ({"note": 5}, {"note"}),
        ({"note": "x" * 4_001}, {"note"}),
        ({"reviewer": ""}, {"reviewer"}),
        ({"reviewer": "x" * 201}, {"reviewer"}),
        ({"reviewer": "k\0m"}, {"reviewer"}),
        ({"rating": 1}, {"rating"}),
        ({"grade": 1, "note": [], "reviewer": {}}, {"grade", "note", "reviewer"}),
    ],
)
def test_a_review_that_cannot_be_noted(
    lasting: TestClient, loan: Loan, changes: dict[str, Any], fields: set[str]
) -> None:
    """422 names what is wrong, repeats nothing of it, and nothing is noted."""
    identifier = lasting.post("/predict", json=loan).json()["id"]
    refused = review(lasting, identifier, **changes)
    assert 422 == refused.status_code
    assert fields == {fault["field"] for fault in refused.json()["errors"]}
    assert "xxx" not in refused.text
    assert lasting.get(f"/predictions/{identifier}").json()["review"] is None


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"[]", 422),
        (b'{"grade": "A", "note": "", "reviewer": "k"', 400),
        (b'{"grade": "A", "note": "", "reviewer": "k", "grade": "B"}', 422),
        (b'{"grade": "A", "note": "\\ud800", "reviewer": "k"}', 400),
        (b"{}", 422),
    ],
)
def test_a_review_that_cannot_be_read(
    lasting: TestClient, loan: Loan, content: bytes, status: int
) -> None:
    route = f"/reviews/{lasting.post('/predict', json=loan).json()['id']}"
    headers = {"Content-Type": "application/json"}
    assert status == lasting.post(route, content=content, headers=headers).status_code
    assert (
        415
        == lasting.post(route, content=b"{}", headers={"Content-Type": "text/plain"}).status_code
    )


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=1e2", "limit"),
        ("order=latest", "order"),
        ("state=lost", "state"),
        ("reason=", "reason"),
        ("reference=%00", "reference"),
        ("version=0", "version"),
        ("version=1.0", "version"),
        ("since=2026-01-31T09:00:00", "since"),
        ("since=yesterday", "since"),
        ("until=2026-01-31", "until"),
        ("after=", "after"),
        ("after=1_x", "after"),
        ("after=nan_01a20b81-4528-7cce-8a01-28db29073c3c", "after"),
        ("after=1_01a20b81-4528-7cce-8a01-28db29073c3c%0A", "after"),
        ("after=1_01a20b81-4528-7cce-8a01-28db29073c3c'", "after"),
        ("after=x1_01a20b81-4528-7cce-8a01-28db29073c3c", "after"),
        ("before=1", "before"),
    ],
)
def test_a_list_that_there_is_not(lasting: TestClient, query: str, field: str) -> None:
    answer = lasting.get(f"/reviews?{query}")
    assert 422 == answer.status_code
    assert [field] == [fault["field"] for fault in answer.json()["errors"]]


@pytest.mark.parametrize("order", ["oldest", "newest", "doubtful", "reference"])
@pytest.mark.parametrize("value", ["7", "0.5", "1e-300", "x", "x00ff", "xeab080"])
def test_any_place_is_one_of_every_list(lasting: TestClient, order: str, value: str) -> None:
    """Also one of a list in another order, and one that was never given out."""
    after = f"{value}_01a20b81-4528-7cce-8a01-28db29073c3c"
    assert listed(lasting, order=order, after=after)["found"] is None
    assert 200 == lasting.get("/predictions", params={"after": after}).status_code


@pytest.mark.parametrize(
    "identifier",
    ["01a20b81-4528-7cce-8a01-28db29073c3c", "x", "%00" * 36, "%F0%9F%98%80", "a" * 4_000],
)
def test_what_is_not_recorded_is_not_reviewed(lasting: TestClient, identifier: str) -> None:
    """Whatever stands in the address, also what no database takes."""
    assert 404 == lasting.post(f"/reviews/{identifier}", json=SAID).status_code
    assert 404 == lasting.put(f"/predictions/{identifier}/outcome", json={"grade": "A"}).status_code
    assert 404 == lasting.get(f"/predictions/{identifier}").status_code


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8001"},
    ],
)
def test_who_must_not_ask_is_refused(
    lasting: TestClient, loan: Loan, headers: dict[str, str]
) -> None:
    """Another name of this machine, and pages of other sites, also if they guess an identifier."""
    identifier = lasting.post("/predict", json=loan).json()["id"]
    assert 403 == lasting.get("/reviews", headers=headers).status_code
    assert 403 == lasting.post(f"/reviews/{identifier}", json=SAID, headers=headers).status_code
    assert lasting.get(f"/predictions/{identifier}").json()["review"] is None


def test_reviews_are_not_exposed_by_chance(settings: Settings) -> None:
    """To another machine only where a setting says so; without records not at all."""
    state, models = settings.state, settings.models
    for exposed, status in ((0, 403), (1, 200)):
        told = Settings(models=models, state=state, host="10.1.2.3", records_exposed=exposed)
        with TestClient(
            create_app(told), base_url="http://127.0.0.1", client=("10.9.9.9", 50_000)
        ) as client:
            assert status == client.get("/reviews").status_code
    with serve(Settings(models=models, records="off")) as client:
        assert 404 == client.get("/reviews").status_code
        assert 404 == client.post("/reviews/x", json=SAID).status_code


# What is forgotten.


def erase(settings: Settings, reference: str) -> int:
    """What `dubito records erase` does while no service runs."""
    key = read_key(settings.state / FILE)
    with (
        open_database(url_of(None, settings.state)) as engine,
        closing(Ledger(engine, key, new_id())) as ledger,
    ):
        return ledger.erase(Erasure(reference=reference))


def test_words_of_a_reviewer_are_erased_with_the_case(settings: Settings) -> None:
    """The grade stays, and so does what waits: nothing of it tells of anybody."""
    with serve(settings) as client:
        answers = refer(client, 8, 8, **{"Dubito-Reference": "case 7"})
        one, other = ids(answers)[:2]
        told = review(client, one).json()
    assert 8 == erase(settings, "case 7")
    with serve(settings) as client:
        erased = client.get(f"/predictions/{one}").json()
        assert told | {"note": None, "reviewer": None} == erased["review"]
        assert erased["features"] is erased["reference"] is None
        assert other in ids(listed(client)["reviews"])
        # Whether it is the same nobody can say any more.
        assert 409 == review(client, one).status_code
        assert 410 == client.post(f"/predictions/{one}/replay").status_code
        assert 200 == review(client, other).status_code
        assert 200 == client.put(f"/predictions/{one}/outcome", json={"grade": "C"}).status_code
    content = b"".join(file.read_bytes() for file in settings.state.glob("records.db*"))
    assert content.count(SAID["note"].encode()) == 1
