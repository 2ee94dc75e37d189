"""Real input, a real client, a real process: the held-out loans over HTTP."""

import asyncio
import csv
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from dubito.loans.columns import LAYOUT
from dubito.training.data import Table, read_table
from dubito.training.split import split_rows
from tests.service import ROOT, Service, address, begin, command_here, ended, serving

NAMES = [column.name for column in LAYOUT.features]
KOREAN = [column.aliases[0] for column in LAYOUT.features]
CONCURRENCY = 16
OPTIONS: dict[str, Any] = {"seed": 0, "passes": 100}
METRICS = json.loads((ROOT / "models/loan-grade/2/bundle.json").read_bytes())["metrics"]
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def table() -> Table:
    return read_table(None, LAYOUT)


@pytest.fixture(scope="module")
def held_out(table: Table) -> Table:
    """The 2,000 rows that nothing was fitted or chosen on."""
    return table.where(split_rows(table.labels, 0).test)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with serving("loan-grade/2") as service:
        yield service


def rows(table: Table) -> Rows:
    """The rows as JSON: null where a value is missing."""
    return [
        {
            name: None if np.isnan(value) else float(value)
            for name, value in zip(NAMES, row, strict=True)
        }
        for row in table.features
    ]


def asked(url: str, bodies: list[Any], route: str = "/predict/mc", **options: Any) -> list[Any]:
    """The answers to many requests, some at a time, in order."""

    async def all_of_them() -> list[Any]:
        free = asyncio.Semaphore(CONCURRENCY)
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:

            async def one(body: Any) -> Any:
                async with free:
                    answer = await client.post(route, json=body, params=options)
                    assert 200 == answer.status_code, answer.text
                    return answer.json()

            return list(await asyncio.gather(*map(one, bodies)))

    return asyncio.run(all_of_them())


def graded(url: str, loans: Rows, route: str = "/predict/mc", **options: Any) -> Rows:
    """The first quarter one by one, the rest in lists of changing length."""
    quarter = len(loans) // 4
    alone = asked(url, loans[:quarter], route, **options)
    lengths = np.random.default_rng(1).integers(1, 200, len(loans))
    ends = np.minimum(quarter + np.cumsum(lengths), len(loans))
    starts = [quarter, *ends[:-1]]
    lists = [
        {"instances": loans[start:end]}
        for start, end in zip(starts, ends, strict=True)
        if start < end
    ]
    together = asked(url, lists, route, **options)
    return [*alone, *(row for answer in together for row in answer["predictions"])]


def accuracy(answers: Rows, table: Table) -> float:
    told = [LAYOUT.classes.index(answer["grade"]) for answer in answers]
    return float(np.mean(np.array(told) == table.labels))


def without_ids(answers: Rows) -> Rows:
    return [{name: value for name, value in one.items() if name != "id"} for one in answers]


@pytest.fixture(scope="module")
def answers(service: Service, held_out: Table) -> Rows:
    return graded(service.url, rows(held_out), **OPTIONS)


def test_accuracy_over_http_is_the_cards(answers: Rows, held_out: Table) -> None:
    """2,000 held-out loans over HTTP, alone and together: the Monte-Carlo accuracy of the card."""
    assert 2000 == len(answers) == len({answer["id"] for answer in answers})
    assert METRICS["mc"]["accuracy"] == accuracy(answers, held_out)
    card = (ROOT / "models/loan-grade/2/MODEL_CARD.md").read_text(encoding="utf-8")
    line = next(line for line in card.splitlines() if line.startswith("| accuracy "))
    assert f"{accuracy(answers, held_out):.4f}" in line


def test_deterministic_accuracy_over_http_is_the_cards(service: Service, held_out: Table) -> None:
    """`/predict` has the deterministic accuracy of the card."""
    plain = graded(service.url, rows(held_out), "/predict")
    assert METRICS["deterministic"]["accuracy"] == accuracy(plain, held_out)


def test_real_loans_without_a_value_are_graded(answers: Rows, held_out: Table) -> None:
    """Held-out loans without debt_to_income are graded, exactly they with the warning."""
    missing = np.flatnonzero(np.isnan(held_out.features).any(axis=1)).tolist()
    warned = [
        at
        for at, answer in enumerate(answers)
        if ("missing", "debt_to_income")
        in {(warning["kind"], warning["feature"]) for warning in answer["warnings"]}
    ]
    assert missing
    assert missing == warned


def test_a_restart_changes_no_bit(service: Service, answers: Rows, held_out: Table) -> None:
    """Another process, other batches, sixteen clients at once: the same answers to the last bit."""
    with serving("loan-grade/2") as other:
        environment = httpx.get(f"{other.url}/model").json()["environment"]
        assert httpx.get(f"{service.url}/model").json()["environment"] == environment
        order = np.random.default_rng(5).permutation(len(answers))[:800].tolist()
        loans = rows(held_out)
        again = graded(other.url, [loans[at] for at in order], **OPTIONS)
        assert 0 == other.stop()
    assert without_ids([answers[at] for at in order]) == without_ids(again)


def test_neighbours_change_no_bit(service: Service, answers: Rows, held_out: Table) -> None:
    """Concurrent requests of other seeds and passes leave an answer as it is."""
    loans = rows(held_out)[:300]

    async def mixed() -> list[Any]:
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:

            async def one(at: int) -> Any:
                other = {"seed": at, "passes": 1 + at % 150}
                ours, _, _ = await asyncio.gather(
                    client.post("/predict/mc", json=loans[at], params=OPTIONS),
                    client.post("/predict/mc", json=loans[-at], params=other),
                    client.post("/predict", json=loans[at]),
                )
                return ours.json()

            free = asyncio.Semaphore(CONCURRENCY)

            async def turn(at: int) -> Any:
                async with free:
                    return await one(at)

            return list(await asyncio.gather(*map(turn, range(300))))

    assert without_ids(answers[:300]) == without_ids(asyncio.run(mixed()))


def test_what_was_accepted_is_answered_before_the_end(held_out: Table, tmp_path: Path) -> None:
    """SIGTERM while requests compute: they are answered, and the process ends with 0."""
    log = tmp_path / "log"
    process = begin(log, "loan-grade/2")
    try:
        url = address(process, log)
        body = {"instances": rows(held_out)[:300]}

        async def interrupted() -> list[int]:
            async with httpx.AsyncClient(base_url=url, timeout=60) as client:
                assert 200 == (await client.get("/health/ready")).status_code
                posts = [
                    asyncio.create_task(
                        client.post("/predict/mc", json=body, params={"passes": 500, "seed": at})
                    )
                    for at in range(6)
                ]
                await asyncio.sleep(0.2)
                assert not all(post.done() for post in posts)
                process.terminate()
                return [(await post).status_code for post in posts]

        assert [200] * 6 == asyncio.run(interrupted())
        assert 0 == process.wait(30)
    finally:
        ended(process)
    assert "Traceback" not in log.read_text(encoding="utf-8")


# The study's own layout.


def korean(table: Table, encoding: str) -> bytes:
    """A zip with a train.csv as the study has it: Korean columns among others, and no null."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["ID", *KOREAN[:1], "대출기간", *KOREAN[1:], "대출목적", "대출등급"])
    for at, (row, label) in enumerate(zip(table.features, table.labels, strict=True)):
        cells = [repr(float(value)) for value in row]
        lines.writerow(
            [
                f"TRAIN_{at:05}",
                cells[0],
                " 36 months",
                *cells[1:],
                "부채 통합",
                LAYOUT.classes[label],
            ]
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("open/train.csv", text.getvalue().encode(encoding))
        archive.writestr("open/test.csv", "ID\n")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def study(table: Table) -> Table:
    """800 whole rows of every grade."""
    whole = np.flatnonzero(~np.isnan(table.features).any(axis=1))
    rare = whole[table.labels[whole] == 6]
    return table.where(np.concatenate([rare, np.setdiff1d(whole, rare)[: 800 - len(rare)]]))


@pytest.mark.parametrize("encoding", ["cp949", "utf-8-sig"])
def test_the_studys_layout_trains_a_bundle_that_serves(
    study: Table, tmp_path: Path, encoding: str
) -> None:
    """A zip in the study's Korean layout trains, and its bundle answers Korean requests."""
    data = tmp_path / "open.zip"
    data.write_bytes(korean(study, encoding))
    done = command_here(
        *("train", "--data", str(data), "--architecture", "study", "--epochs", "2", "--json"),
        *("--out", str(tmp_path / "models"), "--name", "study"),
    )
    assert 0 == done.returncode, done.stderr.decode()
    told = json.loads(done.stdout)
    assert {"bundle", "metrics"} == set(told)
    assert {"accuracy", "macro_f1", "nll", "brier", "ece"} == set(told["metrics"])

    test = study.where(split_rows(study.labels, 0).test)
    loans = [dict(zip(KOREAN, row.tolist(), strict=True)) for row in test.features]
    with serving(told["bundle"]) as service:
        answers = asked(service.url, [{"instances": loans}], **OPTIONS)[0]["predictions"]
        english = asked(service.url, [{"instances": rows(test)}], **OPTIONS)[0]["predictions"]
        model = httpx.get(f"{service.url}/model").json()
    assert without_ids(english) == without_ids(answers)
    assert told["metrics"]["accuracy"] == accuracy(answers, test)
    assert ("study", 1, 800) == (model["name"], model["version"], model["trained"]["rows"])
