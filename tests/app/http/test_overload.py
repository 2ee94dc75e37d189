"""A full queue: refused at once and told when to come again, while health answers."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from app.main import create_app
from app.settings import Settings
from tests.app.http.conftest import SETTINGS

ROWS = 500
PASSES = 200
Bodies = Callable[[httpx.AsyncClient], Awaitable[Any]]


def asked(loan: dict[str, Any]) -> bytes:
    return json.dumps({"instances": [loan] * ROWS}).encode()


async def overloaded(loan: dict[str, Any], crowd: int) -> tuple[list[httpx.Response], list[Any]]:
    """A crowd asks at once of a service that holds two such requests; health is asked meanwhile."""
    work = ROWS * PASSES
    settings = Settings(models=SETTINGS.models, max_work=work, max_queue=2 * work, records="off")
    app = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", timeout=60
        ) as client,
    ):
        route, body = f"/predict/mc?passes={PASSES}&seed=1", asked(loan)
        headers = {"Content-Type": "application/json"}
        posts = [
            asyncio.create_task(client.post(route, content=body, headers=headers))
            for _ in range(crowd)
        ]
        health = []
        while not all(post.done() for post in posts):
            health.append((await client.get("/health/live")).status_code)
            await asyncio.sleep(0.01)
        answers = [await post for post in posts]
        answers.append(await client.post(route, content=body, headers=headers))
    return answers, health


@pytest.fixture(scope="module")
def crowded() -> tuple[list[httpx.Response], list[Any]]:
    loan = {
        "loan_amount": 12000,
        "annual_income": 96000,
        "debt_to_income": 8.6,
        "total_credit_lines": 14,
        "delinq_2y": 0,
        "paid_principal": 773.87,
        "paid_interest": 126.62,
        "paid_late_fees": 0,
        "current_accounts_delinq": 0,
    }
    return asyncio.run(overloaded(loan, 24))


def test_what_the_queue_cannot_hold_is_refused(
    crowded: tuple[list[httpx.Response], list[Any]],
) -> None:
    """503 as a problem with Retry-After in whole seconds, for exactly those who came too late."""
    answers, _ = crowded
    refused = [answer for answer in answers if answer.status_code != 200]

    assert {503} == {answer.status_code for answer in refused}
    # One of the two that are held is being computed, piece by piece.
    assert 24 - 2 == len(refused)
    for answer in refused:
        assert "application/problem+json" == answer.headers["content-type"]
        assert 503 == answer.json()["status"]
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert "X-Request-ID" in answer.headers


def test_what_was_accepted_is_answered(
    crowded: tuple[list[httpx.Response], list[Any]],
) -> None:
    """Those in the queue get one right answer, and so does who comes afterwards."""
    answers, _ = crowded
    means = {
        json.dumps(answer.json()["predictions"][0]["mean"])
        for answer in answers
        if answer.status_code == 200
    }
    assert 1 == len(means)
    assert 200 == answers[-1].status_code


def test_health_answers_under_load(crowded: tuple[list[httpx.Response], list[Any]]) -> None:
    """The event loop is free while the engine computes."""
    _, health = crowded
    assert {200} == set(health)
    assert len(health) > 5


async def hurried(loan: dict[str, Any], *queries: str) -> list[httpx.Response]:
    """The answers to 500 rows, one after the other; the first request makes the rate known."""
    settings = Settings(
        models=SETTINGS.models, max_work=5_000_000, max_queue=5_000_000, records="off"
    )
    app = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", timeout=60
        ) as client,
    ):
        headers = {"Content-Type": "application/json"}
        return [
            await client.post(f"/predict/mc?{query}", content=asked(loan), headers=headers)
            for query in ("passes=100&seed=1", *queries)
        ]


@pytest.fixture(scope="module")
def loan() -> dict[str, Any]:
    return {
        "loan_amount": 12000,
        "annual_income": 96000,
        "debt_to_income": 8.6,
        "total_credit_lines": 14,
        "delinq_2y": 0,
        "paid_principal": 773.87,
        "paid_interest": 126.62,
        "paid_late_fees": 0,
        "current_accounts_delinq": 0,
    }


def test_a_deadline_that_cannot_be_met_is_refused(loan: dict[str, Any]) -> None:
    """503 with Retry-After, before anything is computed; with time enough the same is answered."""
    query = "passes=2000&seed=1&deadline_ms="
    _, refused, answered = asyncio.run(hurried(loan, f"{query}5", f"{query}60000"))
    assert 503 == refused.status_code
    assert "deadline" in refused.json()["detail"]
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert 200 == answered.status_code


def test_fewer_passes_are_made_where_the_client_says_so(loan: dict[str, Any]) -> None:
    """With degrade=true the answer has as many passes as there is time for, and says so."""
    query = "passes=10000&seed=3&deadline_ms=800&degrade=true"
    for _ in range(3):
        _, _, answer = asyncio.run(hurried(loan, "passes=500&seed=1", query))
        # A machine that stands still for a moment may miss the deadline once.
        if answer.status_code == 200:
            break
    assert 200 == answer.status_code
    row = answer.json()["predictions"][0]
    assert row["passes"] < 10_000
    assert {"kind": "degraded", "passes": row["passes"], "asked_passes": 10_000} in row["warnings"]
    assert row["decision"]["guaranteed"] == (row["passes"] >= 100)
    (_, same) = asyncio.run(hurried(loan, f"passes={row['passes']}&seed=3"))
    assert row["mean"] == same.json()["predictions"][0]["mean"]
