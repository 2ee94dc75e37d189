"""Clients at a real service, and at servers that refuse, break off and are slow."""

import asyncio
import json
import pickle
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


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (
            {"a": np.int64(7), "b": np.True_, "c": np.float32(0.5)},
            {"a": 7, "b": True, "c": 0.5},
        ),
        ({"a": float("nan"), "b": None, "c": pd.NA}, {"a": None, "b": None, "c": None}),
        ({"a": np.array([[1.0, 2.0]]), "b": "x"}, {"a": [[1.0, 2.0]], "b": "x"}),
    ],
)
def test_values_are_written_as_json_has_them(row: Any, told: Any) -> None:
    """NumPy's and pandas' own kinds among them; what is no number is missing."""
    assert {"instances": [told]} == json.loads(sent([row])[0].content)


@pytest.mark.parametrize("value", [float("inf"), object()])
def test_what_json_does_not_have_is_refused(value: Any) -> None:
    """Infinity, too: it would read as missing."""
    with pytest.raises(dubito.UsageError):
        sent([{"a": value}])
    for rows in ({"a": 1}, [1.0, 2.0], iter([{"a": 1}])):
        with pytest.raises(dubito.UsageError, match="must be a list of mappings, or a data frame"):
            sent(rows)


def sent(rows: Any, **options: Any) -> list[httpx.Request]:
    """What a client sends."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"predictions": []})

    with dubito.Client("http://service", transport=httpx.MockTransport(answer)) as client:
        client.predict_mc(rows, **options)
    return seen


def test_requests_are_as_large_as_a_service_takes() -> None:
    """In rows, in rows × passes, and in bytes; a deadline is one that it takes."""
    rows = [{"a": at} for at in range(1_001)]
    assert [500, 500, 1] == [len(json.loads(one.content)["instances"]) for one in sent(rows)]
    assert 11 == len(sent(rows, passes="auto"))
    assert 3 == len(sent(rows, passes="auto", max_passes=2_000))
    assert 2 == len(sent([{"a": "x" * 500_000}] * 2))
    (one,) = sent(rows[:1], deadline=3_600, reference="사건 7")
    assert "600000" == one.url.params["deadline_ms"]
    assert "utf-8''%EC%82%AC%EA%B1%B4%207" == one.headers["Dubito-Reference"]


def test_an_address_that_cannot_be_asked() -> None:
    """It is told at once; so is what answers but is no service of Dubito."""
    with dubito.Client("service:8000") as client, pytest.raises(dubito.UsageError):
        client.predict([{"a": 1}])
    for status, content in ((200, b"<html>"), (200, b"{}"), (301, b"")):
        transport = httpx.MockTransport(lambda _, s=status, c=content: httpx.Response(s, content=c))
        with (
            dubito.Client("http://service", transport=transport) as client,
            pytest.raises(dubito.DubitoError),
        ):
            client.predict([{"a": 1}])


def test_a_refusal_can_be_sent_to_another_process() -> None:
    content = b'{"code": "queue_full", "detail": "it is full"}'
    error = dubito.RequestRefused(503, httpx.Headers({"Retry-After": "3"}), content)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
    assert (503, "queue_full", 3, "it is full") == (
        again.status,
        again.code,
        again.retry_after,
        str(again),
    )


def test_an_attempt_that_is_still_answered_is_waited_for() -> None:
    """Its key is in use; a key of another request is a mistake."""
    for code, count in (("key_in_use", 3), ("key_reused", 1)):
        reply = ServiceReply(409, {}, json.dumps({"code": code}).encode())
        assert count == attempts(Patience(retries=2), reply)


def attempts(patience: Patience, reply: ServiceReply) -> int:
    """How often a question is asked that is always answered so."""
    found = 0
    going = steps(patience, [reply] * 9, lambda: 0.0)
    try:
        for step in going:
            found += isinstance(step, Attempt)
    except dubito.RequestRefused:
        return found
    raise AssertionError
