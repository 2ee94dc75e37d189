"""Clients at a real service, and at servers that refuse, break off and are slow."""

import asyncio
import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

import dubito
from dubito.answer import MonteCarloNumber, MonteCarloResult, to_builtins
from dubito.bundle import Bundle, load
from dubito.client.exchange import Attempt, Lost, Patience, Pause, ServiceReply
from dubito.prediction import answer_builder
from tests.scored import rows_like
from tests.service import ROOT, Service, serving

NAMES = ("loan-grade/5", "loan-rate/2")
Ask = Callable[..., Any]


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def bundle(name: str) -> Bundle:
    return load(ROOT / "models" / name)


@pytest.fixture(scope="module")
def service(name: str) -> Iterator[Service]:
    with serving(name) as service:
        yield service


@pytest.fixture(params=["synchronous", "asynchronous"])
def ask(request: pytest.FixtureRequest, service: Service) -> Ask:
    """Call a method of either client."""
    if request.param == "synchronous":

        def here(method: str, *given: Any, **options: Any) -> Any:
            with dubito.Client(service.url) as client:
                return getattr(client, method)(*given, **options)

        return here

    def elsewhere(method: str, *given: Any, **options: Any) -> Any:
        async def run() -> Any:
            async with dubito.AsyncClient(service.url) as client:
                return await getattr(client, method)(*given, **options)

        return asyncio.run(run())

    return elsewhere


def expected(bundle: Bundle, rows: list[Any], seed: int) -> list[dict[str, Any]]:
    manifest = bundle.manifest
    builder = answer_builder(bundle.identity, manifest.target, manifest.calibration)
    found = builder.monte_carlo(bundle.predict_mc(rows, seed=seed), range(len(rows)))
    return [without_id(answer) for answer in found]


def without_id(answer: Any) -> dict[str, Any]:
    return {name: one for name, one in to_builtins(answer).items() if name != "id"}


def test_answers_are_typed(bundle: Bundle, ask: Ask) -> None:
    """The library's own types, with its bits, from mappings and from data frames."""
    rows = rows_like(bundle, 7)
    found = ask("predict_mc", rows, seed=3)
    assert expected(bundle, rows, 3) == [without_id(one) for one in found]
    assert all(isinstance(one.result, MonteCarloResult | MonteCarloNumber) for one in found)
    frame = pd.DataFrame(rows, index=range(10, 17))
    assert expected(bundle, rows, 3) == [
        without_id(one) for one in ask("predict_mc", frame, seed=3)
    ]
    table = dubito.frame_of(found, frame.index)
    assert list(frame.index) == list(table.index)
    assert [one.result.passes for one in found] == table["passes"].tolist()
    assert {"decision.action", "model.digest"} <= set(table.columns)


def test_many_rows_are_asked_for_in_parts(bundle: Bundle, ask: Ask) -> None:
    """In their order; each part has the seed that was given."""
    rows = rows_like(bundle, 1_100)
    found = ask("predict_mc", rows, passes=bundle.manifest.members, seed=1)
    assert len(rows) == len(found)
    whole = bundle.predict_mc(rows, passes=bundle.manifest.members, seed=1).mean
    told = [one.result.mean for one in found]
    means = [list(one.values()) if isinstance(one, dict) else one for one in told]
    assert np.array_equal(whole, np.array(means))


def test_plain_answers_and_the_description(bundle: Bundle, ask: Ask) -> None:
    rows = rows_like(bundle, 3)
    plain = bundle.predict(rows)
    for at, answer in enumerate(ask("predict", rows)):
        result = answer.result
        outputs = (
            result.probabilities.values() if hasattr(result, "probabilities") else [result.value]
        )
        assert plain.outputs[at].tolist()[: len(outputs)] == list(outputs)
    assert bundle.identity.digest == ask("describe")["digest"]


def test_a_refusal_names_the_fields(bundle: Bundle, ask: Ask) -> None:
    """And is not asked again."""
    (row,) = rows_like(bundle, 1)
    name = bundle.signature.names[0]
    with pytest.raises(dubito.RequestRefused, match=name) as caught:
        ask("predict_mc", [{**row, name: "4711"}])
    assert (422, "invalid_input") == (caught.value.status, caught.value.code)
    assert [name] == [one.field for one in caught.value.errors]
    assert caught.value.request_id
    assert "4711" not in str(caught.value)
    with pytest.raises(dubito.RequestRefused, match="passes"):
        ask("predict_mc", [row], passes=0)


def test_no_rows_are_no_question(ask: Ask) -> None:
    with pytest.raises(dubito.UsageError, match="there are no rows"):
        ask("predict_mc", [])


def steps(patience: Patience, came: list[Any], clock: Callable[[], float]) -> Iterator[Any]:
    """What an exchange does, given what comes of its attempts."""
    going = patience.steps(clock)
    left = iter(came)
    step = next(going)
    while True:
        yield step
        try:
            step = going.send(next(left) if isinstance(step, Attempt) else None)
        except StopIteration as end:
            yield end.value
            return


def busy(seconds: str | None) -> ServiceReply:
    headers = {} if seconds is None else {"retry-after": seconds}
    return ServiceReply(503, headers, b'{"code": "queue_full"}')


GOOD = ServiceReply(200, {}, b"{}")


def test_retry_after_is_honoured() -> None:
    """A pause is at least as long; without one it doubles, up to a limit, with some chance."""
    done = list(steps(Patience(), [busy("3"), busy(None), Lost("gone"), GOOD], lambda: 0.0))
    pauses = [one.seconds for one in done if isinstance(one, Pause)]
    assert pauses[0] == 3
    assert 0.1 <= pauses[1] <= 0.2
    assert 0.2 <= pauses[2] <= 0.4
    assert done[-1] == GOOD


def test_attempts_end() -> None:
    """With the last refusal, as it was told."""
    with pytest.raises(dubito.RequestRefused) as caught:
        list(steps(Patience(retries=2), [busy("0")] * 3, lambda: 0.0))
    assert (503, "queue_full", 0) == (
        caught.value.status,
        caught.value.code,
        caught.value.retry_after,
    )
    with pytest.raises(dubito.RequestUnanswered, match="gone"):
        list(steps(Patience(retries=0), [Lost("gone")], lambda: 0.0))


@pytest.mark.parametrize("status", [400, 403, 404, 409, 413, 422, 500, 504])
def test_what_would_be_refused_again_is_not_asked_again(status: int) -> None:
    with pytest.raises(dubito.RequestRefused):
        list(steps(Patience(), [ServiceReply(status, {}, b"")], lambda: 0.0))


def test_a_deadline_bounds_attempts_and_pauses() -> None:
    """No pause goes beyond it, and an attempt has what is left of it."""
    now = iter(np.arange(0.0, 100.0, 0.25))
    with pytest.raises(dubito.RequestRefused):
        list(steps(Patience(deadline=1.0), [busy("5")], lambda: float(next(now))))
    now = iter([0.0, 0.5, 0.6, 2.0])
    going = steps(Patience(timeout=30, deadline=1.0), [Lost("slow")] * 2, lambda: float(next(now)))
    assert Attempt(0.5) == next(going)
    assert isinstance(next(going), Pause)
    with pytest.raises(dubito.RequestUnanswered, match="the deadline passed"):
        next(going)


def test_attempts_of_one_question_have_one_key() -> None:
    """And another question another one, so that none is computed twice and none is lost."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if len(seen) % 2:
            return httpx.Response(503, headers={"Retry-After": "0"})
        return httpx.Response(200, json={"predictions": []})

    with dubito.Client("http://service", transport=httpx.MockTransport(answer)) as client:
        client.predict_mc([{"a": 1}], reference="case-1", deadline=20)
        client.predict_mc([{"a": 1}])
    keys = [one.headers["Idempotency-Key"] for one in seen]
    assert [True, False, True] == [one == other for one, other in pairwise(keys)]
    assert ["case-1", "case-1", None, None] == [one.headers.get("Dubito-Reference") for one in seen]
    assert seen[0].url == seen[1].url
    assert "20000" == seen[0].url.params["deadline_ms"]
    assert "/models/other/predict" == httpx.URL(asked_of("other")).path
    assert {"instances": [{"a": 1}]} == json.loads(seen[0].content)


def asked_of(model: str) -> str:
    """Where a client of a model asks."""
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200, json={"predictions": []})

    with dubito.Client("http://service", model, transport=httpx.MockTransport(answer)) as client:
        client.predict([{"a": 1}])
    return seen[0]


def test_nobody_answers() -> None:
    """Nothing listens there: a sentence of ours, not an exception of the transport."""
    with (
        dubito.Client("http://127.0.0.1:9", retries=1, timeout=1) as client,
        pytest.raises(dubito.RequestUnanswered),
    ):
        client.predict_mc([{"a": 1}])
