"""`passes=auto` over HTTP: what is answered, limited and refused."""

import json

import numpy as np
import pytest
from starlette.testclient import TestClient

from dubito.bundle import Bundle
from dubito.types import Query
from dubito.uncertainty.passes import PROBABILITIES, checkpoints
from tests.app.http.test_predict import CLASSES, Loan, array, ask, loans, numbers


def test_the_answer_is_that_of_its_passes(client: TestClient) -> None:
    """Each row answers as it does alone with the passes that are told, but for the tolerance."""
    rows = loans(25, 3)
    options = {"passes": "auto", "tolerance": 0.02, "max_passes": 3000, "seed": 9}
    answers = ask(client, "/predict/mc", {"instances": rows}, **options)["predictions"]

    assert len({answer["passes"] for answer in answers}) > 2
    for row, answer in zip(rows, answers, strict=True):
        again = ask(client, "/predict/mc", row, passes=answer["passes"], seed=9)
        wanted = again["precision"] | {"tolerance": 0.02, "met": True}
        assert numbers(again) | {"precision": wanted} == numbers(answer)
        assert answer["passes"] in list(checkpoints(3000))
        assert answer["precision"]["half_width"] <= 0.02


def test_the_defaults_are_documented(client: TestClient, loan: Loan) -> None:
    """Without more, the tolerance is 0.01 and 10,000 passes are the most."""
    plain = ask(client, "/predict/mc", loan, passes="auto", seed=5)
    named = ask(
        client, "/predict/mc", loan, passes="auto", seed=5, tolerance="0.010", max_passes=10_000
    )
    assert numbers(plain) == numbers(named)
    assert (0.01, True) == (plain["precision"]["tolerance"], plain["precision"]["met"])
    assert plain["passes"] >= 256


def test_the_most_passes_are_told_as_not_enough(client: TestClient, loan: Loan) -> None:
    """A row that is not near enough at its last look says so."""
    answer = ask(client, "/predict/mc", loan, passes="auto", tolerance=0.0001, max_passes=100)
    assert 100 == answer["passes"]
    assert answer["precision"]["half_width"] > 0.0001
    assert answer["precision"]["met"] is False


def test_fixed_passes_tell_their_half_width(client: TestClient, bundle: Bundle) -> None:
    """Without auto the half-width is told as well, and nothing of a tolerance."""
    rows = loans(6)
    (summary,) = bundle.engine.summarise([Query(array(rows), 70, 4)])
    answers = ask(client, "/predict/mc", {"instances": rows}, passes=70, seed=4)["predictions"]
    assert [
        {"half_width": width, "tolerance": None, "met": None}
        for width in PROBABILITIES.half_widths(summary.std, 70).tolist()
    ] == [answer["precision"] for answer in answers]


def test_draws_are_of_each_rows_own_passes(client: TestClient) -> None:
    """With auto every row's draws are as many as its passes."""
    rows = loans(6, 3)
    options = {"passes": "auto", "tolerance": 0.03, "max_passes": 2000, "seed": 9, "draws": "true"}
    answers = ask(client, "/predict/mc", {"instances": rows}, **options)["predictions"]
    for answer in answers:
        draws = np.array([answer["draws"][name] for name in CLASSES])
        assert (7, answer["passes"]) == draws.shape
        np.testing.assert_allclose(draws.mean(axis=1), list(answer["mean"].values()), atol=1e-12)


@pytest.mark.parametrize(
    ("rows", "query", "name"),
    [
        (101, "", "max_passes"),
        (1000, "&max_passes=1001", "max_passes"),
        (2, "&draws=true", "draws"),
    ],
)
def test_the_most_passes_count_as_work(
    client: TestClient, loan: Loan, rows: int, query: str, name: str
) -> None:
    """Rows × max_passes is what the limits of work and of draws are about; 422 names which."""
    body = json.dumps({"instances": [loan] * rows})
    answer = client.post(f"/predict/mc?passes=auto{query}", content=body)
    assert 422 == answer.status_code
    assert [name] == [error["field"] for error in answer.json()["errors"]]


BAD = {
    "passes": ["Auto", "AUTO", "auto ", "auto,64", "0"],
    "tolerance": ["0", "0.00009", "0.51", "-0.01", "1e-2", ".01", "nan", "Infinity", "", "0,1"],
    "max_passes": ["0", "10001", "auto", "1.0", "-1", ""],
}


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, texts in BAD.items() for text in texts]
)
def test_a_bad_option_is_refused(client: TestClient, loan: Loan, name: str, text: str) -> None:
    """422 names the parameter."""
    options = {"passes": "auto"} | {name: text}
    answer = client.post("/predict/mc", json=loan, params=options)
    assert 422 == answer.status_code
    assert [name] == [error["field"] for error in answer.json()["errors"]]
