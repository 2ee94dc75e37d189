"""Several workers on one PostgreSQL database: what they tell together is what one tells."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import Connection, select

from app.record_events import Erasure, now
from app.records.database import open_database, snapshot
from app.records.key import FILE, read_key
from app.records.ledger import Ledger
from app.records.tables import events, replies
from app.records.verification import verify
from dubito.bundles.repository import find_version
from dubito.bundles.validation.inspection import inspect
from dubito.inputs.rows import example
from tests.app.records.clients import Clients
from tests.postgres import MODEL, Server
from tests.service import ROOT, serving, until

PLAIN: Any = {"trust_env": False, "verify": False}
"""For requests with a connection each: certificates would be read for each, and none is used."""
REQUESTS = 120
CORRECTIONS = 16
TOLD = ("total", "drift", "outcomes", "estimate")


def figures(url: str, state: Path, workers: int) -> dict[str, Any]:
    """What `/uncertainty` tells after the same requests, over many connections."""
    usual = example(inspect(find_version(ROOT / "models", "loan-grade", 1)).manifest.signature)
    words = ["loan-grade/1", "--workers", str(workers), "--records-url", url]

    def ask(seed: int) -> None:
        row = usual | {"loan_amount": 1_000 + 300 * seed, "annual_income": 20_000 + 999 * seed}
        # A connection each: the kernel hands them to one worker or the other.
        address = f"{service.url}/predict/mc?seed={seed}&passes={50 + seed % 3}"
        answer = httpx.post(address, json=row, **PLAIN, timeout=60)
        assert 200 == answer.status_code, answer.text
        outcome = f"{service.url}/predictions/{answer.json()['id']}/outcome"
        said = httpx.put(outcome, json={"grade": "ABC"[seed % 3]}, **PLAIN, timeout=60)
        assert 200 == said.status_code, said.text

    with serving(*words, changes={"DUBITO_STATE": str(state)}) as service:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(ask, range(REQUESTS)))
        whole = httpx.get(f"{service.url}/uncertainty?window=6h", **PLAIN).json()
        assert 0 == service.stop()
    return {name: whole[name] for name in TOLD}


def test_several_tell_what_one_tells(server: Server, tmp_path: Path) -> None:
    """Figures, drift and outcomes, to the last digit."""
    with server.database(MODEL) as one, server.database(MODEL) as many:
        alone = figures(one, tmp_path / "one", 1)
        assert REQUESTS == alone["total"]["rows"] == alone["outcomes"]["known"]
        assert alone == figures(many, tmp_path / "many", 2)


def test_requests_to_all_workers_are_told_whole(server: Server, tmp_path: Path) -> None:
    """By status, after the end of two workers that counted them, and while two others run."""
    row = example(inspect(find_version(ROOT / "models", "loan-grade", 1)).manifest.signature)
    place = {"DUBITO_STATE": str(tmp_path)}

    def ask(url: str) -> None:
        for body in (row, {}):
            httpx.post(f"{url}/predict", json=body, **PLAIN, timeout=60)
        httpx.get(f"{url}/nowhere", **PLAIN, timeout=60)

    def told(url: str) -> Any:
        answer = httpx.get(f"{url}/uncertainty?window=6h", **PLAIN, timeout=60)
        return answer.json()["service"]["statuses"]

    with server.database(MODEL) as url, ThreadPoolExecutor(8) as threads:
        words = ["loan-grade/1", "--workers", "2", "--records-url", url]
        with serving(*words, changes=place) as service:
            list(threads.map(ask, [service.url] * 20))
            assert 0 == service.stop()
        with serving(*words, changes=place) as service:
            assert {"200": 20, "404": 20, "422": 20} == told(service.url)
            list(threads.map(ask, [service.url] * 20))
            until(lambda: told(service.url) == {"200": 40, "404": 40, "422": 40})


def test_of_corrections_to_all_workers_at_once_one_is_recorded(
    server: Server, tmp_path: Path
) -> None:
    """Both workers are asked at once to correct the same review; all but one are told no."""
    row = example(inspect(find_version(ROOT / "models", "loan-grade", 1)).manifest.signature)

    def post(url: str, body: Any) -> httpx.Response:
        # A connection each: the kernel hands them to one worker or the other.
        return httpx.post(url, json=body, **PLAIN, timeout=60)

    with (
        server.database(MODEL) as url,
        serving(
            *("loan-grade/1", "--workers", "2", "--records-url", url),
            changes={"DUBITO_STATE": str(tmp_path)},
        ) as service,
        ThreadPoolExecutor(CORRECTIONS) as threads,
    ):
        case = post(f"{service.url}/predict/mc", row | {"loan_amount": 9_000_000}).json()["id"]
        route = f"{service.url}/reviews/{case}"
        last = post(route, {"grade": "A", "reviewer": "Kim", "note": ""}).json()
        for _ in range(5):
            many = [
                {"grade": "ABCDEFG"[at % 7], "reviewer": str(at), "note": ""}
                | {"corrects": last["id"], "why": "a slip"}
                for at in range(CORRECTIONS)
            ]
            told = list(threads.map(lambda body: post(route, body), many))
            (good,) = [answer for answer in told if answer.status_code == 200]
            assert {409} == {answer.status_code for answer in told if answer is not good}
            last = good.json()
        whole = httpx.get(f"{service.url}/predictions/{case}", **PLAIN).json()
        assert last == whole["review"]
        assert 6 == len(whole["history"])


@pytest.mark.claim("erasure under load", test=2, proof=50)
def test_what_is_erased_while_it_goes_on_being_answered(
    server: Server, tmp_path: Path, count: int, record_property: Callable[[str, object], None]
) -> None:
    """Two workers answer a case while it is erased, by its reference and by time.

    Each time the chain verifies, and nothing is left of what was answered before.
    """
    gone = 0
    with (
        server.database(MODEL) as url,
        serving(
            "loan-grade/1",
            "--workers",
            "2",
            changes={"DUBITO_STATE": str(tmp_path), "DUBITO_RECORDS_URL": url},
        ) as service,
        open_database(url) as engine,
        Clients(service.port, "case 7") as clients,
    ):
        key = read_key(tmp_path / FILE)
        for turn in range(count):
            came = len(clients.answered) + 50
            until(lambda came=came: len(clients.answered) > came)  # type: ignore[misc]
            before = list(clients.answered)
            erasure = Erasure(before=now()) if turn % 2 else Erasure(reference="case 7")
            with closing(Ledger(engine, key, str(uuid4()))) as ledger:
                gone += ledger.erase(erasure)
            with snapshot(engine) as connection:
                assert () == verify(connection, key, {}).faults
                assert not _left(connection) & set(before)
        asked, statuses = len(clients.answered), clients.statuses
    assert {200} == statuses.keys()
    record_property("figure", f"{gone:,} of {asked:,} answers erased")
    assert gone > count


def _left(connection: Connection) -> set[str]:
    """Predictions of which something personal is left: of their events, or a reply."""
    is_whole = events.c.personal.is_not(None) | events.c.reference.is_not(None)
    kept = connection.scalars(select(events.c.prediction).where(is_whole))
    return {*kept, *connection.scalars(select(replies.c.prediction))}
