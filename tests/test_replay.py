"""Recorded predictions computed again by real services: of another version, on other arithmetic."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from dubito.bundles.repository import find_version
from dubito.bundles.validation.inspection import inspect
from dubito.inputs.rows import example
from dubito.types import Backend
from tests.service import ROOT, Service, children, is_alive, serving

MODELS = ROOT / "models"
LOAN = example(inspect(find_version(MODELS, "loan-grade", 4)).manifest.signature)
QUERIES = ("", "/mc", "/mc?passes=4000&seed=3", "/mc?passes=auto&target=0.05")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def recorded(state: Path) -> list[str]:
    """Predictions of version 4, by NumPy."""
    return predicted(4, state, "numpy")


def predicted(version: int, state: Path, backend: Backend) -> list[str]:
    """Identifiers of predictions of every kind."""
    settings = Settings(models=MODELS, version=version, state=state, backend=backend)
    with TestClient(create_app(settings), client=("127.0.0.1", 50_000)) as client:
        bodies = [client.post(f"/predict{query}", json=LOAN).json() for query in QUERIES]
        rows = [LOAN | {"loan_amount": 1_000 + at, "debt_to_income": None} for at in range(20)]
        rows.append(LOAN | {"loan_amount": 45_000})
        bodies += client.post("/predict/mc", json={"instances": rows}).json()["predictions"]
    return [body["id"] for body in bodies]


@pytest.mark.parametrize(("version", "backend"), [(3, "numpy"), (4, "numpy"), (4, "native")])
def test_answers_of_before_two_promises_replay_as_they_were(
    version: int, backend: Backend, tmp_path: Path
) -> None:
    """By the version that is served now: same decision, nothing of single cases, same warnings."""
    identifiers = predicted(version, tmp_path, backend)
    with served("loan-grade", tmp_path) as service:
        assert version < httpx.get(f"{service.url}/model").json()["version"]
        told = replayed(service, identifiers)
        last = httpx.get(f"{service.url}/predictions/{identifiers[-1]}").json()
    assert [] == last["warnings"], "45,000 is in the margin, which they did not tell"
    assert [True] * len(told) == [one["identical"] for one in told]
    decisions = [one["answer"]["decision"] for one in told if "decision" in one["answer"]]
    assert decisions
    assert all("case_limit" not in decision for decision in decisions)
    assert 0.03 == decisions[0]["target"]


@contextmanager
def served(bundle: str, state: Path, **changes: str) -> Iterator[Service]:
    """A service on the same records."""
    with serving(bundle, changes={"DUBITO_STATE": str(state), **changes}) as service:
        yield service


def replayed(service: Service, identifiers: list[str]) -> list[Any]:
    """What comes of several that are computed again at once."""
    with httpx.Client(base_url=service.url, timeout=60) as client, ThreadPoolExecutor(8) as pool:
        addresses = [f"/predictions/{identifier}/replay" for identifier in identifiers]
        answers = list(pool.map(client.post, addresses))
    assert {200} == {answer.status_code for answer in answers}
    return [answer.json() for answer in answers]


@pytest.mark.parametrize(("backend", "engines"), [("numpy", 2), ("native", 1)])
def test_the_bundle_that_has_answered_computes_again(
    backend: Backend, engines: int, state: Path, recorded: list[str]
) -> None:
    """To the last bit, in an engine's process of its own, which ends with the service.

    The service's own predictions are computed by its own engine meanwhile, whatever its backend.
    """
    with served("loan-grade/1", state, DUBITO_BACKEND=backend) as service:
        own = httpx.post(f"{service.url}/predict/mc", json=LOAN).json()["id"]
        told = replayed(service, [*recorded, own, *recorded])
        assert [True] * len(told) == [one["identical"] for one in told]
        assert [[]] * len(told) == [one["reasons"] for one in told]
        processes = children(service.process.pid)
        # The engines, and who records.
        assert engines + 1 == len(processes)
        assert 0 == service.stop()
        assert [] == [process for process in processes if is_alive(process)]
        assert "Traceback" not in service.written()


def test_a_record_is_computed_again_by_the_backend_that_computed_it(tmp_path: Path) -> None:
    """Native records are identical under any flags; NumPy's are not computed by the kernel."""
    native, numpy = (predicted(5, tmp_path, backend) for backend in ("native", "numpy"))
    shown = {"TF_ENABLE_ONEDNN_OPTS": "1"}
    for backend, flags in (("native", {}), ("numpy", {}), ("numpy", shown)):
        with served("loan-grade/5", tmp_path, DUBITO_BACKEND=backend, **flags) as service:
            assert backend == httpx.get(f"{service.url}/model").json()["backend"]
            told = replayed(service, native)
            assert [[]] * len(told) == [one["reasons"] for one in told]
            assert [True] * len(told) == [one["identical"] for one in told]
            told = replayed(service, numpy)
            assert [True] * len(told) == [one["identical"] for one in told]
            changed = [one["environment_changed"] for one in told]
            assert [bool(flags)] * len(told) == changed


def _ours(flags: str) -> str:
    """Flags without those of BLAS' own processor."""
    return " ".join(flag for flag in flags.split() if not flag.startswith("OPENBLAS_"))


def test_other_arithmetic_is_told_and_how_far_apart_it_is(state: Path, recorded: list[str]) -> None:
    """A flag that changes it: the facts that differ, before and now, and the largest difference."""
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", ())
    flags = {"NPY_DISABLE_CPU_FEATURES": " ".join(found), "TF_ENABLE_ONEDNN_OPTS": "1"}
    with served("loan-grade/4", state, DUBITO_BACKEND="numpy", **flags) as service:
        fingerprint = httpx.get(f"{service.url}/model").json()["environment"]["fingerprint"]
        shown = httpx.get(f"{service.url}/predictions/{recorded[0]}").json()
        assert fingerprint != shown["environment"]
        told = replayed(service, recorded)
    now = " ".join(f"{name}={text}" for name, text in flags.items())
    for one in told:
        first, *facts = one["reasons"]
        assert "the numerical environment has changed" == first
        (fact,) = (fact for fact in facts if fact.startswith("flags was "))
        before, _, after = fact.removeprefix("flags was ").partition(" and is ")
        # The machine may set flags of its own, which are the same then and now.
        assert ("TF_ENABLE_ONEDNN_OPTS=0", now) == (_ours(before), _ours(after))
        assert bool(found) == any(fact.startswith("instructions was") for fact in facts)
        assert one["identical"] == (one["differing"] == []) == (one["largest_difference"] == 0)
        assert one["largest_difference"] < 1e-6
    assert bool(found) == any(one["largest_difference"] for one in told)
