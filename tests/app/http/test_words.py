"""The words of refusals: this house's own, whatever library found the fault."""

import json
from collections.abc import Iterator
from itertools import product
from typing import Any, get_args

import pytest
from pydantic_core import core_schema
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from dubito.inputs.faults import message_of, plural
from tests.app.http.test_bad_input import post
from tests.app.http.test_middleware import problem_of
from tests.service import ROOT

FOREIGN = ("Input", "String", "List", "Dictionary", "Value", "Field", "Object", "Extra", "valid s")
"""What sentences of Pydantic begin with or hold."""
CONTEXT: dict[str, Any] = {
    "min_length": 1,
    "max_length": 2,
    "actual_length": 0,
    "field_type": "List",
    "expected": "'A' or 'B'",
    "pattern": "^secret$",
    "ge": 1,
    "le": 1,
    "gt": 1,
    "lt": 1,
}
JUDGED = "coverage method class_conditional target"
"""Options that calibrated bundles alone have."""
VALUES: list[Any] = [
    *(None, True, "", "x", "1", 1.5, -1, 1e308, [], [1], [[]], {}, {"a": 1}, "x" * 5_000, "\0"),
    [{}],
]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    state = tmp_path_factory.mktemp("state")
    settings = Settings(models=ROOT / "models", version=4, state=state)
    with TestClient(
        create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        yield client


def told(answer: Any) -> list[str]:
    """The sentences of a refusal."""
    if answer.status_code == 200:
        return []
    content = problem_of(answer, 422)
    return [content["detail"], *(one["detail"] for one in content["errors"])]


def are_ours(sentences: list[str]) -> None:
    """No sentence is a library's."""
    for sentence in sentences:
        assert not any(word in sentence for word in FOREIGN), sentence


@pytest.mark.parametrize("kind", get_args(core_schema.ErrorType))
def test_every_kind_of_fault_has_words(kind: str) -> None:
    """Whatever Pydantic may find, now or later, is told in words of ours."""
    found = {"type": kind, "msg": "Input should be at most 1", "loc": (), "ctx": CONTEXT}
    are_ours([message_of(found)])  # type: ignore[arg-type]


@pytest.mark.parametrize("route", ["/predict", "/predict/mc"])
def test_bodies_are_refused_in_our_words(recording: TestClient, loan: Any, route: str) -> None:
    """Every value in every place of a body."""
    for value in VALUES:
        are_ours(told(post(recording, route, json.dumps(value))))
        are_ours(told(recording.post(route, json={"instances": value})))
        for name in ("loan_amount", "debt_to_income", "delinq_2y", "other"):
            are_ours(told(recording.post(route, json=loan | {name: value})))


def test_small_bodies_are_refused_in_our_words(recording: TestClient, loan: Any) -> None:
    """So it is with what is said of recorded predictions."""
    identifier = recording.post("/predict", json=loan).json()["id"]
    case, review = f"/predictions/{identifier}", f"/reviews/{identifier}"
    said = {"grade": "A", "note": "", "reviewer": "kim"}
    for value in VALUES:
        are_ours(told(post(recording, f"{case}/what-if", json.dumps(value))))
        are_ours(told(recording.post(f"{case}/what-if", json={"features": value})))
        changed = {"features": {"loan_amount": value}}
        are_ours(told(recording.post(f"{case}/what-if", json=changed)))
        are_ours(told(recording.put(f"{case}/outcome", json={"grade": value, "x": value})))
        are_ours(told(post(recording, review, json.dumps(value))))
    for name, value in product(said, [*VALUES[:3], {}, "x" * 5_000]):
        if value != said[name] and (name, value) != ("note", "x"):
            are_ours(told(recording.post(review, json=said | {name: value, "y": 1})))


@pytest.mark.parametrize(
    ("address", "names"),
    [
        (
            "/predict/mc",
            f"passes seed draws tolerance max_passes deadline_ms degrade {JUDGED}",
        ),
        ("/reviews", "order limit after"),
        ("/uncertainty", "window step since until"),
    ],
)
def test_options_are_refused_in_our_words(
    recording: TestClient, loan: Any, address: str, names: str
) -> None:
    """Every text for every parameter."""
    texts = ["", "x", "-1", "1.5", "0", "99999999999", "1e5", "nan", "null", "[]", "x" * 500]
    for name, text in product(names.split(), texts):
        if address == "/predict/mc":
            answer = recording.post(address, params={name: text}, json=loan)
        else:
            answer = recording.get(address, params={name: text})
        are_ours(told(answer))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_nouns_agree_with_their_numbers(number: int) -> None:
    """One item, two items."""
    assert {0: "s", 1: "", 2: "s"}[number] == plural(number)


def test_an_empty_list_is_told_simply(client: TestClient) -> None:
    """A list without a row says what it lacks."""
    content = problem_of(client.post("/predict", json={"instances": []}), 422)
    assert "instances must have at least 1 item" == content["detail"]


@pytest.mark.parametrize(
    "body",
    [
        rb'{"features": {"\ud800": 1}}',
        rb'{"\udc00": 1}',
        rb'{"grade": "\ud800"}',
        b'{"grade": "\xed\xa0\x80"}',
        rb'{"grade": "A", "note": "\ud800", "reviewer": "kim"}',
        rb'"\ud800"',
    ],
)
def test_half_a_character_is_no_json(recording: TestClient, loan: Any, body: bytes) -> None:
    """A surrogate alone, escaped or not, is no text: 400 wherever a body is read."""
    identifier = recording.post("/predict", json=loan).json()["id"]
    headers = {"Content-Type": "application/json"}
    for method, address in (
        ("POST", "/predict"),
        ("POST", f"/predictions/{identifier}/what-if"),
        ("PUT", f"/predictions/{identifier}/outcome"),
        ("POST", f"/reviews/{identifier}"),
    ):
        problem_of(recording.request(method, address, content=body, headers=headers), 400)


def test_endless_unknown_names_are_not_all_looked_at(recording: TestClient, loan: Any) -> None:
    """Of far too many changes the first unknown ones are named, without validating the rest."""
    identifier = recording.post("/predict", json=loan).json()["id"]
    address = f"/predictions/{identifier}/what-if"
    many = {f"n{at}": "x" for at in range(60_000)}
    content = problem_of(recording.post(address, json={"features": many}), 422)
    assert [f"n{at}" for at in range(20)] == [one["field"] for one in content["errors"]]
    known = json.dumps({"features": loan})[:-1] + ', "x": {' + '"a": 1, ' * 50_000 + '"a": 1}}'
    headers = {"Content-Type": "application/json"}
    content = problem_of(recording.post(address, content=known, headers=headers), 422)
    assert "body has more members than there are features" == content["detail"]
