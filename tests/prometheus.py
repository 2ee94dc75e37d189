"""Prometheus' own programs, and its pages in a form that can be compared."""

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from msgspec import structs
from prometheus_client.parser import text_string_to_metric_families

from app.monitoring.report import (
    AlarmReport,
    CoverageSeen,
    DriftReport,
    Report,
    ServiceStatistics,
    StreamDrift,
)
from app.monitoring.statistics import (
    answer_statistics,
    expected_statistics,
    outcome_statistics,
    traffic_statistics,
)
from app.processes.port import bound
from dubito.types import Identity
from tests.programs import program
from tests.service import ended

SECONDS = 30

Series = tuple[str, tuple[tuple[str, str], ...]]
"""A name, and labels in order."""


def _alarm(name: str, evidence: float, *, is_raised: bool) -> AlarmReport:
    return AlarmReport(
        name, is_raised, evidence, evidence, 100.0, 812, None, None, None, None, past=()
    )


REPORT = Report(
    window="1h",
    step="1m",
    start="2026-11-28T09:00:00+00:00",
    end="2026-11-28T10:00:00+00:00",
    model=Identity("shells", 1, "sha256:5e11"),
    total=answer_statistics({}, ("small", "large")),
    steps=(),
    drift=DriftReport(
        812,
        (
            StreamDrift("loan_amount", 812, 0, 0.012, None, None),
            StreamDrift("mutual_information", 0, 0, None, None, None),
        ),
    ),
    outcomes=structs.replace(outcome_statistics({}, None), coverage=CoverageSeen(0.99, 0.97, 120)),
    estimate=expected_statistics({}),
    alarms=(_alarm("drift", 131.5, is_raised=True), _alarm("validity", 0.4, is_raised=False)),
    service=ServiceStatistics(
        **structs.asdict(traffic_statistics({})), last_record=None, queue=0, trouble=None
    ),
)
"""Of a bundle, what metrics show."""


def samples(page: str) -> dict[Series, float]:
    """All series of a page."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def total(page: Mapping[Series, float], name: str, /, **labels: str) -> float:
    """The sum of a metric's series with these labels."""
    return sum(
        value
        for (found, pairs), value in page.items()
        if found == name and labels.items() <= dict(pairs).items()
    )


def promtool(*words: str, stdin: str = "") -> str:
    """What promtool says of something that it finds no fault with."""
    done = subprocess.run(
        [program("promtool"), *words],
        input=stdin,
        text=True,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    said = done.stdout + done.stderr
    assert 0 == done.returncode, said
    return said


@contextmanager
def prometheus(config: Path, folder: Path) -> Iterator[httpx.Client]:
    """Prometheus for the length of a block; a client of its HTTP interface."""
    with bound("127.0.0.1", 0) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                program("prometheus"),
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        with httpx.Client(base_url=f"http://{address}") as client:
            _wait(client)
            yield client
    finally:
        ended(process)


def asked(client: httpx.Client, query: str) -> dict[tuple[tuple[str, str], ...], float]:
    """What a query finds now, by labels."""
    answer = client.get("/api/v1/query", params={"query": query})
    assert 200 == answer.status_code, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]["result"]
    return {tuple(sorted(one["metric"].items())): float(one["value"][1]) for one in found}


def _wait(client: httpx.Client) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            if client.get("/-/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise TimeoutError("Prometheus did not start")
