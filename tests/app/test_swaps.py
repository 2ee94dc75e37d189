"""Bundles are replaced under load: nobody notices, and a broken one changes nothing."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from app.watched_folder import WATCH_SECONDS
from dubito import load
from dubito.answer import to_json
from dubito.inputs.rows import example
from dubito.prediction import answer_builder
from tests import postgres
from tests.app.records.clients import recorded
from tests.hostile import HOSTILE, seal
from tests.service import (
    DUBITO,
    ROOT,
    STOP_SECONDS,
    Service,
    ended,
    environment,
    is_alive,
    serving,
    until,
)

NAME = "loan-grade"
OLD, NEW = 4, 5
LOAD = f"/v2/repository/models/{NAME}/load"
SEEDS = 8
ROW = example(load(ROOT / "models" / NAME / str(NEW)).signature)
WITH_SOFTMAX = 2
OF_SOFTMAX = {"a linear output", "one class more"}
"""Faults of an output layer that the newest version does not have."""
POOL = min(32, (os.cpu_count() or 1) + 4)
"""Threads of asyncio's own pool, which has them all only after a while."""
MOST_BROKEN = 3
"""Hostile bundles of which `make test` tries the first."""


class Published:
    """A folder of bundles whose highest version comes and goes."""

    def __init__(self, root: Path) -> None:
        self.models, self._aside = root / "models", root / "aside"
        self._aside.mkdir()
        for version in (OLD, NEW):
            folder = ROOT / "models" / NAME / str(version)
            shutil.copytree(folder, self.models / NAME / str(version))

    def show(self, version: int) -> None:
        """Make a version the highest."""
        here, there = self.models / NAME / str(NEW), self._aside / str(NEW)
        if version == NEW and there.exists():
            there.rename(here)
        if version == OLD and here.exists():
            here.rename(there)

    @contextmanager
    def broken(self, kind: str) -> Iterator[None]:
        """Have a higher version that must not be served."""
        folder = self.models / NAME / str(NEW)
        source = WITH_SOFTMAX if kind in OF_SOFTMAX else NEW
        shutil.copytree(ROOT / "models" / NAME / str(source), folder)
        try:
            if source != NEW:
                seal(folder, version=NEW)
            HOSTILE[kind].damage(folder)
            yield
        finally:
            shutil.rmtree(folder)


class Clients:
    """Threads that ask the same few questions for the length of a block."""

    def __init__(self, service: Service, count: int = 4) -> None:
        self._url = service.url
        self._over = threading.Event()
        self.statuses: Counter[int] = Counter()
        self.answers: dict[tuple[int, int], set[str]] = {}
        """What was answered, by version and seed."""
        self.ids: list[str] = []
        self._threads = [threading.Thread(target=self._ask) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _ask(self) -> None:
        with httpx.Client(base_url=self._url, trust_env=False, timeout=30) as client:
            at = 0
            while not self._over.is_set():
                at = (at + 1) % SEEDS
                try:
                    answer = client.post("/predict/mc", params={"seed": at}, json=ROW)
                except httpx.TransportError:
                    # The service was killed.
                    return
                self.statuses[answer.status_code] += 1
                if answer.status_code == 200:
                    self._note(at, answer.json())

    def _note(self, seed: int, answer: dict[str, Any]) -> None:
        self.ids.append(answer.pop("id"))
        key = (answer["model"]["version"], seed)
        self.answers.setdefault(key, set()).add(json.dumps(answer, sort_keys=True))

    def __enter__(self) -> "Clients":
        until(lambda: self.statuses.total() > 20)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()


def expected(version: int, seed: int) -> str:
    """What a program answers that loads the version alone."""
    bundle = load(ROOT / "models" / NAME / str(version))
    manifest = bundle.manifest
    answers = answer_builder(manifest.identity, manifest.target, manifest.calibration)
    (answer,) = answers.monte_carlo(bundle.predict_mc([ROW], seed=seed), range(1))
    told = json.loads(to_json(answer))
    del told["id"]
    return json.dumps(told, sort_keys=True)


@pytest.fixture
def published(tmp_path: Path) -> Published:
    return Published(tmp_path)


@contextmanager
def served(
    published: Published, *arguments: str, changes: Mapping[str, str] | None = None
) -> Iterator[tuple[Service, httpx.Client]]:
    words = ("--models", str(published.models), *arguments)
    with (
        serving(*words, changes=changes) as service,
        httpx.Client(base_url=service.url, trust_env=False, timeout=60) as client,
    ):
        yield service, client


def version(client: httpx.Client) -> int:
    return int(client.get("/model").json()["version"])


def everywhere(service: Service) -> tuple[int, int]:
    """The version and the generation that all workers tell: each connection gets one of them."""
    told = [httpx.get(f"{service.url}/models", trust_env=False).json() for _ in range(12)]
    (found,) = {(one["models"][0]["version"], one["generation"]) for one in told}
    return found


def processes(service: Service, workers: int) -> list[int]:
    """Processes that serve."""
    if workers == 1:
        return [service.process.pid]
    started = re.findall(r"worker (\d+) serves", service.written())
    return [pid for pid in map(int, started) if is_alive(pid)]


def threads(pids: list[int]) -> int:
    return sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in pids)


@pytest.mark.claim("swaps", test=2, proof=200)
@pytest.mark.parametrize("workers", [1, 2])
def test_nobody_notices_a_swap(
    published: Published, tmp_path: Path, count: int, workers: int
) -> None:
    """Every answer is of one version or the other, with its bits, and is recorded."""
    state, url = tmp_path / "state", None
    words = ["--state", str(state), "--workers", str(workers)]
    with ExitStack() as stack:
        if workers > 1:
            url = stack.enter_context(stack.enter_context(postgres.serving()).database())
            words += ["--records-url", url]
        service, client = stack.enter_context(served(published, *words))
        until(lambda: len(processes(service, workers)) == workers)
        pids = processes(service, workers)
        with Clients(service) as clients:
            before = threads(pids)
            for at in range(count):
                wanted = (OLD, NEW)[at % 2]
                published.show(wanted)
                answer = client.post(LOAD)
                assert (200, b"{}") == (answer.status_code, answer.content), answer.text
                assert (wanted, at + 1) == everywhere(service)
                asked = clients.statuses.total()
                until(lambda asked=asked: clients.statuses.total() > asked + 10)  # type: ignore[misc]
        assert {200} == clients.statuses.keys()
        until(lambda: threads(pids) <= before + POOL * workers)
        # A record of the version that is gone is replayed with it, once it is published again.
        published.show(NEW)
        for prediction in (clients.ids[0], clients.ids[-1]):
            again = client.post(f"/predictions/{prediction}/replay").json()
            assert again["identical"], again
        assert 0 == service.stop()
        kept = recorded(state, url)
    assert {OLD, NEW} == {key[0] for key in clients.answers}
    for (of, seed), found in clients.answers.items():
        assert {expected(of, seed)} == found
    assert () == kept.faults
    assert set(clients.ids) <= kept.predictions.keys()


def test_what_was_answered_around_a_swap_outlives_a_kill(
    published: Published, tmp_path: Path
) -> None:
    """The journal knows both bundles: the next start adds the answers of both."""
    state = tmp_path / "state"
    published.show(OLD)
    with served(published, "--state", str(state)) as (service, client):
        with Clients(service) as clients:
            for wanted in (NEW, OLD, NEW):
                published.show(wanted)
                assert 200 == client.post(LOAD).status_code
            os.kill(service.process.pid, signal.SIGKILL)
        service.process.wait()
    assert {OLD, NEW} == {key[0] for key in clients.answers}
    with served(published, "--state", str(state)) as (_, client):
        for prediction in clients.ids[-20:]:
            assert 200 == client.get(f"/predictions/{prediction}").status_code
    kept = recorded(state)
    assert () == kept.faults
    assert set(clients.ids) <= kept.predictions.keys()


@pytest.mark.claim("broken candidates", test=MOST_BROKEN, proof=200)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_broken_bundle_changes_nothing(published: Published, count: int, workers: int) -> None:
    """Of each hostile kind: it is not served, clients notice nothing, and the sentence says why."""
    kinds = sorted(HOSTILE)
    published.show(OLD)
    words = ("--records", "off", "--workers", str(workers))
    with served(published, *words) as (service, client), Clients(service, 2) as clients:
        for at in range(count):
            kind = kinds[at % len(kinds)]
            with published.broken(kind):
                refused = client.post(LOAD)
            assert 409 == refused.status_code, (kind, refused.text)
            told = refused.json()
            assert "not_servable" == told["code"]
            assert HOSTILE[kind].sentence in told["error"], kind
            assert (OLD, 0) == everywhere(service)
        assert "Traceback" not in service.written()
    assert {200} == clients.statuses.keys()
    assert {OLD} == {key[0] for key in clients.answers}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_hangup_loads_all_models(published: Published, workers: int) -> None:
    """SIGHUP ends nothing: the bundles are loaded as their files are now."""
    published.show(OLD)
    with served(published, "--records", "off", "--workers", str(workers)) as (service, _):
        until(lambda: len(processes(service, workers)) == workers)
        published.show(NEW)
        os.kill(service.process.pid, signal.SIGHUP)
        until(lambda: "generation 1: serving loan-grade/5" in service.written())
        assert (NEW, 1) == everywhere(service)
        os.kill(service.process.pid, signal.SIGHUP)
        published.show(OLD)
        os.kill(service.process.pid, signal.SIGHUP)
        until(lambda: "generation 2: serving loan-grade/4" in service.written())
        assert 0 == service.stop()


def test_a_closed_terminal_ends_the_service(published: Published) -> None:
    """SIGHUP of the terminal that it was started from ends it as SIGTERM does."""
    terminal, other = pty.openpty()
    words = ["setsid", "--ctty", str(DUBITO), "serve", "--port", "0", "--records", "off"]
    process = subprocess.Popen(
        [*words, "--models", str(published.models)],
        stdin=other,
        stdout=other,
        stderr=other,
        env=environment(),
    )
    try:
        os.close(other)
        told = b""
        while b"the page" not in told:
            told += os.read(terminal, 1 << 12)
        os.close(terminal)
        assert 0 == process.wait(STOP_SECONDS)
    finally:
        ended(process)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_watched_folder_is_served_as_it_is(published: Published, workers: int) -> None:
    """What is published takes over by itself; what must not be served is told once."""
    published.show(OLD)
    words = ("--records", "off", "--workers", str(workers))
    with served(published, *words, changes={"DUBITO_WATCH": "1"}) as (service, _):
        until(lambda: len(processes(service, workers)) == workers)
        with published.broken("a flipped byte"):
            until(lambda: "loan-grade is not replaced" in service.written())
            time.sleep(2 * WATCH_SECONDS)
        assert 1 == service.written().count("is not replaced")
        assert (OLD, 0) == everywhere(service)
        published.show(NEW)
        until(lambda: "generation 1: serving loan-grade/5" in service.written())
        assert (NEW, 1) == everywhere(service)


@pytest.mark.parametrize("seconds", [0.05, 0.3])
def test_a_worker_that_ends_during_a_swap(published: Published, seconds: float) -> None:
    """Whenever it is killed: afterwards all serve one version, of one generation."""
    published.show(OLD)
    with (
        served(published, "--records", "off", "--workers", "2") as (service, _),
        ThreadPoolExecutor(1) as threads,
    ):
        until(lambda: len(processes(service, 2)) == 2)
        published.show(NEW)
        load = threads.submit(httpx.post, service.url + LOAD, trust_env=False, timeout=60)
        time.sleep(seconds)
        os.kill(processes(service, 2)[0], signal.SIGKILL)
        try:
            status = load.result().status_code
        except httpx.TransportError:
            # It was asked of the worker that was killed.
            status = None
        until(lambda: service.written().count(" serves") == 3)
        # Whoever has asked may be gone: the load goes on nevertheless.
        ends = ("generation 1: serving", "is not replaced")
        until(lambda: any(end in service.written() for end in ends))
        found = everywhere(service)
        if status == 409:
            assert "a worker ended while it loaded the bundle" in service.written()
            assert (OLD, 0) == found
        assert status != 200 or found == (NEW, 1)
        httpx.post(service.url + LOAD, trust_env=False, timeout=60).raise_for_status()
        assert (NEW, 1) == everywhere(service)
        assert 0 == service.stop()
        assert "Traceback" not in service.written()


class Calm(NamedTuple):
    """A service of one worker, for tests after each of which another may go on with it."""

    published: Published
    service: Service
    client: httpx.Client

    def swap(self, wanted: int) -> None:
        self.published.show(wanted)
        assert 200 == self.client.post(LOAD).status_code
        assert wanted == version(self.client)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calm]:
    published = Published(tmp_path_factory.mktemp("calm"))
    with served(published) as (service, client):
        yield Calm(published, service, client)


def test_what_is_served_is_not_loaded_again(calm: Calm) -> None:
    """And a load has no parameters that could change a bundle."""
    before = calm.service.written()
    assert 200 == calm.client.post(LOAD).status_code
    assert before == calm.service.written()
    refused = calm.client.post(LOAD, json={"parameters": {"config": "{}"}})
    assert 400 == refused.status_code


def test_a_model_without_a_bundle_gets_one(published: Published) -> None:
    """One that could not be served at the start is, once its bundle is in order."""
    other = "loan-rate"
    shutil.copytree(ROOT / "models" / other, published.models / other)
    for network in (published.models / other).glob("*/model.keras"):
        network.rename(network.with_suffix(".aside"))
    words = ("--models", str(published.models), "--model", f"{other},{NAME}")
    with (
        serving(*words, changes={"DUBITO_STRICT_START": "0"}) as service,
        httpx.Client(base_url=service.url, trust_env=False, timeout=60) as client,
    ):
        assert 503 == client.get("/model").status_code
        load_other = f"/v2/repository/models/{other}/load"
        assert 409 == client.post(load_other).status_code
        for network in (published.models / other).glob("*/model.aside"):
            network.rename(network.with_suffix(".keras"))
        assert 200 == client.post(load_other).status_code
        assert other == client.get("/model").json()["name"]
        assert [True, True] == [one["ready"] for one in client.get("/models").json()["models"]]
        row = example(load(published.models / other / "2").signature)
        answer = client.post("/predict/mc", json=row)
        assert (200, other) == (answer.status_code, answer.json()["model"]["name"])
        ready = client.get(f"/v2/models/{other}/ready")
        assert 200 == ready.status_code
        assert NAME == client.get(f"/models/{NAME}").json()["name"]


def test_documents_follow_a_swap(calm: Calm) -> None:
    """The description and the OpenAPI document are of the bundle that is served now."""
    client = calm.client
    calm.swap(OLD)
    before = client.get("/openapi.json").json()
    calm.swap(NEW)
    assert before["paths"].keys() == client.get("/openapi.json").json()["paths"].keys()
    series = client.get("/metrics").text
    assert f'name="{NAME}",version="{NEW}"}} 1.0' in series
    assert f'name="{NAME}",version="{OLD}"}} 0.0' in series
    stats = client.get(f"/v2/models/{NAME}/versions/{NEW}/stats").json()["model_stats"]
    assert str(NEW) == stats[0]["version"]
    assert 404 == client.get(f"/v2/models/{NAME}/versions/{OLD}").status_code


def test_streams_of_figures_follow_a_swap(calm: Calm) -> None:
    """One about the bundle before ends, so that its listener asks anew."""
    calm.swap(OLD)
    with httpx.Client(base_url=calm.service.url, trust_env=False, timeout=60) as listener:
        with listener.stream("GET", "/uncertainty/stream") as stream:
            lines = stream.iter_lines()
            first = next(line for line in lines if line.startswith("data: "))
            assert OLD == json.loads(first[6:])["model"]["version"]
            calm.swap(NEW)
            assert not [line for line in lines if f'"version":{NEW}' in line]
        assert NEW == listener.get("/uncertainty").json()["model"]["version"]


def test_a_swap_waits_for_the_answers_of_the_old_one(calm: Calm) -> None:
    """A long request is answered by the bundle that it was asked of."""
    calm.swap(OLD)
    found: list[httpx.Response] = []

    def ask() -> None:
        with httpx.Client(base_url=calm.service.url, trust_env=False, timeout=60) as other:
            body = {"instances": [ROW] * 100}
            query = {"passes": 10_000, "seed": 1}
            found.append(other.post("/predict/mc", params=query, json=body))

    long = threading.Thread(target=ask)
    long.start()
    time.sleep(0.3)
    calm.swap(NEW)
    long.join(60)
    (answer,) = found
    assert 200 == answer.status_code, answer.text
    versions = {one["model"]["version"] for one in answer.json()["predictions"]}
    assert {OLD} == versions
