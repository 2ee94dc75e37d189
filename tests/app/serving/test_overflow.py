"""A row on which the network's numbers overflow: told apart, whichever way it is asked about."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from app.serving.compute import ComputeThread
from app.serving.predictor import Predictor
from dubito.bundle import Bundle, load
from dubito.cli.main import main
from dubito.errors import Ungradable
from dubito.types import Query
from tests.overflowing import GOOD, HUGE, NAMES, RARE, publish, words, write_rows
from tests.service import Service, serving

TOLD = "cannot be graded: the network's numbers overflow"
FORMS = [
    "/predict",
    "/predict/mc",
    "/predict/mc?passes=1&seed=1",
    "/predict/mc?passes=5000&seed=1",
    "/predict/mc?draws=true&passes=20",
    "/predict/mc?passes=auto",
    "/predict/mc?passes=auto&draws=true&max_passes=200",
    "/predict/mc?degrade=true&deadline_ms=20000",
    "/predict/mc?method=aps&coverage=0.9&class_conditional=true",
    "/predict/mc?target=0.05",
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish(tmp_path_factory.mktemp("overflow"))


@pytest.fixture(scope="module")
def service(models: Path) -> Iterator[Service]:
    with serving("net", "--models", str(models)) as found:
        yield found


@pytest.fixture(scope="module", params=[False, True], ids=["lean", "general"])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The same network, run by either execution."""
    folder = publish(tmp_path_factory.mktemp("overflow"), general=request.param)
    found = load(folder / "net" / "1")
    assert request.param == (found.engine.path == "graph")
    return found


def ask(service: Service, form: str, body: Any, **headers: str) -> httpx.Response:
    return httpx.post(f"{service.url}{form}", json=body, headers=headers, timeout=60)


def pointers(answer: httpx.Response) -> list[str]:
    """Which rows a refusal names, all for the one reason."""
    assert 422 == answer.status_code, answer.text
    problem = answer.json()
    assert {TOLD} == {error["detail"] for error in problem["errors"]}
    assert TOLD in problem["detail"]
    return [error["pointer"] for error in problem["errors"]]


@pytest.mark.parametrize("form", FORMS)
def test_it_is_422_and_names_the_row(service: Service, form: str) -> None:
    """Alone, and in a list; rows beside it are gradable, and say so alone."""
    assert ["#"] == pointers(ask(service, form, HUGE))
    rows = [GOOD, HUGE, GOOD, GOOD, HUGE]
    assert ["#/instances/1", "#/instances/4"] == pointers(ask(service, form, {"instances": rows}))
    assert 200 == ask(service, form, {"instances": [GOOD, GOOD]}).status_code


def test_some_passes_are_enough(service: Service, models: Path) -> None:
    """A row of which few passes overflow is graded while none of its passes does."""
    engine = load(models / "net" / "1").engine
    row = np.array([[float(RARE[name]) for name in NAMES]])
    draws = [engine.draws(Query(row, 128, seed))[:, 0] for seed in range(60)]
    sums = np.array(draws).sum(axis=2)
    ends = [bool(np.isfinite(one[:64]).all() and not np.isfinite(one).all()) for one in sums]
    seed = ends.index(True)
    assert 200 == ask(service, "/predict", RARE).status_code
    assert 200 == ask(service, f"/predict/mc?passes=64&seed={seed}", RARE).status_code
    assert ["#"] == pointers(ask(service, f"/predict/mc?passes=128&seed={seed}", RARE))
    # A half-width of 0.06 is reached at 64 passes; one of 0.05 by the good row alone.
    auto, body = f"/predict/mc?passes=auto&seed={seed}&tolerance=", {"instances": [GOOD, RARE]}
    answers = ask(service, f"{auto}0.06", body).json()["predictions"]
    assert [64, 64] == [answer["passes"] for answer in answers]
    assert 64 == ask(service, f"{auto}0.05", GOOD).json()["passes"]
    assert ["#/instances/1"] == pointers(ask(service, f"{auto}0.05", body))


def test_what_if_and_replay(service: Service) -> None:
    """A correction that overflows is refused; the case stays as it was and replays."""
    identifier = ask(service, "/predict/mc?passes=50", GOOD).json()["id"]
    route = f"/predictions/{identifier}"
    assert ["#/features"] == pointers(ask(service, f"{route}/what-if", {"features": {"a": 1e6}}))
    assert 200 == ask(service, f"{route}/what-if", {"features": {"a": 0.6}}).status_code
    assert ask(service, f"{route}/replay", {}).json()["identical"]


def test_a_key_is_not_used_up(service: Service) -> None:
    """A request that was not answered is looked at again."""
    for _ in range(2):
        assert ["#"] == pointers(ask(service, "/predict/mc", HUGE, **{"Idempotency-Key": "one"}))


def test_others_are_answered_as_ever(service: Service) -> None:
    """Beside such rows, in the same batches, good rows get the bits that they get alone."""

    async def together() -> list[httpx.Response]:
        async with httpx.AsyncClient(timeout=60) as client:
            rows = [HUGE if at % 3 else GOOD | {"b": at / 90} for at in range(90)]
            url = f"{service.url}/predict/mc?seed=3"
            return await asyncio.gather(*(client.post(url, json=row) for row in rows))

    answers = asyncio.run(together())
    for at, answer in enumerate(answers):
        if at % 3:
            assert ["#"] == pointers(answer)
        else:
            alone = ask(service, "/predict/mc?seed=3", GOOD | {"b": at / 90}).json()
            assert alone | {"id": 0} == answer.json() | {"id": 0}


def test_nothing_is_recorded_and_nothing_is_in_the_log(service: Service) -> None:
    """Such a row leaves no record; the log has neither a traceback nor a warning."""
    before = recorded(service)
    for form in FORMS:
        ask(service, form, {"instances": [GOOD, HUGE]})
    assert 200 == ask(service, "/predict", GOOD).status_code
    assert before + 1 == recorded(service)
    assert not any(word in service.written() for word in ("Traceback", "Warning", "WARNING"))


def recorded(service: Service) -> int:
    """How many predictions are recorded; a read brings the tables up to date."""
    httpx.get(f"{service.url}/predictions").raise_for_status()
    records = sqlite3.connect(service.log.parent / "var" / "records.db")
    ((count,),) = records.execute("SELECT count(*) FROM events WHERE kind = 'prediction'")
    records.close()
    return int(count)


@pytest.mark.parametrize("passes", [1, 30, 5_000])
def test_the_predictor_tells_which_rows(bundle: Bundle, passes: int) -> None:
    """By position, of either execution, with a tolerance and without."""
    predictor = Predictor(ComputeThread(bundle.engine), bundle.manifest.signature, queue=10**9)
    rows = np.array([[float(one[name]) for name in NAMES] for one in (GOOD, HUGE, GOOD, HUGE)])

    async def asked(**options: Any) -> tuple[int, ...]:
        with pytest.raises(Ungradable) as caught:
            await predictor.predict_mc(Query(rows, passes, 1), **options)
        return caught.value.rows

    async def graded() -> tuple[int, ...]:
        with pytest.raises(Ungradable) as caught:
            await predictor.predict(rows)
        return caught.value.rows

    for options in ({}, {"tolerance": 0.01}, {"keep_draws": True}):
        assert (1, 3) == asyncio.run(asked(**options))
    assert (1, 3) == asyncio.run(graded())
    predictor.close()


@pytest.mark.parametrize("many", [False, True])
def test_the_command_says_so(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, many: bool
) -> None:
    """`dubito predict`: exit code 1 and one sentence."""
    file = tmp_path / "row.json"
    file.write_text(json.dumps({"instances": [GOOD, HUGE]} if many else HUGE))
    assert 1 == main(["predict", str(models / "net" / "1"), "--file", str(file)])
    told = "row 2" if many else "the row"
    assert ("", f"dubito: {told} {TOLD}\n") == capsys.readouterr()


def test_conversion_and_evaluation_say_so(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows of --data and --calibrate that overflow: exit code 1 and one sentence."""
    folder = models.parent
    write_rows(folder / "huge.csv", HUGE, HUGE)
    capsys.readouterr()
    assert 1 == main(words(folder, data="huge.csv"))
    assert capsys.readouterr().err.endswith(f"\ndubito: 2 of the rows of --data {TOLD}\n")
    assert 1 == main(words(folder, calibrate="huge.csv"))
    assert f"of the rows to calibrate on {TOLD}\n" in capsys.readouterr().err
    assert 1 == main([*words(folder, calibrate="huge.csv"), "--temperature"])
    assert f"of the rows to calibrate on {TOLD}\n" in capsys.readouterr().err
    evaluate = ["evaluate", str(models / "net" / "1"), "--target", "grade"]
    page = ["--out", str(tmp_path / "page.html")]
    assert 1 == main([*evaluate, "--data", str(folder / "huge.csv"), *page])
    assert capsys.readouterr().err.endswith(f"\ndubito: 2 of the rows of huge.csv {TOLD}\n")
