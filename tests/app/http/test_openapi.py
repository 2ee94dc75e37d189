"""The OpenAPI document: valid, with names that clients can be made of and that stay."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
from fastapi.openapi.models import OpenAPI
from pydantic import create_model
from starlette.testclient import TestClient

from app.http.json_schema import gather, schema
from app.main import create_app
from app.settings import Settings
from tests.app.http.test_predict import numbers
from tests.odd_names import publish
from tests.service import ROOT, Service, environment, serving

OPERATIONS = {
    "predict": "POST /predict",
    "predictMonteCarlo": "POST /predict/mc",
    "getPrediction": "GET /predictions/{id}",
    "replayPrediction": "POST /predictions/{id}/replay",
    "whatIf": "POST /predictions/{id}/what-if",
    "recordOutcome": "PUT /predictions/{id}/outcome",
    "listReviews": "GET /reviews",
    "reviewPrediction": "POST /reviews/{id}",
    "assignPrediction": "PUT /reviews/{id}/assignee",
    "listPredictions": "GET /predictions",
    "acknowledgeAlarm": "POST /alarms/{name}/acknowledgement",
    "beginAlarm": "POST /alarms/{name}/beginning",
    "getUncertainty": "GET /uncertainty",
    "streamUncertainty": "GET /uncertainty/stream",
    "getModel": "GET /model",
    "getModelCard": "GET /model/card",
    "listModels": "GET /models",
    "getShadow": "GET /shadow",
    "getCanary": "GET /canary",
    "endCanary": "DELETE /canary",
    "getMetrics": "GET /metrics",
    "getLiveness": "GET /health/live",
    "getReadiness": "GET /health/ready",
}
ASKED = [
    *("Row", "Rows", "OutcomeRequest", "ReviewRequest", "WhatIfRequest", "ChangedFeatures"),
    "AlarmRequest",
]
ANSWERED = [
    *("Prediction", "Predictions", "MonteCarloPrediction", "MonteCarloPredictions"),
    *("MonteCarloPredictionWithDraws", "MonteCarloPredictionsWithDraws", "Draws", "Grade"),
    *("Probabilities", "Uncertainty", "Precision", "PredictionSet", "Decision", "Model"),
    *(
        "OutOfRangeWarning",
        "MarginWarning",
        "MissingWarning",
        "FewPassesWarning",
        "DegradedWarning",
    ),
    *("RecordedPrediction", "Outcome", "Review", "Replay", "ChangedFact", "WhatIf"),
    *("AssignmentRequest", "AssignedPrediction", "PredictionList", "ListedPrediction", "Said"),
    *("ReviewQueue", "ReferredPrediction", "Health", "Limits", "ModelDescription"),
    *("ModelList", "ListedModel", "CandidateDescription"),
    *("ShadowDescription", "ShadowIdentity", "ShadowAnswer", "Disagreeing"),
    *("DisagreeingShare", "RowDifferences"),
    *("CalibrationDescription", "Promise", "Band", "Environment", "Feature", "Seen"),
    *("BooleanFeature", "CategoryFeature", "TensorFeature", "Category", "ValueCounts"),
    *("UncertaintyFigures", "Figures", "StepFigures", "Drift", "FeatureDrift", "Outcomes"),
    *("ExchangeFigures", "StepServiceFigures", "ServiceFigures"),
    *("Coverage", "AutomatedErrors", "ReliabilityBin", "RiskPoint", "Estimate", "Alarm"),
    *("Acknowledgement", "PastRun"),
    *("Problem", "InvalidProblem", "FieldProblem"),
]
UNCALIBRATED = {"PredictionSet", "Decision", "FewPassesWarning"}
"""Parts that only calibrated bundles have."""
GENERATOR = "openapi-python-client==0.29.1"
GRADE = """
import json, sys
from dubito_client import Client
from dubito_client.api.grading import predict, predict_monte_carlo
from dubito_client.api.records import get_prediction
from dubito_client.models import InvalidProblem, Row, Rows

url, loans = sys.argv[1], json.loads(sys.stdin.read())
answers = []
with Client(base_url=url) as client:
    for at, loan in enumerate(loans):
        row = Row.from_dict(loan)
        named = {"idempotency_key": f"loan {at}", "dubito_reference": f"case {at}"}
        mc = predict_monte_carlo.sync(client=client, body=row, seed=at, x_request_id="a", **named)
        plain = predict.sync(client=client, body=Rows(instances=[row]))
        assert f"case {at}" == get_prediction.sync(mc.id, client=client).reference
        answers.append([mc.to_dict(), plain.to_dict()])
    wrong = predict.sync(client=client, body=Row.from_dict(loans[0] | {"loan_amount": -1}))
    assert isinstance(wrong, InvalidProblem) and "loan_amount" == wrong.errors[0].field
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The document of a service that records."""
    return document_of(Settings(models=ROOT / "models", state=tmp_path_factory.mktemp("state")))


def document_of(settings: Settings) -> dict[str, Any]:
    with TestClient(
        create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)
    ) as client:
        first, again = (client.get("/openapi.json").json() for _ in range(2))
    assert first == again
    found: dict[str, Any] = first
    return found


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every operation by its method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def references(value: Any) -> Iterator[str]:
    """Yield every reference in a document."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def parameters(operation: dict[str, Any], kind: str) -> set[str]:
    """The names of an operation's parameters of a kind."""
    return {one["name"] for one in operation.get("parameters", ()) if one["in"] == kind}


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    """OpenAPI's own form, references that lead somewhere, and schemas that are schemas."""
    OpenAPI(**document)
    for reference in references(document):
        found = document
        for name in reference.removeprefix("#/").split("/"):
            found = found[name]
    for content in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate(content)
    for name, operation in operations(document).items():
        assert set(re.findall(r"\{(\w+)\}", name)) == parameters(operation, "path")
        assert all(answer["description"] for answer in operation["responses"].values())
        names = [(one["in"], one["name"]) for one in operation.get("parameters", ())]
        assert len(names) == len(set(names))


def test_operations_have_the_names_that_clients_know(document: dict[str, Any]) -> None:
    """One identifier each, in camel case; a change of them breaks every client that was made."""
    found = {one["operationId"]: name for name, one in operations(document).items()}
    assert OPERATIONS == found


def test_parts_have_public_names(document: dict[str, Any], tmp_path: Path) -> None:
    """Every part is named once, and alike for every bundle; none is spelt by modules."""
    names = set(document["components"]["schemas"])
    assert {*ASKED, *ANSWERED} == names
    assert all(name.isalnum() and name[0].isupper() for name in names)
    other = document_of(Settings(models=ROOT / "models", version=1, state=tmp_path / "one"))
    assert names - UNCALIBRATED == set(other["components"]["schemas"])
    publish(tmp_path / "models")
    odd = Settings(models=tmp_path / "models", model="odd", state=tmp_path / "other")
    assert names == set(document_of(odd)["components"]["schemas"])


def test_bodies_and_answers_refer_to_parts(document: dict[str, Any]) -> None:
    """No body or answer in JSON is spelt out where it stands."""
    for name, operation in operations(document).items():
        contents = [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in contents:
            for media_type, told in content.get("content", {}).items():
                if media_type.endswith("json"):
                    schemas = told["schema"].get("anyOf", [told["schema"]])
                    assert [["$ref"]] * len(schemas) == [list(one) for one in schemas], name


def test_every_exchange_has_its_headers(document: dict[str, Any]) -> None:
    """What is read from a request's head and told in an answer's is documented."""
    for name, operation in operations(document).items():
        read = {"X-Request-ID"}
        if name.startswith("POST /predict") and "{id}" not in name:
            read |= {"Idempotency-Key", "Dubito-Reference"}
        if name == "GET /uncertainty":
            read |= {"If-None-Match"}
        assert read == parameters(operation, "header"), name
        for status, answer in operation["responses"].items():
            told = {"X-Request-ID"}
            if status == "503" and name != "GET /health/ready":
                told |= {"Retry-After"}
            if name == "GET /uncertainty" and status in {"200", "304"}:
                told |= {"ETag"}
            assert told == set(answer["headers"]), (name, status)


def test_refusals_are_problems(document: dict[str, Any]) -> None:
    """Every documented refusal is a problem, with its fields where it is 422."""
    for operation in operations(document).values():
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                (part,) = answer["content"].values()
                name = "InvalidProblem" if status == "422" else "Problem"
                assert ["application/problem+json"] == list(answer["content"])
                assert {"$ref": f"#/components/schemas/{name}"} == part["schema"]
    for name in ("POST /predict", "POST /predict/mc"):
        assert {"403", "409", "415", "503"} < set(operations(document)[name]["responses"])


def test_two_parts_of_one_name_are_a_mistake() -> None:
    """A name never means two things: the document is not given out."""
    one, other = (create_model("Twin", a=(kind, ...)) for kind in (int, str))
    twins = {"paths": {"/": [schema(one).made(), schema(other).made()]}}
    with pytest.raises(ValueError, match="two schemas are called Twin"):
        gather(twins)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with serving() as service:
        yield service


def run(*words: str | Path, folder: Path, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program to its end; it must end well."""
    # The generator formats what it writes by a program of its own environment.
    path = f"{folder / 'own' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env=environment({"PATH": path, "PYTHONPATH": str(folder / "client")}),
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    return done


@pytest.mark.claim("generated client", test=0, proof=200)
def test_a_generated_client_grades(
    count: int, loan: dict[str, Any], tmp_path: Path, record_property: Any, request: Any
) -> None:
    """A client that openapi-python-client makes of the document, without a warning, grades loans.

    Its answers are those of the service, seed by seed; what it is refused it reads as a problem.
    """
    service: Service = request.getfixturevalue("service")
    python = tmp_path / "own" / "bin" / "python"
    run(sys.executable, "-m", "venv", tmp_path / "own", folder=tmp_path)
    run(python, "-m", "pip", "install", "--quiet", GENERATOR, folder=tmp_path)
    program = python.with_name("openapi-python-client")
    address = f"{service.url}/openapi.json"
    made = run(program, "generate", "--url", address, "--output-path", "client", folder=tmp_path)
    assert "warning" not in (made.stdout + made.stderr).lower(), made.stdout + made.stderr
    loans = [loan | {"loan_amount": 1000 + 150 * at} for at in range(count)]
    done = run(python, "-c", GRADE, service.url, folder=tmp_path, given=json.dumps(loans))
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        for seed, (row, (mc, plain)) in enumerate(zip(loans, json.loads(done.stdout), strict=True)):
            expected = client.post("/predict/mc", json=row, params={"seed": seed}).json()
            assert numbers(expected) == numbers(mc)
            assert numbers(client.post("/predict", json=row).json()) == numbers(
                plain["predictions"][0]
            )
    record_property("figure", f"{count:,} loans graded by a client generated without a warning")
