"""`/metrics` of a service: what it says after some traffic, and what it never says."""

from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.errors import DeadlineUnmeetable
from app.http import problems
from app.http.middleware import Conduct
from tests.prometheus import promtool, samples, total

PLANTED = [f"{94_827 + 37 * at}.{5163 + at}" for at in range(50)]
"""Figures that nothing holds by chance."""


def read(client: TestClient) -> dict[Any, float]:
    answer = client.get("/metrics")
    assert 200 == answer.status_code
    assert "text/plain; version=0.0.4; charset=utf-8" == answer.headers["content-type"]
    return samples(answer.text)


def test_each_answer_is_counted_once(calibrated: TestClient, loan: dict[str, Any]) -> None:
    """Requests by route and status, rows, passes and doubt: what was asked, no more and no less."""
    before = read(calibrated)
    for seed in range(3):
        calibrated.post(f"/predict/mc?passes=60&seed={seed}", json=loan)
    calibrated.post("/predict/mc?passes=60", json={"instances": [loan] * 40})
    calibrated.post("/predict", json={"instances": [loan] * 17})
    calibrated.post("/predict", json={})
    calibrated.get("/nowhere")
    after = read(calibrated)

    def more(name: str, **labels: str) -> float:
        return total(after, name, **labels) - total(before, name, **labels)

    assert 4 == more("dubito_requests_total", route="/predict/mc", method="POST", status="200")
    assert 1 == more("dubito_requests_total", route="/predict", status="422")
    assert 1 == more("dubito_requests_total", route="-", status="404")
    assert 4 == more("dubito_request_duration_seconds_count", route="/predict/mc")
    assert 43 == more("dubito_rows_total", endpoint="/predict/mc", version="3")
    assert 17 == more("dubito_rows_total", endpoint="/predict")
    assert 43 * 60 == more("dubito_passes_total")
    assert 43 == more("dubito_decisions_total")
    assert 43 == more("dubito_predictive_entropy_nats_count")
    assert 43 == more("dubito_warnings_total", kind="few_passes")
    assert 5 <= more("dubito_batch_work_count")
    assert 43 * 60 + 17 * 50 == more("dubito_batch_work_sum")


def test_a_late_answer_is_counted_with_its_reason(
    calibrated: TestClient, loan: dict[str, Any]
) -> None:
    """A deadline that cannot be met, or that passed: one request given up."""
    before = read(calibrated)
    many = {"instances": [loan] * 900}
    answer = calibrated.post("/predict/mc?passes=1000&deadline_ms=1", json=many)
    reason = {503: "deadline_unmeetable", 504: "deadline_passed"}[answer.status_code]
    name = "dubito_refusals_total"
    assert total(before, name, reason=reason) + 1 == total(read(calibrated), name, reason=reason)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("application/openmetrics-text;version=1.0.0,*/*", "application/openmetrics-text"),
        ("application/openmetrics-text;version=a.b", "application/openmetrics-text"),
        ("text/plain;version=a.b;escaping=c", "text/plain"),
        ("*/*", "text/plain"),
        ("x" * 4000, "text/plain"),
    ],
)
def test_the_form_is_the_one_asked_for(client: TestClient, accept: str, media_type: str) -> None:
    """OpenMetrics for those who know it; an odd header is no error."""
    answer = client.get("/metrics", headers={"Accept": accept})
    assert 200 == answer.status_code
    assert media_type == answer.headers["content-type"].partition(";")[0]


def test_it_asks_for_no_name(client: TestClient) -> None:
    """Prometheus may know the service by any name: no record is shown here."""
    assert 200 == client.get("/metrics", headers={"Host": "dubito.example:9"}).status_code


def test_a_fault_of_the_service_is_counted() -> None:
    """500 is answered outside of what counts, and is counted nevertheless, once."""
    seen: list[tuple[str, str, int]] = []
    refused: list[str] = []
    app = FastAPI()
    problems.install(app, refused.append)
    app.add_middleware(Conduct, observe=lambda *what: seen.append(what[:3]))

    @app.get("/fails")
    async def fails() -> None:
        raise ZeroDivisionError

    @app.get("/late")
    async def late() -> None:
        raise DeadlineUnmeetable(2)

    with TestClient(app, raise_server_exceptions=False, client=("127.0.0.1", 50_000)) as client:
        assert [500, 503] == [client.get(path).status_code for path in ("/fails", "/late")]
    assert [("/fails", "GET", 500), ("/late", "GET", 503)] == seen
    assert ["deadline_unmeetable"] == refused


def test_no_figure_of_a_borrower_is_in_metrics(client: TestClient, loan: dict[str, Any]) -> None:
    """Planted in features, names, queries, addresses, methods and headers: found nowhere."""
    for figure in PLANTED:
        for body in (
            loan | {"loan_amount": float(figure), "annual_income": float(figure)},
            loan | {"loan_amount": figure},
            loan | {figure: 1},
            {"instances": [loan | {"paid_principal": float(figure)}] * 2},
        ):
            client.post("/predict", json=body)
            client.post("/predict/mc?passes=50", json=body, headers={"X-Request-ID": figure})
        client.post(f"/predict/mc?passes={figure}", json=loan)
        client.get(f"/{figure}")
        client.request(f"A{figure}", "/predict")
    for accept in ("", "application/openmetrics-text"):
        page = client.get("/metrics", headers={"Accept": accept}).text
        assert [] == [figure for figure in PLANTED if figure in page]
    assert set(map(float, PLANTED)).isdisjoint(read(client).values())
    assert "" == promtool("check", "metrics", stdin=client.get("/metrics").text).strip()


def test_it_is_documented(client: TestClient) -> None:
    """OpenAPI names the route, and text as what it answers."""
    answers = client.get("/openapi.json").json()["paths"]["/metrics"]["get"]["responses"]
    assert {"text/plain", "application/openmetrics-text"} == set(answers["200"]["content"])
