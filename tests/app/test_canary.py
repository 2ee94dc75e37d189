"""A canary answers its share of the requests, the same ones each time, until it is ended."""

import json
import math
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.settings import Settings
from app.usecases.canary import Canary, canary_key
from dubito import load
from dubito.inputs.rows import example
from tests.app.test_swaps import LOAD, NAME, NEW, OLD, Published, expected
from tests.service import ROOT, Service, command, serving, until

SHARE = 0.3
ROW = example(load(ROOT / "models" / NAME / str(NEW)).signature)
WAYS = ("/predict/mc", f"/models/{NAME}/predict/mc", "/predict", f"/v2/models/{NAME}/infer")
SEED = {"seed": 3}


@contextmanager
def served(*arguments: str, records: str = "off") -> Iterator[tuple[Service, httpx.Client]]:
    words = (f"{NAME}/{OLD}", "--canary", f"{NAME}/{NEW}@{SHARE}", "--records", records)
    with (
        serving(*words, *arguments) as service,
        httpx.Client(base_url=service.url, trust_env=False, timeout=60) as client,
    ):
        yield service, client


def tensors(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": name, "shape": [1], "datatype": "FP64", "data": [value]}
        for name, value in row.items()
    ]


def version(client: httpx.Client, way: str, row: dict[str, Any], reference: str | None) -> int:
    """The version that answers a case, asked for in one of the ways."""
    headers = {} if reference is None else {"Dubito-Reference": reference}
    body: dict[str, Any] = {"inputs": tensors(row)} if way.startswith("/v2") else row
    answer = client.post(way, json=body, headers=headers)
    assert 200 == answer.status_code, answer.text
    told = answer.json()
    return int(told["model_version"] if way.startswith("/v2") else told["model"]["version"])


@pytest.mark.claim("canary", test=100, proof=10_000)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_case_is_always_answered_by_one_version(workers: int, count: int) -> None:
    """Whichever way it is asked for and whichever worker answers; as many as the share says."""
    with (
        served("--workers", str(workers)) as (service, client),
        ThreadPoolExecutor(4) as threads,
    ):
        until(lambda: workers == 1 or service.written().count(" serves") == workers)

        def versions(at: int) -> set[int]:
            reference = f"case {at}"
            ways = {WAYS[at % len(WAYS)], WAYS[(at + 1) % len(WAYS)]}
            with httpx.Client(base_url=service.url, trust_env=False, timeout=60) as other:
                return {
                    version(client, WAYS[0], ROW, reference),
                    *(version(other, way, ROW, reference) for way in ways),
                }

        found = list(threads.map(versions, range(count)))
    assert all(len(one) == 1 for one in found)
    taken = sum(one == {NEW} for one in found)
    assert abs(taken - SHARE * count) < 4 * math.sqrt(count * SHARE * (1 - SHARE))


def test_without_a_reference_the_body_decides() -> None:
    """The same body goes to the same version; other bodies to both."""
    with served() as (_, client):
        rows = [{**ROW, "loan_amount": 1_000 + at} for at in range(60)]
        first = [version(client, "/predict/mc?passes=20", row, None) for row in rows]
        assert first == [version(client, "/predict/mc?passes=10", row, None) for row in rows]
        assert {OLD, NEW} == set(first)


def test_answers_are_those_of_their_version() -> None:
    """Bit for bit, as if each were served alone; a version that is asked for by name answers."""
    with served() as (_, client):
        found = Counter[int]()
        for at in range(20):
            headers = {"Dubito-Reference": str(at)}
            told = client.post("/predict/mc", params=SEED, json=ROW, headers=headers).json()
            del told["id"]
            found[told["model"]["version"]] += 1
            assert expected(told["model"]["version"], 3) == json.dumps(told, sort_keys=True)
            for named in (OLD, NEW):
                way = f"/v2/models/{NAME}/versions/{named}/infer"
                assert named == version(client, way, ROW, str(at))
        assert {OLD, NEW} == found.keys()
        ready = {
            one["version"]: one["state"]
            for one in client.post("/v2/repository/index").json()
            if one["name"] == NAME
        }
        assert ("READY", "READY") == (ready[str(OLD)], ready[str(NEW)])


def test_it_is_recorded_and_replayed() -> None:
    """A record says which version answered, and a replay computes with that."""
    with served(records="durable") as (_, client):
        found = set()
        for at in range(12):
            headers = {"Dubito-Reference": str(at)}
            told = client.post("/predict/mc", json=ROW, headers=headers).json()
            kept = client.get(f"/predictions/{told['id']}").json()
            assert told["model"] == kept["model"]
            assert client.post(f"/predictions/{told['id']}/replay").json()["identical"]
            found.add(told["model"]["version"])
        assert {OLD, NEW} == found


@pytest.mark.parametrize("workers", [1, 2])
def test_it_is_ended_at_once(workers: int) -> None:
    """After the answer to DELETE the served version answers everything, in every worker."""
    with served("--workers", str(workers)) as (service, client):
        until(lambda: workers == 1 or service.written().count(" serves") == workers)
        told = client.get("/canary").json()
        assert (NEW, SHARE) == (told["version"], told["share"])
        assert told == client.get("/models").json()["models"][0]["canary"]
        assert (204, b"") == (
            (ended := client.delete(f"/models/{NAME}/canary")).status_code,
            ended.content,
        )
        for at in range(40):
            with httpx.Client(base_url=service.url, trust_env=False) as other:
                assert OLD == version(other, WAYS[at % len(WAYS)], ROW, str(at))
                gone = other.get("/canary")
                assert (404, "no_canary") == (gone.status_code, gone.json()["code"])
        assert 404 == client.delete("/canary").status_code
        way = f"/v2/models/{NAME}/versions/{NEW}/infer"
        assert 404 == client.post(way, json={"inputs": tensors(ROW)}).status_code
        assert 0 == service.stop()
        assert "Traceback" not in service.written()


def test_a_canary_that_takes_over_has_ended(tmp_path: Path) -> None:
    """Once its version is the one that is served, there is nothing to choose."""
    published = Published(tmp_path)
    published.show(OLD)
    words = ("--models", str(published.models), "--canary", f"{NAME}/{NEW}@0.5")
    with (
        pytest.raises(RuntimeError, match=f"has no version {NEW}"),
        serving(NAME, *words, "--records", "off"),
    ):
        pass
    published.show(NEW)
    # Settings of before the version was the highest need not be changed at once.
    with serving(NAME, *words, "--records", "off") as service:
        assert "no canary of loan-grade: it is the bundle that is served" in service.written()
        assert 404 == httpx.get(f"{service.url}/canary", trust_env=False).status_code
    words = ("--models", str(published.models), "--canary", f"{NAME}/{OLD}@0.5")
    with (
        serving(NAME, *words, "--records", "off") as service,
        httpx.Client(base_url=service.url, trust_env=False, timeout=60) as client,
    ):
        assert OLD == client.get("/canary").json()["version"]
        published.show(OLD)
        assert 200 == client.post(LOAD).status_code
        assert 404 == client.get("/canary").status_code
        assert OLD == version(client, WAYS[0], ROW, "x")


def test_one_that_takes_other_requests_stops_the_start(tmp_path: Path) -> None:
    """A canary answers the same requests: another list of features cannot be one."""
    done = command("serve", NAME, "--canary", "loan-rate/2@0.5", "--state", str(tmp_path))
    assert 2 == done.returncode
    assert b"DUBITO_CANARY must list versions of bundles that DUBITO_MODEL lists" in done.stderr


def test_a_larger_share_keeps_the_cases_of_a_smaller_one() -> None:
    """What a canary has answered stays with it when its share grows."""
    key = canary_key(b"k" * 32, NAME, "sha256:0")
    few, many = (Canary(share, key, lambda: True) for share in (0.1, 0.4))
    names = [f"case {at}" for at in range(2_000)]
    assert {one for one in names if few.takes(one, b"")} < {
        one for one in names if many.takes(one, b"")
    }
    other = Canary(0.1, canary_key(b"k" * 32, NAME, "sha256:1"), lambda: True)
    assert [few.takes(one, b"") for one in names] != [other.takes(one, b"") for one in names]


def test_the_served_version_answers_for_one_that_cannot() -> None:
    """A canary whose engine is lost is given nothing."""
    assert not Canary(1.0, b"k" * 32, lambda: False).takes("case", b"")
    assert Canary(1.0, b"k" * 32, lambda: True).takes("case", b"")


@pytest.mark.parametrize(
    "text", ["loan-grade/5", "loan-grade@0.5", "loan-grade/5@0", "loan-grade/5@2", "loan-grade/5@x"]
)
def test_what_is_no_canary(text: str) -> None:
    """It has a version and a share above 0 and at most 1."""
    with pytest.raises(ValueError, match="DUBITO_CANARY must list NAME/VERSION@SHARE"):
        Settings(canary=text)
