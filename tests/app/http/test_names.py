"""Names: a bundle may call its features and grades as it likes, in any form of Unicode."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unicodedata import normalize

import jsonschema_rs
import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from dubito.bundle import load
from dubito.bundles.manifest_parser import parse_manifest
from dubito.errors import BundleError
from tests.app.http.test_bad_input import fields, post
from tests.app.http.test_middleware import problem_of
from tests.app.http.test_predict import numbers
from tests.dubito.inputs.bodies import KOREAN
from tests.odd_names import CLASSES, NAMES, SHIPPED, VALUES, publish, row
from tests.service import ROOT

QUERY = "/predict/mc?seed=7&passes=100"
BOM = b"\xef\xbb\xbf"
Loan = dict[str, Any]


def decomposed(content: Any, *, escaped: bool) -> bytes:
    """JSON as a program on macOS may write it: syllables in their parts."""
    text = normalize("NFD", json.dumps(content, ensure_ascii=False))
    return json.dumps(json.loads(text)).encode() if escaped else text.encode()


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A service of the bundle with odd names, which records."""
    models, state = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("state")
    publish(models)
    settings = Settings(models=models, model="odd", state=state)
    with TestClient(
        create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        yield client


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A service of the same network under its own names."""
    state = tmp_path_factory.mktemp("state")
    settings = Settings(models=ROOT / "models", version=4, state=state)
    with TestClient(
        create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        yield client


def figures(answer: dict[str, Any]) -> list[float]:
    """The means and deviations of an answer, in the order of the grades."""
    return [*answer["mean"].values(), *answer["std"].values()]


def test_odd_names_are_graded_like_others(odd: TestClient, usual: TestClient, loan: Loan) -> None:
    """The same network under odd names answers the same figures, one row or many."""
    expected = figures(usual.post(QUERY, json=loan).json())
    one = odd.post(QUERY, json=row()).json()
    many = odd.post(QUERY, json={"instances": [row(), row()]}).json()["predictions"]
    assert list(CLASSES) == list(one["mean"])
    for answer in (one, *many):
        assert expected == figures(answer)
    aliased = dict(zip(("features", "deadline_ms", "submit"), VALUES, strict=False))
    rest = dict(list(row().items())[3:])
    assert expected == figures(odd.post(QUERY, json=aliased | rest).json())


def test_odd_names_are_named_in_faults(odd: TestClient) -> None:
    """A feature of an option's name is told as a member of the body, the option as a parameter."""
    wrong = problem_of(odd.post("/predict/mc?seed=x", json=row()), 422)
    assert ["?/seed"] == [one["pointer"] for one in wrong["errors"]]
    wrong = problem_of(odd.post("/predict/mc", json=row() | {"seed": "x", "passes": []}), 422)
    assert ["#/seed", "#/passes"] == [one["pointer"] for one in wrong["errors"]]
    wrong = problem_of(odd.post("/predict/mc", json=row() | {"instances": "x"}), 422)
    assert ["#/instances"] == [one["pointer"] for one in wrong["errors"]]
    assert {"feature_0"} == set(fields(odd.post("/predict", json=row() | {"feature_0": 1})))


def test_odd_names_are_recorded_and_changed(odd: TestClient) -> None:
    """A case is shown, replayed, changed, reviewed and told by its odd names."""
    first = odd.post(QUERY, json=row()).json()
    case = f"/predictions/{first['id']}"
    assert row() == odd.get(case).json()["features"]
    assert odd.post(f"{case}/replay").json()["identical"]
    changed = {"features": {"seed": 9000, "constructor": 1, "mutual_information": 3}}
    told = odd.post(f"{case}/what-if", json=changed).json()
    assert row() | changed["features"] == told["features"]
    assert figures(first) == figures(told["recorded"])
    assert 200 == odd.put(f"{case}/outcome", json={"grade": "__proto__"}).status_code


def test_odd_names_are_watched_apart(odd: TestClient) -> None:
    """A feature called like the network's own doubt is another stream than that."""
    odd.post("/predict/mc", json=row())
    told = odd.get("/uncertainty").json()["drift"]["features"]
    assert [*NAMES, "mutual_information_"] == [one["feature"] for one in told]


def test_odd_names_are_documented(odd: TestClient) -> None:
    """The schema of a row has its members under these names, and the example is valid."""
    body = odd.get("/openapi.json").json()["paths"]["/predict/mc"]["post"]["requestBody"]
    content = body["content"]["application/json"]
    assert list(NAMES) == list(content["examples"]["one"]["value"])
    assert 200 == odd.post("/predict", json=content["examples"]["one"]["value"]).status_code
    assert 200 == odd.post("/predict", json=content["examples"]["many"]["value"]).status_code


@pytest.mark.parametrize("escaped", [False, True])
def test_names_may_be_decomposed(client: TestClient, loan: Loan, *, escaped: bool) -> None:
    """Korean names as macOS spells them are the same names, one row or many."""
    korean = {KOREAN[name]: value for name, value in loan.items()}
    expected = numbers(client.post("/predict", json=loan).json())
    body = decomposed(korean, escaped=escaped)
    assert expected == numbers(post(client, "/predict", body).json())
    many = {"instances": [loan] + [korean] * 100}
    answers = post(client, "/predict", decomposed(many, escaped=escaped)).json()["predictions"]
    assert [expected] * 101 == [numbers(answer) for answer in answers]


@pytest.mark.parametrize("escaped", [False, True])
def test_both_forms_of_a_name_are_a_duplicate(
    client: TestClient, loan: Loan, *, escaped: bool
) -> None:
    """A name together with its other form is given twice."""
    name = KOREAN["loan_amount"]
    rest = {key: value for key, value in loan.items() if key != "loan_amount"}
    both = rest | {name: 1, normalize("NFD", name): 1}
    for body in (both, {"instances": [loan, both]}):
        content = json.dumps(body, ensure_ascii=escaped).encode()
        told = problem_of(post(client, "/predict", content), 422)
        assert ["is given more than once"] == [one["detail"] for one in told["errors"]]


def test_decomposed_faults_are_named(client: TestClient, loan: Loan) -> None:
    """What is wrong in a body of decomposed names is named all the same."""
    korean = {KOREAN[name]: value for name, value in loan.items()}
    wrong = korean | {KOREAN["annual_income"]: "x", "각": 1}
    answer = post(client, "/predict", decomposed(wrong, escaped=False))
    assert {KOREAN["annual_income"], "각"} == set(fields(answer))
    huge = decomposed(korean, escaped=True).replace(b"12000", b"1" * 4000)
    assert {KOREAN["loan_amount"]} == set(fields(post(client, "/predict", huge)))


def test_changes_may_be_decomposed(usual: TestClient, loan: Loan) -> None:
    """What-if compares names as grading does, and takes each feature once."""
    identifier = usual.post("/predict", json=loan).json()["id"]
    name = KOREAN["annual_income"]
    address = f"/predictions/{identifier}/what-if"
    changed = usual.post(address, json={"features": {normalize("NFD", name): 5000}})
    assert 5000 == changed.json()["features"]["annual_income"]
    for other in (name, "annual_income"):
        both = {"features": {normalize("NFD", name): 5000, other: 5000}}
        assert {"features"} == set(fields(usual.post(address, json=both)))


def test_a_mark_before_a_body_is_passed_over(usual: TestClient, loan: Loan) -> None:
    """A byte order mark before JSON changes nothing, wherever a body is read."""
    text = json.dumps(loan).encode()
    plain = numbers(post(usual, QUERY, text).json())
    assert plain == numbers(post(usual, QUERY, BOM + text).json())
    listed = b'{"instances": [' + text + b"]}"
    assert 200 == post(usual, "/predict", BOM + listed).status_code
    identifier = usual.post("/predict", json=loan).json()["id"]
    case = f"/predictions/{identifier}"
    assert 200 == post(usual, f"{case}/what-if", BOM + b'{"features": {}}').status_code
    headers = {"Content-Type": "application/json"}
    marked = BOM + b'{"grade": "A"}'
    assert 200 == usual.put(f"{case}/outcome", content=marked, headers=headers).status_code
    review = BOM + b'{"grade": "A", "note": "", "reviewer": "kim"}'
    assert 200 == post(usual, f"/reviews/{identifier}", review).status_code


def test_the_schema_takes_what_the_service_takes(odd: TestClient) -> None:
    """A row by odd names is valid by the document."""
    document = odd.get("/openapi.json").json()
    body = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    schema = body["schema"] | {"components": document["components"]}
    jsonschema_rs.validator_for(schema).validate(row())


def test_names_equal_but_for_their_form_are_refused() -> None:
    """A bundle whose names only Unicode's forms tell apart would grade one for the other."""
    manifest = load(SHIPPED).manifest
    first, second, *rest = manifest.features
    twins = (
        replace(first, name="각", aliases=()),
        replace(second, name=normalize("NFD", "각"), aliases=()),
        *rest,
    )
    with pytest.raises(BundleError, match="is the same name as"):
        parse_manifest(replace(manifest, features=twins, rules=()).to_bytes())
