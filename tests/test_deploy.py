"""`deploy/`: it works with a real Prometheus, and asks for nothing that no service shows."""

import asyncio
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.monitoring.metrics import Metrics, Sources
from dubito.bundles.validation.inspection import inspect
from dubito.inputs.rows import example
from dubito.targets import ClassTarget
from dubito.types import Identity
from tests.prometheus import REPORT, asked, prometheus, promtool
from tests.service import ROOT, Service, serving, until

DEPLOY = ROOT / "deploy"
NAME = re.compile(r"dubito_\w+")
PART = re.compile("_(bucket|sum|count)$")
WIDTH = 24
ROWS = 7


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "grafana.json").read_bytes())
    return found


@pytest.fixture(scope="module")
def exposed() -> set[str]:
    """The names of all metrics that a service can show."""

    async def read() -> bytes:
        metrics = Metrics()
        metrics.predictions(Identity("shells", 1, "sha256:5e11"), ClassTarget(("small", "large")))
        async with metrics.watching(
            Sources({"shells": lambda: 0}, figures={"shells": lambda: REPORT})
        ):
            content, _ = await metrics.page("")
        return content

    return set(re.findall(r"^# TYPE (\w+)", asyncio.run(read()).decode(), re.MULTILINE))


def expressions(dashboard: dict[str, Any]) -> list[str]:
    """What the dashboard asks, with its variables as Grafana would fill them in."""
    asks = (target for panel in dashboard["panels"] for target in panel.get("targets", ()))
    return [
        target["expr"]
        .replace("$__rate_interval", "1m")
        .replace("$job", "dubito")
        .replace("$model", ".*")
        .replace("$version", ".*")
        for target in asks
    ]


def test_the_rules_are_sound() -> None:
    """`promtool` finds no fault with rules and example, and every alert's own test holds."""
    assert "SUCCESS" in promtool("check", "rules", str(DEPLOY / "rules.yml"))
    assert "SUCCESS" in promtool("check", "config", str(DEPLOY / "prometheus.yml"))
    assert "SUCCESS" in promtool("test", "rules", str(DEPLOY / "rules_test.yml"))


def test_every_alert_says_what_to_do() -> None:
    """Each has a severity, a summary, a description and a runbook, and a test."""
    text = (DEPLOY / "rules.yml").read_text()
    alerts = re.findall(r"- alert: (\w+)\n(.*?)(?=\n\n|\Z)", text, re.DOTALL)
    tests = (DEPLOY / "rules_test.yml").read_text()
    assert 11 == len(alerts)
    for name, body in alerts:
        assert name in tests
        for member in ("severity:", "summary:", "description:", "runbook:"):
            assert member in body, (name, member)


def test_nothing_is_asked_that_no_service_shows(
    dashboard: dict[str, Any], exposed: set[str]
) -> None:
    """Rules, their tests and the dashboard name only metrics that there are, and most of those."""
    for file in ("rules.yml", "rules_test.yml"):
        text = re.sub(r"#.*|\w+:dubito_\w+(:\w+)?", "", (DEPLOY / file).read_text())
        assert {PART.sub("", name) for name in NAME.findall(text)} <= exposed
    shown = {PART.sub("", name) for text in expressions(dashboard) for name in NAME.findall(text)}
    assert shown <= exposed
    assert shown >= {name for name in exposed if name.startswith("dubito")}


def test_the_dashboard_is_one_that_grafana_takes(dashboard: dict[str, Any]) -> None:
    """Its own identifiers, a place for every panel, and the data source left to whoever imports."""
    panels = dashboard["panels"]
    assert "dubito" == dashboard["uid"]
    assert len(panels) == len({panel["id"] for panel in panels})
    assert {"datasource", "job", "model", "version"} == {
        one["name"] for one in dashboard["templating"]["list"]
    }
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        across = range(place["x"], place["x"] + place["w"])
        down = range(place["y"], place["y"] + place["h"])
        cells = {(x, y) for x in across for y in down}
        assert across.stop <= WIDTH
        assert taken.isdisjoint(cells)
        taken |= cells
        if panel["type"] != "row":
            sources = [panel["datasource"], *(one["datasource"] for one in panel["targets"])]
            assert [{"type": "prometheus", "uid": "${datasource}"}] * len(sources) == sources
            assert panel["description"].endswith(".")


def test_every_expression_of_the_dashboard_parses(
    dashboard: dict[str, Any], tmp_path: Path
) -> None:
    """Each is taken as the expression of a rule."""
    rules = [
        {"record": f"dashboard:{at}", "expr": text}
        for at, text in enumerate(expressions(dashboard))
    ]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", str(file))


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with serving("loan-grade/4") as service:
        yield service


def configured(service: Service, folder: Path) -> Path:
    """The example's configuration, for this service and in a hurry."""
    shutil.copy(DEPLOY / "rules.yml", folder)
    text = (DEPLOY / "prometheus.yml").read_text()
    file = folder / "prometheus.yml"
    file.write_text(
        text.replace(": 15s", ": 1s").replace("127.0.0.1:8000", f"127.0.0.1:{service.port}")
    )
    return file


def test_a_real_prometheus_holds_the_series(
    service: Service, dashboard: dict[str, Any], tmp_path: Path
) -> None:
    """It reads the service every second, and holds what was asked; no alert is raised."""
    row = example(inspect(ROOT / "models" / "loan-grade" / "4").manifest.signature)
    with prometheus(configured(service, tmp_path), tmp_path) as client:
        until(lambda: 1 in asked(client, "up").values())
        for seed in range(ROWS):
            assert httpx.post(f"{service.url}/predict/mc?seed={seed}", json=row).is_success
        until(lambda: [ROWS] == list(asked(client, "sum(dubito_rows_total)").values()))

        for query in (
            'dubito_requests_total{route="/predict/mc", method="POST", status="200"}',
            'dubito_request_duration_seconds_count{route="/predict/mc"}',
            "dubito_passes_total / 100",
            "sum(dubito_decisions_total)",
            'dubito_predictive_entropy_nats_bucket{version="4", le="+Inf"}',
            'dubito_mutual_information_nats_count{version="4"}',
        ):
            assert [ROWS] == list(asked(client, query).values()), query
        (labels,) = asked(client, "dubito_model_info == 1")
        assert ("name", "loan-grade") in labels
        until(lambda: [0, 0] == list(asked(client, "dubito_alarm_raised").values()))
        for query in expressions(dashboard):
            asked(client, query)
        until(lambda: {"ok"} == healths(client))
        assert {} == asked(client, "ALERTS")
    page = httpx.get(f"{service.url}/metrics").text
    assert "" == promtool("check", "metrics", stdin=page).strip()


def healths(client: httpx.Client) -> set[str]:
    """How the rules fare, each evaluated once at least."""
    groups = client.get("/api/v1/rules").json()["data"]["groups"]
    assert 3 == len(groups)
    return {rule["health"] for group in groups for rule in group["rules"]}
