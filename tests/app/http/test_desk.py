"""The desk: cases by the client's reference, corrections with a reason, who looks at what."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, select
from starlette.testclient import TestClient

from app.main import create_app
from app.records.address import url_of
from app.records.database import reading
from app.records.export import write_export
from app.records.key import FILE, read_key
from app.records.tables import events
from app.records.verification import verify
from app.settings import Settings
from tests.app.http.test_reviews import SAID, erase, ids, listed, refer, review, serve, strange
from tests.service import ROOT

REFERENCE = "Dubito-Reference"
WHY = "the wrong loan was on the screen"


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    return Settings(models=ROOT / "models", version=4, state=tmp_path)


@pytest.fixture
def client(own: Settings) -> Iterator[TestClient]:
    with serve(own) as client:
        yield client


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    state = tmp_path_factory.mktemp("state")
    with serve(Settings(models=ROOT / "models", version=4, state=state)) as client:
        yield client


def graded(client: TestClient, loan: Any, reference: bytes | str, query: str = "") -> Any:
    return client.post(
        f"/predict{query}", json=loan, headers=[(REFERENCE.encode(), _raw(reference))]
    )


def _raw(value: bytes | str) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def case(client: TestClient, identifier: str) -> Any:
    answer = client.get(f"/predictions/{identifier}")
    assert 200 == answer.status_code
    return answer.json()


# References.

PRINTABLE = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cf", "Cn", "Co", "Zl", "Zp", "Zs")), min_size=1
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reference=PRINTABLE.map(lambda text: text[:200]).filter(str.isprintable))
def test_a_reference_may_be_in_any_script(
    lasting: TestClient, loan: dict[str, Any], reference: str
) -> None:
    """Percent-encoded in the header as RFC 8187 has it; plain wherever it is answered."""
    answer = graded(lasting, loan, f"UTF-8''{quote(reference, safe='')}")
    assert 200 == answer.status_code, answer.text
    assert reference == case(lasting, answer.json()["id"])["reference"]
    found = lasting.get("/predictions", params={"reference": reference}).json()["predictions"]
    assert answer.json()["id"] in ids(found)
    assert {reference} == {one["reference"] for one in found}


@pytest.mark.parametrize(
    "value", ["loan 7", "utf-8'ko'%EB%8C%80", "UTF-8'%41", "iso-8859-1''%41", "%41", "UTF-8", "''"]
)
def test_every_other_value_is_taken_literally(
    lasting: TestClient, loan: dict[str, Any], value: str
) -> None:
    """As it ever was."""
    answer = graded(lasting, loan, value).json()
    assert value == case(lasting, answer["id"])["reference"]


@pytest.mark.parametrize(
    "value",
    [
        b"UTF-8''",
        b"UTF-8''%",
        b"UTF-8''%4",
        b"UTF-8''%zz",
        b"UTF-8''%FF",
        b"UTF-8''%00",
        b"UTF-8''%0A",
        b"UTF-8''%ED%A0%80",
        b"UTF-8''%E2%80%AE",
        b"UTF-8''a b",
        b"UTF-8''a/b",
        b"UTF-8''" + 201 * b"%41",
        "대출".encode(),
    ],
)
def test_a_reference_that_is_none_is_refused(
    lasting: TestClient, loan: dict[str, Any], value: bytes
) -> None:
    """422 names the header, repeats nothing of it, and nothing is recorded."""
    answer = graded(lasting, loan, value)
    assert 422 == answer.status_code
    (fault,) = answer.json()["errors"]
    assert ("dubito-reference", "not_printable") == (fault["field"], fault["code"])


def test_the_longest_reference_is_found_listed_and_sorted(client: TestClient) -> None:
    """200 letters of any script, in the queue too."""
    longest = "가" * 200
    answers = refer(client, 3, 1, **{REFERENCE: f"utf-8''{quote(longest)}"})
    other = refer(client, 3, 2, **{REFERENCE: "UTF-8''%41"})
    found = listed(client, reference="가가")
    assert (6, 3) == (found["waiting"], found["found"])
    assert {longest} == {one["reference"] for one in found["reviews"]}
    ordered = ids(listed(client, order="reference")["reviews"])
    assert set(ids(other)) == set(ordered[:3])
    assert set(ids(answers)) == set(ordered[3:])


# Lists.


def test_a_reviewer_finds_what_was_decided_when_by_whom(client: TestClient) -> None:
    """By time, reason, grade and version, with the page after page of one order."""
    answers = refer(client, 10, 3)
    before = datetime.now(UTC)
    decided = ids(answers)[:4]
    for at, identifier in enumerate(decided):
        assert 200 == review(client, identifier, reviewer=f"kim {at}").status_code
    shown = listed(client, state="decided", order="newest")
    assert (6, 4) == (shown["waiting"], shown["found"])
    assert decided[::-1] == ids(shown["reviews"])
    assert [f"kim {at}" for at in (3, 2, 1, 0)] == [one["reviewer"] for one in shown["reviews"]]
    assert {"C"} == {one["verdict"] for one in shown["reviews"]}
    times = [one["decided"] for one in shown["reviews"]]
    first = listed(client, state="decided", order="newest", limit=1, until=times[1])
    assert [decided[1]] == ids(first["reviews"])
    assert [decided[0]] == ids(
        listed(client, state="decided", order="newest", after=first["next"])["reviews"]
    )
    assert 4 == listed(client, state="decided", since=before.isoformat())["found"]
    assert 0 == listed(client, state="decided", until=before.isoformat())["found"]
    for one in answers[4:]:
        same = listed(client, grade=one["grade"], reason="missing", version=4, limit=500)
        assert one["id"] in ids(same["reviews"])
    assert 0 == listed(client, version=3)["found"] == listed(client, reason="miss")["found"]


def test_any_prediction_is_listed_by_what_it_was(client: TestClient, loan: dict[str, Any]) -> None:
    """The newest first, in pages without gaps or doubles; a chart's bar leads to its cases."""
    automated = client.post("/predict/mc?target=0.1", json=loan).json()
    plain = client.post("/predict", json=loan).json()
    referred = ids(refer(client, 9, 4))
    whole, after = list[str](), None
    while after != "":
        page = client.get("/predictions", params={"limit": 4} | ({"after": after} if after else {}))
        whole += ids(page.json()["predictions"])
        after = page.json()["next"] or ""
    assert sorted([automated["id"], plain["id"], *referred]) == sorted(whole)
    times = [case(client, one)["time"] for one in whole]
    assert sorted(times, reverse=True) == times

    def found(**options: Any) -> list[str]:
        return ids(client.get("/predictions", params=options).json()["predictions"])

    assert [automated["id"]] == found(action="automate")
    assert set(referred) == set(found(action="refer")) == set(found(reason="missing"))
    grade = automated["grade"]
    assert {automated["id"], plain["id"]} <= set(found(grade=grade, version=4))
    now = datetime.now(UTC)
    assert set(whole) == set(found(since=(now - timedelta(hours=1)).isoformat()))
    assert [] == found(until=(now - timedelta(hours=1)).isoformat()) == found(reference="nobody's")


# Corrections.


def corrected(client: TestClient, identifier: str, corrects: str, **changes: Any) -> Any:
    return review(client, identifier, **{"corrects": corrects, "why": WHY, **changes})


def test_a_review_is_corrected_by_naming_it(client: TestClient) -> None:
    """The first stays, the last counts; only the last may be corrected, and only with a reason."""
    identifier = refer(client, 3, 5)[0]["id"]
    first = review(client, identifier).json()
    assert 409 == review(client, identifier, grade="D").status_code
    second = corrected(client, identifier, first["id"], grade="D")
    assert 200 == second.status_code
    assert (first["id"], WHY, "D") == tuple(
        second.json()[one] for one in ("corrects", "why", "grade")
    )
    again = corrected(client, identifier, first["id"], grade="D")
    assert (200, second.json()) == (again.status_code, again.json())
    late = corrected(client, identifier, first["id"], grade="E")
    assert (409, "not_last") == (late.status_code, late.json()["code"])
    assert 409 == corrected(client, identifier, "nothing.1", grade="E").status_code
    third = corrected(client, identifier, second.json()["id"], grade="E", reviewer="lee").json()
    told = case(client, identifier)
    assert third == told["review"]
    said = [(one["kind"], one["grade"], one["id"]) for one in told["history"]]
    whole = [first, second.json(), third]
    assert [("review", one["grade"], one["id"]) for one in whole] == said
    (shown,) = listed(client, state="decided")["reviews"]
    assert ("E", "lee", first["time"]) == tuple(
        shown[at] for at in ("verdict", "reviewer", "decided")
    )
    whole_one = {"corrects": third["id"], "why": WHY}
    for changes in ({"why": None}, {"corrects": None}, {"why": ""}):
        assert 422 == review(client, identifier, **{**whole_one, **changes}).status_code


def test_figures_follow_what_was_said_last(client: TestClient, own: Settings) -> None:
    """As though the first had never been said, in whichever minute the correction comes."""
    answers = refer(client, 12, 6)
    told = [
        client.put(f"/predictions/{one['id']}/outcome", json={"grade": one["grade"]}).json()
        for one in answers
    ]
    others = [next(grade for grade in "AB" if grade != one["grade"]) for one in answers]
    for one, first, grade in zip(answers[:5], told, others, strict=False):
        body = {"grade": grade, "corrects": first["id"], "why": WHY}
        answer = client.put(f"/predictions/{one['id']}/outcome", json=body)
        assert (200, grade) == (answer.status_code, answer.json()["grade"])
        assert answer.json() == client.put(f"/predictions/{one['id']}/outcome", json=body).json()
        assert (
            409
            == client.put(
                f"/predictions/{one['id']}/outcome", json={"grade": one["grade"]}
            ).status_code
        )
    figures = client.get("/uncertainty?window=6h&step=1h").json()["outcomes"]
    assert (12, 7 / 12) == (figures["known"], figures["accuracy"])
    assert 12 == sum(one["rows"] for one in figures["reliability"])
    assert 5 / 12 == pytest.approx(figures["risk_coverage"][-1]["risk"])


def test_sets_are_corrected_by_the_bundle_that_has_counted_them(own: Settings) -> None:
    """An outcome that is told while another bundle is served counts no set, nor does it later."""
    with serve(own) as client:
        answer = refer(client, 3, 8)[0]["id"]
    route = f"/predictions/{answer}/outcome"
    with serve(own.model_copy(update={"version": 3})) as client:
        first = client.put(route, json={"grade": "A"}).json()
    with serve(own) as client:
        for grade in "GA":
            body = {"grade": grade, "corrects": first["id"], "why": WHY}
            first = client.put(route, json=body).json()
        told = client.get("/uncertainty?window=6h&step=1h").json()["outcomes"]
    assert (1, 0, None) == (told["known"], told["coverage"]["rows"], told["coverage"]["seen"])


def test_what_was_corrected_verifies_is_exported_and_erased(own: Settings, tmp_path: Path) -> None:
    """The chain has all of it; the export the last; what is personal goes with the case."""
    with serve(own) as client:
        one, other = ids(refer(client, 3, 7, **{REFERENCE: "case 7"}))[:2]
        first = review(client, one).json()
        last = corrected(client, one, first["id"], grade="D").json()
        assigned = client.put(f"/reviews/{other}/assignee", json={"reviewer": "lee"})
        assert {"id": other, "assignee": "lee"} == assigned.json()
    file = tmp_path / "out.csv"
    with reading(url_of(None, own.state)) as engine, engine.connect() as connection:
        assert () == verify(connection, read_key(own.state / FILE), {}).faults
        assert 3 == write_export(connection, file)
    (line,) = [line for line in file.read_text("utf-8-sig").splitlines() if line.startswith(one)]
    assert line.endswith(",D")
    assert 3 == erase(own, "case 7")
    with serve(own) as client:
        told = case(client, one)
        assert last | dict.fromkeys(("note", "reviewer", "why")) == told["review"]
        assert case(client, other)["assignee"] is None
        (shown,) = listed(client, state="decided")["reviews"]
        assert (None, None, "D") == tuple(shown[at] for at in ("reference", "reviewer", "verdict"))
        assert (
            0 == listed(client, assignee="lee")["found"] == listed(client, reference="7")["found"]
        )
        fifth = corrected(client, one, last["id"], grade="E")
        assert (200, "E") == (fifth.status_code, fifth.json()["grade"])
    engine = create_engine(url_of(None, own.state))
    with engine.connect() as connection:
        assert () == verify(connection, read_key(own.state / FILE), {}).faults
        left = b"".join(one or b"" for one in connection.scalars(select(events.c.personal)))
    assert 1 == left.count(WHY.encode())
    engine.dispose()


def test_of_many_corrections_at_once_one_is_recorded(own: Settings) -> None:
    """All others are told that they do not correct what was said last."""

    async def race() -> tuple[list[httpx2.Response], Any]:
        app = create_app(own)
        async with app.router.lifespan_context(app):
            transport = httpx2.ASGITransport(app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as one:
                loan = {"instances": refer_body()}
                answer = (await one.post("/predict/mc", json=loan)).json()["predictions"][0]
                route = f"/reviews/{answer['id']}"
                first = (await one.post(route, json=SAID)).json()
                bodies = [
                    SAID | {"grade": grade, "corrects": first["id"], "why": WHY}
                    for grade in "ABDEFG"
                ]
                many = await asyncio.gather(*(one.post(route, json=body) for body in bodies))
                return many, (await one.get(f"/predictions/{answer['id']}")).json()

    many, told = asyncio.run(race())
    (good,) = [answer for answer in many if answer.status_code == 200]
    assert [409] * 5 == [answer.status_code for answer in many if answer is not good]
    assert good.json() == told["review"]
    assert 2 == len(told["history"])


def refer_body() -> list[Any]:
    return strange(1, 9)


# Who looks at what.


def test_who_looks_at_a_case_is_told_until_it_is_decided(client: TestClient) -> None:
    """Also after somebody else takes it, or nobody; what does not wait is nobody's."""
    one, other = ids(refer(client, 4, 8))[:2]

    def assign(identifier: str, name: str | None) -> int:
        return client.put(f"/reviews/{identifier}/assignee", json={"reviewer": name}).status_code

    assert [200] * 4 == [
        assign(one, "kim"),
        assign(one, "kim"),
        assign(one, "lee"),
        assign(other, "kim"),
    ]
    assert [one] == ids(listed(client, assignee="lee")["reviews"])
    assert [other] == ids(listed(client, assignee="kim")["reviews"])
    told = case(client, one)
    assert ("lee", ["kim", "lee"]) == (told["assignee"], [at["reviewer"] for at in told["history"]])
    assert 200 == assign(one, None)
    assert case(client, one)["assignee"] is None
    review(client, other)
    assert 409 == assign(other, "lee")
    automated = client.post("/predict", json=refer_body()[0]).json()["id"]
    assert 409 == assign(automated, "kim")
    assert 404 == assign("01a20b81-4528-7cce-8a01-28db29073c3c", "kim")
    for body in ({}, {"reviewer": ""}, {"reviewer": "x" * 201}, {"reviewer": 1}, {"name": "kim"}):
        assert 422 == client.put(f"/reviews/{one}/assignee", json=body).status_code
