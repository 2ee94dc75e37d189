"""A shadow computes what was answered, and nobody who asks notices it."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from dubito import load
from dubito.answer import to_json
from dubito.inputs.rows import example
from dubito.prediction import answer_builder
from tests import postgres
from tests.app.test_swaps import LOAD, NAME, NEW, OLD, Published
from tests.service import ROOT, serving, until

SHIPPED = {version: load(ROOT / "models" / NAME / str(version)) for version in (OLD, NEW)}
USUAL = example(SHIPPED[NEW].signature)


def rows(count: int) -> list[dict[str, Any]]:
    """Loans that differ, some of them strange."""
    random = np.random.default_rng(5)
    return [
        {
            **USUAL,
            "annual_income": float(random.integers(5_000, 200_000)),
            "loan_amount": int(random.integers(1_000, 40_000)),
            "paid_interest": float(random.uniform(0, 4_000)),
        }
        for _ in range(count)
    ]


ROWS = rows(40)


@contextmanager
def served(*arguments: str, shadow: str | None = f"{NAME}/{OLD}") -> Iterator[httpx.Client]:
    words = [] if shadow is None else ["--shadow", shadow]
    with (
        serving(f"{NAME}/{NEW}", *words, *arguments) as service,
        httpx.Client(base_url=service.url, trust_env=False, timeout=60) as client,
    ):
        yield client
        assert 0 == service.stop()
        assert "Traceback" not in service.written()


def answers(client: httpx.Client) -> list[dict[str, Any]]:
    """Answers to all rows alone, with fixed and automatic passes, and together."""
    found = [
        client.post(f"/predict/mc?seed={at}{more}", json=row).json()
        for at, row in enumerate(ROWS)
        for more in ("", "&passes=auto&tolerance=0.01", "&passes=30&target=0.05")
    ]
    together = client.post("/predict/mc?seed=7", json={"instances": ROWS}).json()
    return [*found, *together["predictions"]]


def compared(client: httpx.Client, count: int) -> dict[str, Any]:
    """What is told of the shadow once so many rows were compared."""

    def is_done() -> bool:
        told = client.get("/shadow").json()
        return bool(told["rows"] + told["skipped"] >= count)

    until(is_done)
    found: dict[str, Any] = client.get(f"/models/{NAME}/shadow").json()
    return found


def disagreement(answer: dict[str, Any], row: dict[str, Any]) -> tuple[set[str], float]:
    """In what the shadow's bundle, asked alone for the same, disagrees with an answer."""
    bundle, decision = SHIPPED[OLD], answer["decision"]
    found = bundle.predict_mc(
        [row], passes=answer["passes"], seed=answer["seed"], target=decision["target"]
    )
    manifest = bundle.manifest
    builder = answer_builder(manifest.identity, manifest.target, manifest.calibration)
    other = json.loads(to_json(builder.monte_carlo(found, range(1))[0]))
    members = {"class": "grade", "decision": "action", "set": "grades"}
    both = [
        {**one, **one["decision"], **one["prediction_set"], "grade": one["grade"]}
        for one in (answer, other)
    ]
    kinds = {kind for kind, name in members.items() if both[0][name] != both[1][name]}
    return kinds, max(abs(other["mean"][name] - mean) for name, mean in answer["mean"].items())


@pytest.mark.parametrize("workers", [1, 2])
def test_it_tells_each_disagreement(workers: int) -> None:
    """As often, of the same cases and by as much as the bundle alone, asked for the same."""
    with ExitStack() as stack:
        words = ["--workers", str(workers)]
        if workers > 1:
            url = stack.enter_context(stack.enter_context(postgres.serving()).database())
            words += ["--records-url", url]
        client = stack.enter_context(served(*words))
        given = answers(client)
        told = compared(client, len(given))
        asked = [row for row in ROWS for _ in range(3)] + ROWS
        truth = {
            answer["id"]: disagreement(answer, row)
            for answer, row in zip(given, asked, strict=True)
        }
        assert (len(given), 0) == (told["rows"], told["skipped"])
        for kind in ("class", "decision", "set"):
            count = sum(kind in kinds for kinds, _ in truth.values())
            share = told["disagreements"][kind]
            assert (count, count / len(given)) == (share["rows"], share["share"])
            assert share["lower"] <= share["share"] <= share["upper"]
        assert any(kinds for kinds, _ in truth.values())
        disagreeing = {one for one, (kinds, _) in truth.items() if kinds}
        listed = {one["prediction"]: one for one in told["newest"]}
        assert min(50, len(disagreeing)) == len(listed)
        for prediction, one in listed.items():
            kinds, gap = truth[prediction]
            assert (kinds, gap) == (set(one["kinds"]), one["difference"])
            # Feedback on the case is its history; this is not.
            assert [] == client.get(f"/predictions/{prediction}").json()["history"]
        bins = np.searchsorted(told["differences"]["edges"], [gap for _, gap in truth.values()])
        assert np.bincount(bins, minlength=7).tolist() == told["differences"]["rows"]
        metrics = {
            (sample.name, sample.labels.get("kind")): sample.value
            for family in text_string_to_metric_families(client.get("/metrics").text)
            for sample in family.samples
            if sample.labels.get("version") == str(OLD)
        }
        assert len(given) == metrics["dubito_shadow_rows_total", None]
        for kind, share in told["disagreements"].items():
            assert share["rows"] == metrics["dubito_shadow_disagreements_total", kind]


@pytest.mark.claim("shadow", test=100, proof=5_000)
def test_answers_are_the_same_but_for_their_id(count: int) -> None:
    """To the last bit, for given seeds, whether all of them are compared or none."""
    with (
        served("--records", "off") as shadowed,
        served("--records", "off", shadow=None) as alone,
    ):
        for at in range(count):
            path, row = f"/predict/mc?seed={at}&passes={20 + at % 90}", ROWS[at % len(ROWS)]
            both = [client.post(path, json=row).json() for client in (shadowed, alone)]
            for one in both:
                del one["id"]
            assert both[0] == both[1]
        assert 404 == shadowed.get("/shadow").status_code


def test_what_only_one_has_is_not_compared() -> None:
    """A version without calibration has no sets and no decisions."""
    with served(shadow=f"{NAME}/1") as client:
        client.post("/predict/mc", json=USUAL)
        told = compared(client, 1)["disagreements"]
        assert told["class"]["share"] is not None
        nothing = {"rows": 0, "share": None, "lower": None, "upper": None}
        assert (nothing, nothing) == (told["decision"], told["set"])


def test_a_share_is_compared() -> None:
    """About as many requests as the share says, drawn at random."""
    with served(shadow=f"{NAME}/{OLD}@0.5") as client:
        told = client.get("/models").json()["models"][0]["shadow"]
        assert (OLD, 0.5) == (told["version"], told["share"])
        for _ in range(100):
            client.post("/predict/mc", json=USUAL)
        until(lambda: client.get("/shadow").json()["rows"] > 25)
        assert client.get("/shadow").json()["rows"] < 75


def test_it_follows_a_swap(tmp_path: Path) -> None:
    """What is told is of the bundle that is served; of itself there is nothing to compare."""
    published = Published(tmp_path)
    words = ("--models", str(published.models), "--shadow", f"{NAME}/{OLD}")
    with (
        serving(NAME, *words) as service,
        httpx.Client(base_url=service.url, trust_env=False, timeout=60) as client,
    ):
        client.post("/predict/mc", json=USUAL)
        until(lambda: client.get("/shadow").json()["rows"] == 1)
        published.show(OLD)
        assert 200 == client.post(LOAD).status_code
        client.post("/predict/mc", json=USUAL)
        gone = client.get("/shadow")
        assert (404, "no_shadow") == (gone.status_code, gone.json()["code"])
        for more in range(2, 4):
            for shown in (NEW, OLD, NEW):
                published.show(shown)
                assert 200 == client.post(LOAD).status_code
            client.post("/predict/mc", json=USUAL)
            until(lambda more=more: client.get("/shadow").json()["rows"] == more)  # type: ignore[misc]
        assert 0 == service.stop()
        assert "Traceback" not in service.written()


def test_counts_outlive_a_restart(tmp_path: Path) -> None:
    """They are part of the records, and what was compared before an orderly end is in them."""
    words = ("--state", str(tmp_path))
    with served(*words) as client:
        given = answers(client)
        compared(client, len(given))
    with served(*words) as client:
        assert len(given) == client.get("/shadow").json()["rows"]
