"""The library and the service are one: the same rows have the same answers, to the last bit."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from dubito.answer import to_json
from dubito.bundle import Bundle, load
from dubito.errors import FieldCode, InvalidInput
from dubito.prediction import MonteCarloPrediction, answer_builder
from dubito.types import Floats
from tests.dubito.inputs.bodies import KOREAN, LOAN
from tests.networks import rows
from tests.service import ROOT

VERSIONS = range(1, 6)
MEASURES = ("predictive_entropy", "expected_entropy", "mutual_information", "variation_ratio")


@pytest.fixture(scope="module", params=VERSIONS)
def version(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


@pytest.fixture(scope="module")
def client(version: int) -> Iterator[TestClient]:
    settings = Settings(models=ROOT / "models", version=version, records="off")
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        yield client


@cache
def bundle(version: int) -> Bundle:
    return load(ROOT / "models" / "loan-grade" / str(version))


def loans() -> Floats:
    """Loans `(N, F)`: usual ones, one lacking a value, one far outside of what training saw."""
    found = rows(30, 12, missing=True)
    whole = [3, 4, 8]
    found[:, whole] = np.floor(found[:, whole])
    found[4, 0] = 4e9
    found[6, 5:7] = 0
    return found


def named(values: Floats, *, korean: bool = False) -> list[dict[str, float | None]]:
    """Rows as mappings by one of their features' names."""
    keys = [KOREAN[name] if korean else name for name in KOREAN]
    return [
        {key: None if np.isnan(value) else value for key, value in zip(keys, row, strict=True)}
        for row in values.tolist()
    ]


def asked(client: TestClient, path: str, given: Any, **query: Any) -> list[dict[str, Any]]:
    answer = client.post(path, json={"instances": given}, params=query)
    assert 200 == answer.status_code, answer.text
    found: list[dict[str, Any]] = answer.json()["predictions"]
    return found


def check(found: MonteCarloPrediction, answers: list[dict[str, Any]], of: Bundle) -> None:
    """Every number of every answer, and each answer whole as the library writes it."""
    columns = {"mean": found.mean, "std": found.std}
    for name, values in columns.items():
        assert values.tolist() == [list(answer[name].values()) for answer in answers]
    for name in MEASURES:
        told = [answer["uncertainty"][name] for answer in answers]
        assert getattr(found.summary, name).tolist() == told
    assert found.passes.tolist() == [answer["passes"] for answer in answers]
    assert {found.seed} == {answer["seed"] for answer in answers}
    widths = [answer["precision"]["half_width"] for answer in answers]
    assert found.estimate.half_widths.tolist() == widths
    assert [of.classes[at] for at in found.predicted] == [answer["grade"] for answer in answers]
    if found.judgement is None:
        assert {None} == {answer["decision"] for answer in answers}
    else:
        for at, answer in enumerate(answers):
            decision = found.judgement.decisions[at]
            assert decision.action == answer["decision"]["action"]
            assert list(decision.reasons) == answer["decision"]["reasons"]
            inside = found.judgement.sets.sets[at]
            grades = [label for label, is_in in zip(of.classes, inside, strict=True) if is_in]
            assert grades == answer["prediction_set"]["grades"]
    builder = answer_builder(of.identity, of.signature.target, of.manifest.calibration)
    whole = [json.loads(to_json(one)) for one in builder.monte_carlo(found, range(len(answers)))]
    assert [one | {"id": 0} for one in answers] == [one | {"id": 0} for one in whole]
    assert [list(one) for one in answers] == [list(one) for one in whole]


@pytest.mark.parametrize("korean", [False, True])
def test_passes_and_a_seed_give_one_answer(
    client: TestClient, version: int, *, korean: bool
) -> None:
    """As an array or as mappings here, as JSON there."""
    values = loans()
    given = named(values, korean=korean)
    answers = asked(client, "/predict/mc", given, passes=100, seed=42)
    check(bundle(version).predict_mc(values, passes=100, seed=42), answers, bundle(version))
    check(bundle(version).predict_mc(given, passes=100, seed=42), answers, bundle(version))


@pytest.mark.parametrize("tolerance", [0.01, 0.05])
def test_auto_is_as_many_passes(client: TestClient, version: int, tolerance: float) -> None:
    """Each row's own number; draws are the first of the most."""
    values = loans()
    query = {"passes": "auto", "seed": 42, "tolerance": tolerance, "max_passes": 400}
    answers = asked(client, "/predict/mc", named(values), **query)
    options: dict[str, Any] = {"tolerance": tolerance, "max_passes": 400}
    check(bundle(version).predict_mc(values, "auto", 42, **options), answers, bundle(version))

    few = values[:6]
    drawn = asked(client, "/predict/mc", named(few), draws="true", **query)
    found = bundle(version).predict_mc(few, "auto", 42, keep_draws=True, **options)
    check(found, drawn, bundle(version))
    assert found.draws is not None
    for at, answer in enumerate(drawn):
        own = found.draws[: answer["passes"], at]
        assert own.T.tolist() == list(answer["draws"].values())


def test_defaults_are_the_same(client: TestClient, version: int) -> None:
    """The bundle's passes and policy, and what `auto` makes at most; a seed is drawn and told."""
    values = loans()[:5]
    of = bundle(version)
    answers = asked(client, "/predict/mc", named(values))
    check(of.predict_mc(values, seed=answers[0]["seed"]), answers, of)
    answers = asked(client, "/predict/mc", named(values), passes="auto")
    check(of.predict_mc(values, "auto", answers[0]["seed"]), answers, of)


def test_the_deterministic_pass_is_the_same(client: TestClient, version: int) -> None:
    """Probabilities, grades and warnings."""
    values, of = loans(), bundle(version)
    answers, found = asked(client, "/predict", named(values)), of.predict(values)
    told = [list(answer["probabilities"].values()) for answer in answers]
    assert found.probabilities.tolist() == told
    assert [of.classes[at] for at in found.predicted] == [answer["grade"] for answer in answers]
    assert [
        [(notice.kind, notice.feature, notice.value) for notice in row] for row in found.notices
    ] == [
        [(one["kind"], one["feature"], one["value"]) for one in answer["warnings"]]
        for answer in answers
    ]
    assert asdict(of.identity) == answers[0]["model"]


@pytest.mark.parametrize(
    "query",
    [
        {"coverage": 0.8, "method": "aps"},
        {"coverage": 0.95, "method": "raps", "class_conditional": True},
        {"method": "adjacent", "target": 0.02},
        {"target": 0.1},
    ],
    ids=str,
)
def test_sets_and_decisions_are_the_same(
    client: TestClient, version: int, query: dict[str, Any]
) -> None:
    """With whichever options, where there is a calibration."""
    of, values = bundle(version), loans()
    if of.manifest.calibration is None:
        return
    told = {name: str(value).lower() for name, value in query.items()}
    answers = asked(client, "/predict/mc", named(values), passes=100, seed=7, **told)
    check(of.predict_mc(values, 100, 7, **query), answers, of)


@pytest.mark.parametrize(
    ("feature", "value", "code"),
    [
        ("annual_income", -4815.0, FieldCode.TOO_SMALL),
        ("paid_interest", 4.815e13, FieldCode.TOO_LARGE),
        ("delinq_2y", 0.4815, FieldCode.NOT_WHOLE),
    ],
)
def test_what_is_refused_is_refused_by_both(
    client: TestClient, version: int, feature: str, value: float, code: FieldCode
) -> None:
    """For one reason, of a mapping in the same words too, and without the value."""
    row = {**LOAN, feature: value}
    answer = client.post("/predict/mc", json=row)
    assert 422 == answer.status_code
    (error,) = answer.json()["errors"]
    assert (code, feature) == (error["code"], error["field"])
    array = np.array([[np.nan if one is None else one for one in row.values()]])
    for given in (array, [row]):
        with pytest.raises(InvalidInput) as refused:
            bundle(version).predict_mc(given, 5, 1)
        (fault,) = refused.value.faults
        assert (code, feature) == (fault.code, fault.where[-1])
        assert not any("4815" in text for text in (str(refused.value), repr(fault), answer.text))
    told = (fault.message, fault.minimum, fault.maximum)
    assert (error["detail"], error["minimum"], error["maximum"]) == told
