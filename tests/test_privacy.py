"""No borrower's figure in logs, metrics, figures or error pages, wherever a client puts it."""

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from typing import Any

import httpx
import numpy as np
import pytest

from dubito.bundles.validation.inspection import inspect
from dubito.inputs.rows import example
from tests.service import LOUD, ROOT, Service, serving

DIGITS = 11
TOLD = 10
"""Digits by which a figure is recognised: so many no other number has by chance."""
JSON = {"Content-Type": "application/json"}
LOAN = example(inspect(ROOT / "models" / "loan-grade" / "4").manifest.signature)


@dataclass(frozen=True, slots=True)
class Planted:
    """A request in which a figure stands somewhere."""

    address: str
    content: str | None
    status: int
    """Of its answer."""
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)
    before: str | None = None
    """What is said at the same address first."""


Place = Callable[[str, str], Planted]
"""A request with a figure in it, and the identifier of a recorded prediction."""


def row(name: str, text: str) -> str:
    """A row with a member written as it is."""
    return json.dumps(LOAN | {name: "?"}).replace('"?"', text)


def graded(name: str, text: str, status: int = 200, route: str = "/predict/mc") -> Planted:
    return Planted(route, row(name, text), status)


GOOD = json.dumps(LOAN)
PLACES: list[Place] = [
    # Rows that are graded: as training saw them, and out of its range.
    lambda figure, _: graded("paid_principal", f"{figure[:3]}.{figure[3:]}"),
    lambda figure, _: graded("annual_income", f"{figure[:5]}.{figure[5:]}", route="/predict"),
    lambda figure, _: graded("annual_income", f"{figure[:9]}.{figure[9:]}"),
    lambda figure, _: graded("debt_to_income", f"{figure[:2]}.{figure[2:]}"),
    lambda figure, _: Planted(
        "/predict/mc", f'{{"instances":[{GOOD},{row("paid_interest", f"9.{figure}")}]}}', 200
    ),
    lambda figure, _: Planted(f"/predict/mc?seed={figure}", GOOD, 200),
    # Rows that are not.
    lambda figure, _: graded("annual_income", f"-{figure}", 422),
    lambda figure, _: graded("delinq_2y", f"{figure[0]}.{figure[1:]}", 422),
    lambda figure, _: graded("loan_amount", f'"{figure}"', 422, "/predict"),
    lambda figure, _: graded("loan_amount", f"[{figure}]", 422),
    lambda figure, _: graded("loan_amount", f"{figure}e300", 422),
    lambda figure, _: graded("income", figure, 422),
    lambda figure, _: Planted("/predict", f'{GOOD[:-1]}, "대출금액": {figure}}}', 422),
    lambda figure, _: Planted("/predict", f'{{"instances": [{GOOD}, {figure}]}}', 422),
    lambda figure, _: Planted("/predict/mc", f'{{"loan_amount": {figure}', 400),
    lambda figure, _: Planted("/predict", figure, 415, headers={"Content-Type": "text/csv"}),
    lambda figure, _: Planted("/predict", row("annual_income", figure) + " " * (1 << 20), 413),
    # Headers, queries and addresses.
    lambda figure, _: Planted("/predict", GOOD, 200, headers={"Dubito-Reference": figure}),
    lambda figure, _: Planted("/predict", GOOD, 200, headers={"Idempotency-Key": figure}),
    lambda figure, _: Planted("/predict", GOOD, 422, headers={"Dubito-Reference": figure * 20}),
    lambda figure, _: Planted(f"/predict/mc?passes={figure}", GOOD, 422),
    lambda figure, _: Planted(f"/predict/{figure}", GOOD, 404),
    lambda figure, _: Planted(f"/predictions/{figure}", None, 404, "GET"),
    lambda figure, _: Planted(f"/uncertainty?window={figure}", None, 422, "GET"),
    lambda figure, _: Planted("/uncertainty", None, 200, "GET", {"If-None-Match": f'"{figure}"'}),
    lambda figure, _: Planted(f"/reviews?after={figure}", None, 422, "GET"),
    lambda figure, _: Planted("/reviews", None, 403, "GET", {"Origin": f"http://{figure}.example"}),
    # What is said of a prediction.
    lambda figure, one: Planted(
        f"/predictions/{one}/what-if", f'{{"features":{{"paid_interest":9.{figure}}}}}', 200
    ),
    lambda figure, one: Planted(
        f"/predictions/{one}/what-if", f'{{"features":{{"delinq_2y":{figure}.5}}}}', 422
    ),
    lambda figure, one: Planted(
        f"/predictions/{one}/outcome", f'{{"grade":"{figure}"}}', 422, "PUT"
    ),
    lambda figure, one: Planted(f"/reviews/{one}", review("A", note=f"owes {figure}"), 200),
    lambda figure, one: Planted(
        f"/reviews/{one}", review("B", reviewer=figure), 409, before=review("A")
    ),
    lambda figure, one: Planted(f"/reviews/{one}", review("C", note=figure * 500), 422),
    # And of an alarm that is not raised.
    lambda figure, _: Planted("/alarms/drift/acknowledgement", said(f"saw {figure}"), 409),
    lambda figure, _: Planted("/alarms/validity/beginning", said(figure * 500), 422),
    lambda figure, _: Planted(f"/alarms/{figure}/beginning", said(""), 404),
]


def review(grade: str, note: str = "", reviewer: str = "kim") -> str:
    return json.dumps({"grade": grade, "note": note, "reviewer": reviewer})


def said(note: str) -> str:
    return json.dumps({"name": "kim", "note": note})


def planted(count: int) -> Iterator[tuple[str, Place]]:
    """Figures that are to be found nowhere, and where each is put."""
    drawn = np.random.default_rng(0)
    for place in islice(cycle(PLACES), count):
        yield str(drawn.integers(10 ** (DIGITS - 1), 10**DIGITS) | 1), place


def found(figures: list[str], text: str) -> list[str]:
    """Those that a text has, wherever it puts the point."""
    digits = text.replace(".", "")
    return [figure for figure in figures if figure[:TOLD] in digits]


def ask(service: Service, asked: Planted) -> httpx.Response:
    return httpx.request(
        asked.method,
        service.url + asked.address,
        content=asked.content,
        headers=JSON | asked.headers,
        timeout=60,
    )


def streamed(service: Service) -> str:
    """The first event of the figures' stream."""
    with closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)) as line:
        line.request("GET", "/uncertainty/stream")
        answer = line.getresponse()
        return "".join(answer.readline().decode() for _ in range(2))


@pytest.mark.claim("planted figures", test=20, proof=50)
def test_figures_are_said_nowhere(count: int, record_property: Callable[[str, Any], None]) -> None:
    """In bodies good and bad, headers, queries, addresses, notes; every logger at DEBUG."""
    figures = [figure for figure, _ in planted(count)]
    assert count == len(set(figures))
    pages, recorded = [], ""
    with serving("loan-grade/4", program=LOUD) as service:
        for figure, place in planted(count):
            one = httpx.post(f"{service.url}/predict/mc", json=LOAN).json()["id"]
            asked = place(figure, one)
            if asked.before is not None:
                ask(service, replace(asked, content=asked.before))
            answer = ask(service, asked)
            assert asked.status == answer.status_code, (asked, answer.text)
            if answer.is_error:
                pages.append(answer.text + str(answer.headers))
            else:
                recorded += answer.text + httpx.get(f"{service.url}/predictions/{one}").text
        pages += [
            httpx.get(f"{service.url}/metrics", headers={"Accept": accept}).text
            for accept in ("text/plain", "application/openmetrics-text")
        ]
        pages += [httpx.get(f"{service.url}/uncertainty").text, streamed(service)]
        assert 0 == service.stop()
        pages.append(service.written())
    assert "DEBUG" in pages[-1]
    assert 2 * count <= pages[-1].count("dubito.access")
    # What may say figures does, so that they would have been found.
    assert found(figures, recorded)
    leaks = [leak for page in pages for leak in found(figures, page)]
    record_property("figure", f"{len(leaks)} of {count} found")
    assert [] == leaks


FAULTS = """
import asyncio, threading
from app.serving.predictor import Predictor

async def lost(text):
    raise ValueError(text)

async def predict(self, rows, client=None):
    text, loop = repr(rows.tolist()), asyncio.get_running_loop()
    loop.create_task(lost(text))
    loop.call_soon(int, text)
    threading.Thread(target=int, args=(text,)).start()
    raise ExceptionGroup(text, [ValueError(text)])

Predictor.predict = predict
"""


def test_a_fault_of_our_own_says_no_figure() -> None:
    """Its text has some: in a request, a task, a callback and a thread; at DEBUG too.

    The line says what kind of error it was, where it came from, and in whose request.
    """
    figure = "12345678901"
    with serving("loan-grade/1", program=FAULTS + LOUD) as service:
        for _ in range(3):
            asked = graded("loan_amount", f"{figure[:5]}.{figure[5:]}", 500, "/predict")
            answer = ask(service, replace(asked, headers={"X-Request-ID": "x7"}))
            assert (500, "x7") == (answer.status_code, answer.headers["X-Request-ID"])
            assert [] == found([figure], answer.text)
        assert 200 == httpx.get(f"{service.url}/health/live").status_code
        assert 0 == service.stop()
        lines = service.written().splitlines()
    failed = [line for line in lines if " 500 " in line]
    assert 3 == len(failed)
    for line in failed:
        assert " ERROR dubito.access[" in line
        assert " x7 ValueError at app/usecases/predict.py:" in line
    for cause in ("Task exception was", "Exception in callback", "a thread ended by an unexpected"):
        assert 3 == sum(cause in line and ": ValueError" in line for line in lines), cause
    assert not any("Traceback" in line for line in lines)
    assert [] == found([figure], "".join(lines))
