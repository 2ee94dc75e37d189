"""Prediction sets and decisions over HTTP, of a calibrated bundle and of one that is not."""

from typing import Any

import jsonschema_rs
import pytest
from starlette.testclient import TestClient

from dubito.bundle import Bundle
from dubito.types import Calibration, Query
from dubito.uncertainty.conformal import prediction_sets
from dubito.uncertainty.decision import decide
from dubito.uncertainty.guard import RangeGuard
from dubito.uncertainty.rules import rule_reasons
from dubito.uncertainty.scores import METHODS
from tests.app.http.test_information import openapi
from tests.app.http.test_predict import CLASSES, Loan, array, ask, loans, numbers
from tests.calibrated import PASSES, ROWS, RULE, TARGET, THRESHOLDS

MC = "/predict/mc"
JUDGED_OPTIONS = {"coverage": "0.9", "method": "lac", "class_conditional": "true", "target": "0.05"}


def asked_rows() -> list[Loan]:
    """Loans, one without evidence and one out of range."""
    rows = loans(40, 8)
    nothing = {"paid_principal": 0, "paid_interest": 0}
    return [*rows, rows[0] | nothing, rows[1] | {"annual_income": 1e9}]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.99, 0.999])
@pytest.mark.parametrize("class_conditional", [False, True])
def test_sets_are_the_conformal_ones(
    calibrated: TestClient,
    calibrated_bundle: Bundle,
    method: str,
    coverage: float,
    *,
    class_conditional: bool,
) -> None:
    """Grades, coverage, method and notes are those of `dubito.uncertainty.conformal`."""
    rows = asked_rows()
    calibration = calibrated_bundle.manifest.calibration
    assert isinstance(calibration, Calibration)
    (summary,) = calibrated_bundle.engine.summarise([Query(array(rows), PASSES, 5)])
    wanted = prediction_sets(calibration, summary.mean, method, coverage, class_conditional)
    answers = ask(
        calibrated,
        "/predict/mc",
        {"instances": rows},
        seed=5,
        passes=PASSES,
        method=method,
        coverage=coverage,
        class_conditional=str(class_conditional).lower(),
    )["predictions"]

    notes = set()
    for inside, answer in zip(wanted.sets, answers, strict=True):
        found = answer["prediction_set"]
        notes.update(found.pop("notes"))
        assert {
            "coverage": coverage,
            "method": method,
            "class_conditional": class_conditional,
            "grades": [name for name, is_in in zip(CLASSES, inside, strict=True) if is_in],
            "guaranteed": True,
        } == found
        assert answer["grade"] in found["grades"]
    assert wanted.below_accuracy == any("sets cover more" in note for note in notes)
    assert bool(wanted.always) == any("too few calibration rows" in note for note in notes)
    if class_conditional and coverage > 0.5:
        assert any(" G" in note for note in notes)


@pytest.mark.parametrize("target", THRESHOLDS)
def test_decisions_are_the_policys(
    calibrated: TestClient, calibrated_bundle: Bundle, target: float
) -> None:
    """Action, reasons and guarantee are those of `dubito.uncertainty.decision`."""
    rows = asked_rows()
    manifest, features = calibrated_bundle.manifest, array(rows)
    (summary,) = calibrated_bundle.engine.summarise([Query(features, 120, 5)])
    assert manifest.calibration is not None
    wanted = decide(
        manifest.calibration.policy,
        PASSES,
        target,
        summary,
        120,
        RangeGuard(manifest.signature).notices(features),
        rule_reasons(features, manifest.signature, [RULE]),
    )
    body = {"instances": rows}
    answers = ask(calibrated, "/predict/mc", body, seed=5, passes=120, target=target)["predictions"]
    found = [answer["decision"] for answer in answers]

    assert [
        {
            "action": decision.action,
            "reasons": list(decision.reasons),
            "target": target,
            "guaranteed": True,
        }
        for decision in wanted
    ] == found
    assert "no_evidence" in found[-2]["reasons"]
    assert "out_of_range" in found[-1]["reasons"]
    if target == TARGET:
        assert {"automate", "refer"} == {decision["action"] for decision in found}


def test_the_bundle_says_what_is_usual(calibrated: TestClient, loan: Loan) -> None:
    """Without options the calibration's coverage, LAC and the policy's target are used."""
    plain = ask(calibrated, "/predict/mc", loan, seed=1)
    options = {"coverage": "0.9", "method": "lac", "class_conditional": "false", "target": "0.05"}
    assert numbers(plain) == numbers(ask(calibrated, "/predict/mc", loan, seed=1, **options))
    assert (0.9, "lac", 0.05) == (
        plain["prediction_set"]["coverage"],
        plain["prediction_set"]["method"],
        plain["decision"]["target"],
    )


def test_a_decision_does_not_depend_on_the_set(calibrated: TestClient) -> None:
    """Whatever coverage, method or classes are asked for, the decisions are the same."""
    body = {"instances": asked_rows()}
    found = [
        [row["decision"] for row in ask(calibrated, MC, body, seed=2, **options)["predictions"]]
        for options in (
            {},
            {"coverage": "0.5"},
            {"coverage": "0.999", "method": "aps"},
            {"method": "adjacent", "class_conditional": "true"},
        )
    ]
    assert [found[0]] * 4 == found


def test_few_passes_promise_nothing(calibrated: TestClient) -> None:
    """Below the calibration's passes: a warning, no guarantee, and every row is referred."""
    body = {"instances": asked_rows()}
    for answer in ask(calibrated, "/predict/mc", body, seed=2, passes=PASSES - 1)["predictions"]:
        warning = {"kind": "few_passes", "passes": PASSES - 1, "calibrated_passes": PASSES}
        assert warning == answer["warnings"][-1]
        assert not answer["prediction_set"]["guaranteed"]
        assert not answer["decision"]["guaranteed"]
        assert "refer" == answer["decision"]["action"]
        assert "few_passes" in answer["decision"]["reasons"]


def test_enough_is_judged_row_by_row(calibrated: TestClient) -> None:
    """With `passes=auto` each row is judged by its own passes, as it is alone."""
    rows = asked_rows()
    options = {"passes": "auto", "tolerance": 0.02, "max_passes": 500, "seed": 3}
    answers = ask(calibrated, "/predict/mc", {"instances": rows}, **options)["predictions"]
    assert {True} == {answer["decision"]["guaranteed"] for answer in answers}
    assert 1 < len({answer["passes"] for answer in answers})
    for row, answer in zip(rows, answers, strict=True):
        alone = ask(calibrated, "/predict/mc", row, passes=answer["passes"], seed=3)
        assert (answer["passes"] >= PASSES) == answer["decision"]["guaranteed"]
        for name in ("decision", "prediction_set", "warnings", "mean"):
            assert alone[name] == answer[name]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("target", "0.02", "must be one of 0.005, 0.01, 0.05"),
        ("target", "abc", "must be one of 0.005, 0.01, 0.05"),
        ("target", "1e-2", "must be one of"),
        ("coverage", "0.49", "0.5"),
        ("coverage", "0.9991", "0.999"),
        ("coverage", "nan", "plain digits"),
        ("coverage", "9e-1", "plain digits"),
        ("method", "LAC", "'adjacent', 'aps', 'lac' or 'raps'"),
        ("method", "", "'lac'"),
        ("class_conditional", "1", "true or false"),
    ],
)
def test_a_bad_option_is_refused(
    calibrated: TestClient, loan: Loan, name: str, text: str, told: str
) -> None:
    """422 names the parameter and what it may be."""
    answer = calibrated.post("/predict/mc", json=loan, params={name: text})
    assert 422 == answer.status_code
    (error,) = answer.json()["errors"]
    assert name == error["field"]
    assert told in error["detail"]


@pytest.mark.parametrize("name", JUDGED_OPTIONS)
def test_without_calibration_there_is_no_such_option(
    uncalibrated: TestClient, loan: Loan, name: str
) -> None:
    """A bundle without calibration refuses options of sets and decisions, and documents none."""
    answer = uncalibrated.post("/predict/mc", json=loan, params={name: JUDGED_OPTIONS[name]})
    assert 422 == answer.status_code
    assert [name] == [error["field"] for error in answer.json()["errors"]]
    parameters = openapi(uncalibrated)["paths"]["/predict/mc"]["post"]["parameters"]
    assert name not in [parameter["name"] for parameter in parameters]


def test_without_calibration_there_is_neither(uncalibrated: TestClient, loan: Loan) -> None:
    """Sets and decisions of such a bundle are null, and so is its calibration."""
    answer = ask(uncalibrated, "/predict/mc", loan, passes=1)
    assert (None, None) == (answer["prediction_set"], answer["decision"])
    assert [] == answer["warnings"]
    assert uncalibrated.get("/model").json()["calibration"] is None


def test_the_calibration_is_described(calibrated: TestClient, calibrated_bundle: Bundle) -> None:
    """`GET /model` tells passes, rows, coverage, methods, and what each promise costs."""
    calibration = calibrated_bundle.manifest.calibration
    assert isinstance(calibration, Calibration)
    assert {
        "passes": PASSES,
        "rows": ROWS,
        "accuracy": calibration.accuracy,
        "coverage": 0.9,
        "methods": [*sorted(METHODS)],
        "target": 0.05,
        "confidence": 0.95,
        "epistemic": 0.2,
        "case_limit": None,
        "likelihood": None,
        "promises": [
            {
                "target": promise.target,
                "automated": promise.automated,
                "wrong": promise.wrong,
                "band": None,
                "wanting": None,
            }
            for promise in calibration.policy.promises
        ],
    } == calibrated.get("/model").json()["calibration"]


def test_what_is_promised_of_single_cases_is_told(promising: TestClient, loan: Loan) -> None:
    """By the decision, its limit; by `GET /model`, the bands, and rows that were too few."""
    decision = ask(promising, "/predict/mc", loan, passes=PASSES)["decision"]
    assert 0.1 == decision["case_limit"]
    found = promising.get("/model").json()["calibration"]
    assert (0.1, 0.5) == (found["case_limit"], found["likelihood"])
    for line in found["promises"]:
        assert (line["band"] is None) == (line["automated"] == 0)
        assert line["band"] is None or {"bound", "share", "automated", "wrong"} == set(line["band"])
    assert found["promises"][0]["wanting"] > 0
    assert found["promises"][-1]["band"] is not None


@pytest.mark.parametrize("service", ["calibrated", "promising"])
def test_answers_are_as_documented(
    request: pytest.FixtureRequest, service: str, loan: Loan
) -> None:
    """Every member of an answer is required, at any depth, and no other is allowed."""
    calibrated: TestClient = request.getfixturevalue(service)
    document = openapi(calibrated)
    odd = loan | {"debt_to_income": None, "loan_amount": 5}
    schema = document["paths"]["/predict/mc"]["post"]["responses"]["200"]["content"]
    whole = schema["application/json"]["schema"] | {"components": document["components"]}
    validator = jsonschema_rs.validator_for(whole)
    for query in ("passes=3", "passes=3&draws=true", "passes=auto&max_passes=200&coverage=0.6"):
        answer = calibrated.post(f"/predict/mc?{query}", json=odd).json()
        validator.validate(answer)
        assert not validator.is_valid(answer | {"extra": 1})
        for name in answer.keys() - {"draws"}:
            assert not validator.is_valid(_without(answer, name)), name
        for outer in ("prediction_set", "decision", "precision"):
            for name in answer[outer]:
                assert not validator.is_valid(answer | {outer: _without(answer[outer], name)})
        for name in answer["warnings"][-1]:
            short = [_without(answer["warnings"][-1], name)]
            assert not validator.is_valid(answer | {"warnings": short})


def test_no_answer_has_defaults(calibrated: TestClient) -> None:
    """Output models have no default values."""
    schemas = openapi(calibrated)["components"]["schemas"]
    assert [] == [
        (name, member)
        for name, schema in schemas.items()
        for member, described in schema.get("properties", {}).items()
        if "default" in described or member not in schema.get("required", [])
    ]


def test_the_documentation_says_what_a_decision_is_not(calibrated: TestClient) -> None:
    """OpenAPI says that a decision says nothing about granting the loan, where it is defined."""
    document = openapi(calibrated)
    decided = document["components"]["schemas"]["Decision"]["description"]
    assert "says nothing about granting the loan" in decided
    assert "says nothing about granting the loan" in document["info"]["description"]


def test_options_are_documented(calibrated: TestClient) -> None:
    """What may be asked stands in the parameters' schemas."""
    parameters = {
        parameter["name"]: parameter["schema"]
        for parameter in openapi(calibrated)["paths"]["/predict/mc"]["post"]["parameters"]
    }
    assert [0.005, 0.01, 0.05] == [one["const"] for one in parameters["target"]["anyOf"]]
    assert 0.05 == parameters["target"]["default"]
    assert sorted(METHODS) == sorted(parameters["method"]["enum"])
    assert (0.5, 0.999) == (parameters["coverage"]["minimum"], parameters["coverage"]["maximum"])
    assert {"const": "auto"} in [
        {name: one[name] for name in one if name != "type"} for one in parameters["passes"]["anyOf"]
    ]


def _without(members: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in members.items() if key != name}
