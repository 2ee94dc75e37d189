"""What the service says of itself: model, health, documentation."""

import json
import re
from dataclasses import asdict
from typing import Any
from urllib.parse import urljoin

import jsonschema_rs
import pytest
from starlette.testclient import TestClient

from dubito.bundle import Bundle
from dubito.features import NumberFeature
from tests.app.http.conftest import SETTINGS

ANSWERS = re.compile(r"""(?:src|href|url)\s*[=:]\s*["']?([^"'\s>,)]+)""")


def test_the_model_is_described(client: TestClient, bundle: Bundle) -> None:
    """`GET /model`: signature, held-out figures, digest, environment and limits."""
    manifest = bundle.manifest
    described = client.get("/model").json()
    identity = {name: described[name] for name in ("name", "version", "digest")}
    features = json.loads(json.dumps([asdict(feature) for feature in manifest.features]))

    assert asdict(manifest.identity) == identity
    assert features == described["features"]
    assert list(manifest.classes) == described["classes"]
    assert (manifest.calibration is None) == (described["calibration"] is None)
    assert manifest.metrics == described["metrics"]
    assert asdict(manifest.trained) == described["trained"]
    assert asdict(bundle.environment) == described["environment"]
    assert {
        "passes": SETTINGS.max_passes,
        "rows": SETTINGS.max_rows,
        "work": SETTINGS.max_work,
        "body_bytes": SETTINGS.max_body_bytes,
    } == described["limits"]


@pytest.mark.parametrize(
    ("address", "status"), [("/health/live", "alive"), ("/health/ready", "ready")]
)
def test_health_is_told(client: TestClient, address: str, status: str) -> None:
    """A service with a bundle lives and is ready."""
    answer = client.get(address)
    assert (200, {"status": status}) == (answer.status_code, answer.json())


def openapi(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


@pytest.mark.parametrize("route", ["/predict", "/predict/mc"])
def test_the_examples_work(client: TestClient, route: str) -> None:
    """Every documented example is valid by its schema, is graded, and warns of nothing."""
    document = openapi(client)
    content = document["paths"][route]["post"]["requestBody"]["content"]["application/json"]
    whole = content["schema"] | {"components": document["components"]}
    validator = jsonschema_rs.validator_for(whole)

    assert content["examples"]
    for example in content["examples"].values():
        validator.validate(example["value"])
        answer = client.post(route, json=example["value"])
        assert 200 == answer.status_code
        rows = answer.json().get("predictions", [answer.json()])
        assert [[]] * len(rows) == [row["warnings"] for row in rows]


@pytest.mark.parametrize("route", ["/predict", "/predict/mc"])
def test_the_features_are_documented(client: TestClient, bundle: Bundle, route: str) -> None:
    """Names, titles, units, ranges, what training saw, aliases and null stand in the schema."""
    document = openapi(client)
    content = document["paths"][route]["post"]["requestBody"]["content"]["application/json"]
    named = [one["$ref"].rpartition("/")[2] for one in content["schema"]["anyOf"]]
    assert ["Row", "Rows"] == named
    row = document["components"]["schemas"]["Row"]

    assert list(bundle.manifest.signature.names) == list(row["properties"]) == row["required"]
    for feature in bundle.manifest.features:
        assert isinstance(feature, NumberFeature)
        shown = row["properties"][feature.name]
        number = shown["anyOf"][0] if feature.nullable else shown
        assert feature.title == shown["title"]
        assert (feature.minimum, feature.maximum) == (number["minimum"], number["maximum"])
        assert ("integer" if feature.kind == "integer" else "number") == number["type"]
        assert feature.nullable == ({"type": "null"} in shown.get("anyOf", []))
        assert feature.nullable == ("May be null." in shown["description"])
        for text in (feature.unit, *feature.aliases, f"{feature.seen.maximum:,.12g}"):
            assert text in shown["description"]


def test_answers_are_as_documented(client: TestClient, loan: dict[str, Any]) -> None:
    """Every member of an answer is required, and no other is allowed."""
    document = openapi(client)
    odd = loan | {"debt_to_income": None, "loan_amount": 5}
    for route, body in (
        ("/predict", odd),
        ("/predict", {"instances": [odd]}),
        ("/predict/mc", odd),
        ("/predict/mc?draws=true", {"instances": [odd, odd]}),
    ):
        path = document["paths"][route.partition("?")[0]]["post"]
        schema = path["responses"]["200"]["content"]["application/json"]["schema"]
        whole = schema | {"components": document["components"]}
        validator = jsonschema_rs.validator_for(whole)
        answer = client.post(route, json=body).json()
        validator.validate(answer)
        assert not validator.is_valid(answer | {"extra": 1})
        for name in answer:
            assert not validator.is_valid({k: v for k, v in answer.items() if k != name}), name


def test_no_answer_has_defaults(client: TestClient) -> None:
    """Output models have no default values."""
    schemas = openapi(client)["components"]["schemas"]
    assert [] == [
        (name, member)
        for name, schema in schemas.items()
        for member, described in schema.get("properties", {}).items()
        if "default" in described or member not in schema.get("required", [])
    ]


def test_the_documentation_stays_at_home(client: TestClient) -> None:
    """`/docs` loads nothing from another host, and what it loads is there."""
    page = client.get("/docs")
    assert 200 == page.status_code
    assert [] == re.findall(r"(?:https?:)?//[a-z0-9-]+\.[a-z.]+", page.text)
    assets = [link for link in ANSWERS.findall(page.text) if not link.startswith("data:")]
    assert len(assets) >= 3
    for link in assets:
        # Relative, so that the page works under a path prefix as well.
        assert not link.startswith("/")
        assert 200 == client.get(urljoin("/docs", link)).status_code, link


def test_the_documentation_says_what_a_grade_is_not(client: TestClient) -> None:
    """OpenAPI says that a grade says nothing about granting a loan."""
    assert "says nothing about whether anything should be granted" in " ".join(
        openapi(client)["info"]["description"].split()
    )
