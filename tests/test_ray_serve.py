"""The application of Ray Serve: the routes and the answers of `dubito serve`, and its records."""

import json
import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from dubito.answer import to_builtins
from dubito.bundle import load
from dubito.prediction import answer_builder
from tests import postgres
from tests.app.records.clients import recorded
from tests.scored import rows_like
from tests.service import ROOT, free_port, until
from tests.test_ray import PYTHON, cluster_environment

FOLDER = ROOT / "models" / "loan-grade" / "5"
BUNDLE = load(FOLDER)
REPLICAS = 2
SECONDS = 180


class Served(NamedTuple):
    """The application, and where its records are."""

    url: str
    state: Path
    records: str


@contextmanager
def serving(state: Path, records: str) -> Iterator[Served]:
    port = free_port()
    variables = {
        **cluster_environment(),
        "DUBITO_MODELS": str(ROOT / "models"),
        "DUBITO_STATE": str(state),
        "DUBITO_RECORDS_URL": records,
    }
    program = ROOT / "tests" / "clients" / "ray_serve.py"
    told = {
        name: variables[name] for name in variables if name.startswith(("DUBITO", "PYTHONPATH"))
    }
    with subprocess.Popen(
        [str(PYTHON), str(program), str(port), str(REPLICAS), json.dumps(told)],
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        assert b"serving" in process.stdout.readline()
        yield Served(f"http://127.0.0.1:{port}", state, records)
        process.communicate(timeout=SECONDS)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with ExitStack() as stack:
        records = stack.enter_context(stack.enter_context(postgres.serving()).database())
        yield stack.enter_context(serving(tmp_path_factory.mktemp("state"), records))


def expected(row: Any, seed: int) -> dict[str, Any]:
    manifest = BUNDLE.manifest
    builder = answer_builder(BUNDLE.identity, manifest.target, manifest.calibration)
    (answer,) = builder.monte_carlo(BUNDLE.predict_mc([row], seed=seed), range(1))
    return {name: one for name, one in to_builtins(answer).items() if name != "id"}


@pytest.mark.claim("Ray Serve", test=0, proof=300)
def test_answers_are_those_of_the_library(served: Served, count: int, record_property: Any) -> None:
    """Whichever replica gives them: to the last bit."""
    with httpx.Client(base_url=served.url, trust_env=False, timeout=60) as client:
        for seed, row in enumerate(rows_like(BUNDLE, count)):
            told = client.post("/predict/mc", params={"seed": seed}, json=row).json()
            del told["id"]
            assert expected(row, seed) == told
    record_property("figure", f"{count} rows, {REPLICAS} replicas")


@pytest.mark.claim("Ray Serve", test=0, proof=1)
def test_every_route_is_there(served: Served, record_property: Any) -> None:
    """Those of the OpenAPI document, and what has none: each answers as `dubito serve` does."""
    with httpx.Client(base_url=served.url, trust_env=False, timeout=60) as client:
        document = client.get("/openapi.json").json()
        ways = [
            (method, path)
            for path, methods in document["paths"].items()
            for method in methods
            if "stream" not in path
        ]
        for method, path in ways:
            answer = client.request(method, path.replace("{", "").replace("}", ""))
            assert answer.status_code < 500 or "/ready" in path, (method, path, answer.text)
            assert answer.status_code != 405, (method, path)
            known = answer.headers["content-type"].partition(";")[0]
            assert answer.status_code != 404 or known == "application/problem+json"
        for path in ("/", "/docs", "/metrics", "/v2", "/v2/health/ready", "/health/live"):
            assert 200 == client.get(path, follow_redirects=True).status_code, path
        assert 404 == client.get("/nowhere").status_code
    record_property("figure", f"{len(ways)} routes")


@pytest.mark.claim("Ray Serve", test=0, proof=5)
def test_a_replica_that_is_killed_loses_no_record(
    served: Served, count: int, record_property: Any
) -> None:
    """Under load: what was acknowledged is recorded, and other replicas go on."""
    over, ids, statuses = threading.Event(), list[str](), Counter[int]()
    rows = rows_like(BUNDLE, 20)

    def ask() -> None:
        with httpx.Client(base_url=served.url, trust_env=False, timeout=60) as client:
            while not over.is_set():
                for row in rows:
                    try:
                        answer = client.post("/predict/mc", json=row)
                    except httpx.TransportError:
                        continue
                    statuses[answer.status_code] += 1
                    if answer.status_code == 200:
                        ids.append(answer.json()["id"])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(count):
        asked = len(ids)
        until(lambda asked=asked: len(ids) > asked + 100)  # type: ignore[misc]
        before = replicas()
        os.kill(before[0], signal.SIGKILL)
        until(lambda before=before: len(set(replicas()) - set(before)) == 1)  # type: ignore[misc]
    over.set()
    for thread in threads:
        thread.join(SECONDS)
    kept = recorded(served.state, served.records)
    assert () == kept.faults
    assert set(ids) <= kept.predictions.keys()
    record_property("figure", f"{len(ids):,} acknowledged, {count} replicas killed")


def replicas() -> list[int]:
    """Processes that serve."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            command = (process / "cmdline").read_bytes()
        except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
            continue
        if command.startswith(b"ray::ServeReplica:dubito"):
            found.append(int(process.name))
    return sorted(found)
