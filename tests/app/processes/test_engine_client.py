"""The engine's process: it answers as one's own would, and its end is noticed."""

import asyncio
import http.client
import json
import os
import select
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import uvloop

from app.bundle_loader import LoadedBundle
from app.errors import EngineLost, StartError
from app.processes import subprocesses as module
from app.processes.engine_client import open_engine
from app.serving.compute import Nearby
from app.serving.jobs import Draws, Job, Plain, Reduction, Statistics, results
from app.settings import Settings
from dubito.bundle import load
from dubito.bundles.repository import find_version
from dubito.bundles.validation.inspection import inspect
from dubito.inputs.rows import example
from dubito.types import Query, Summary
from tests.service import ROOT, Service, child, is_alive, serving, until

SETTINGS = Settings(models=ROOT / "models", version=1, backend="numpy")
JSON = {"Content-Type": "application/json"}
SECONDS = 60

Use = Callable[[LoadedBundle], Coroutine[Any, Any, Any]]


def using(use: Use, settings: Settings = SETTINGS, lost: Callable[[], None] = lambda: None) -> Any:
    """What comes of using an engine's process."""

    async def run() -> Any:
        async with open_engine(engine, lost) as bundle:
            return await asyncio.wait_for(use(bundle), SECONDS)

    with module.started_engine(settings) as engine:
        return asyncio.run(run())


def test_its_answers_are_those_of_an_engine_at_hand() -> None:
    """Every kind of job, several batches: the same to the last bit, and the same environment."""
    at_hand = load(find_version(SETTINGS.models, SETTINGS.model, 1), backend="numpy")
    rows = np.array([list(example(at_hand.manifest.signature).values())] * 3, dtype=np.float64)
    query = Query(rows, 130, 5)
    asked: list[Job] = [
        Statistics(query),
        Plain(rows),
        Draws(Query(rows[:1], 7, 1)),
        Statistics(Query(rows[:1], 1, 6)),
        Reduction(at_hand.engine.draws(query)),
    ]

    async def use(bundle: LoadedBundle) -> Any:
        found = [await bundle.compute.submit(part) for part in (asked, asked[:1], asked[1:])]
        return bundle.environment, found

    environment, (whole, first, others) = using(use)
    wanted = results(at_hand.engine, asked)
    assert at_hand.environment == environment
    assert _bits(wanted) == _bits(whole) == _bits([*first, *others])


def _bits(found: list[Any]) -> list[list[bytes]]:
    return [
        [np.ascontiguousarray(getattr(one, name)).tobytes() for name in Summary.__slots__]
        if isinstance(one, Summary)
        else [one.tobytes()]
        for one in found
    ]


def test_what_fails_there_is_raised_here_and_the_next_batch_is_computed() -> None:
    """An error of a batch is that batch's alone."""

    async def use(bundle: LoadedBundle) -> Any:
        rows = np.ones((1, len(bundle.manifest.signature.features)))
        with pytest.raises(ValueError, match="multiple"):
            await bundle.compute.submit([Draws(Query(rows, 5, 1, first=3))])
        return await bundle.compute.submit([Plain(rows)])

    (probabilities,) = using(use)
    assert 1.0 == pytest.approx(probabilities.sum())


def test_its_end_fails_what_is_under_way_and_what_follows() -> None:
    """Killed: the batch fails, the next is refused, and whoever asked to be told is."""
    told: list[bool] = []

    async def use(bundle: LoadedBundle) -> None:
        rows = np.ones((1000, len(bundle.manifest.signature.features)))
        under_way = bundle.compute.submit([Statistics(Query(rows, 10_000, 1))])
        await asyncio.sleep(0.1)
        os.kill(child(os.getpid(), "engine"), signal.SIGKILL)
        with pytest.raises(EngineLost):
            await under_way
        with pytest.raises(EngineLost):
            await bundle.compute.submit([Plain(rows)])

    using(use, lost=lambda: told.append(True))
    assert [True] == told


@pytest.mark.parametrize(("version", "at_hand"), [(1, True), (2, False), (3, False)])
def test_a_small_lone_job_is_answered_at_hand(version: int, *, at_hand: bool) -> None:
    """Where the network needs no Keras its bits are the same here and there, in turn and alone."""
    settings = Settings(models=ROOT / "models", version=version)
    bundle = load(find_version(settings.models, settings.model, version))
    row = np.array([list(example(bundle.manifest.signature).values())], dtype=np.float64)
    kinds: list[Job] = [
        Plain(row),
        *(Statistics(Query(row * factor, 50, 7)) for factor in (1, 1.5)),
        Draws(Query(row, 30, 3)),
    ]

    async def use(opened: LoadedBundle) -> Any:
        assert isinstance(opened.compute, Nearby) == at_hand
        computed = [opened.compute.at_once(job) for job in kinds]
        alone = [(await opened.compute.submit([job]))[0] for job in kinds]
        return computed, alone, await opened.compute.submit(kinds)

    computed, alone, together = using(use, settings)
    wanted = _bits(results(bundle.engine, kinds))
    assert wanted == _bits(alone) == _bits(together)
    assert (wanted if at_hand else [None] * len(kinds)) == (
        _bits(computed) if at_hand else computed
    )


def test_a_bundle_that_is_not_there_is_a_sentence() -> None:
    """The engine's own sentence is raised here."""
    with pytest.raises(StartError, match="version 99"):
        using(lambda _: asyncio.sleep(0), Settings(models=ROOT / "models", version=99))


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize(("version", "said"), [(1, "loan-grade/1"), (99, "has no version 99")])
def test_an_engine_may_be_faster_than_its_service(
    version: int, said: str, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """What it said before anybody listened is heard: that it is ready, or why it is not."""

    async def hear() -> str:
        try:
            async with open_engine(engine, lambda: None) as bundle:
                return f"{bundle.manifest.name}/{bundle.manifest.version}"
        except StartError as error:
            return str(error)

    settings = Settings(models=ROOT / "models", version=version)
    with module.started_engine(settings) as engine, asyncio.Runner(loop_factory=loop) as runner:
        until(lambda: bool(select.select([engine.line], [], [], 0)[0]))
        assert said in runner.run(asyncio.wait_for(hear(), 10))


def grade(service: Service) -> tuple[int, str | None]:
    """Status and `Retry-After` of a request."""
    folder = find_version(SETTINGS.models, SETTINGS.model, 1)
    row = json.dumps(example(inspect(folder).manifest.signature))
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    connection.request("POST", "/predict", row, JSON)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers["Retry-After"]


def test_a_service_ends_without_its_engine() -> None:
    """The engine killed: a request is told to come back, and the service ends with a sentence."""
    with serving("loan-grade/3", "--backend", "numpy", "--drain-seconds", "5") as service:
        assert (200, None) == grade(service)
        engine = child(service.process.pid, "engine")
        os.kill(engine, signal.SIGKILL)
        assert (503, "5") == grade(service)
        assert 1 == service.process.wait(SECONDS)
        last = service.written().splitlines()[-1]
        assert "dubito: the engine process has ended" in last
        assert last.endswith(": its process was ended by SIGKILL")
        assert "Traceback" not in service.written()


def test_an_engine_that_ends_during_the_end_changes_nothing() -> None:
    """Told to end, the service ends with 0 whatever becomes of its engine meanwhile."""
    with serving("loan-grade/1", "--backend", "numpy", "--drain-seconds", "3") as service:
        engine = child(service.process.pid, "engine")
        os.kill(service.process.pid, signal.SIGTERM)
        until(lambda: "Shutting down" in service.written())
        with suppress(ProcessLookupError):
            # It may have ended already.
            os.kill(engine, signal.SIGKILL)
        assert 0 == service.process.wait(SECONDS)
        assert "Traceback" not in service.written()


def test_an_engine_does_not_outlive_its_service() -> None:
    """The service killed: its engine ends; a SIGTERM of its own it leaves to the service."""
    with serving("loan-grade/1", "--backend", "numpy") as service:
        engine = child(service.process.pid, "engine")
        os.kill(engine, signal.SIGTERM)
        assert (200, None) == grade(service)
        service.process.kill()
        service.process.wait()
        until(lambda: not is_alive(engine))
