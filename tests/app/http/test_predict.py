"""What the two grading routes answer: the engine's own numbers, whatever way a row is sent."""

import json
import time
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from starlette.testclient import TestClient

from dubito.bundle import Bundle
from dubito.features import NumberFeature
from dubito.types import MAX_SEED, Query, Summary
from tests.dubito.inputs.bodies import KOREAN

CLASSES = list("ABCDEFG")
UNCERTAINTY = ["predictive_entropy", "expected_entropy", "mutual_information", "variation_ratio"]
IDENTITY = {"id", "grade", "warnings", "model"}
PLAIN = IDENTITY | {"probabilities"}
JUDGED = {"prediction_set", "decision"}
DOUBTED = IDENTITY | JUDGED | {"mean", "std", "passes", "seed", "precision", "uncertainty"}
Loan = dict[str, Any]


def loans(count: int, seed: int = 0) -> list[Loan]:
    """Different valid loans, some without a debt_to_income."""
    random = np.random.default_rng(seed)
    amounts = random.integers(1_000, 40_000, count)
    paid = np.round(amounts * random.random(count), 2)
    return [
        {
            "loan_amount": int(amounts[at]),
            "annual_income": float(np.round(random.uniform(1e4, 2e5), 2)),
            "debt_to_income": None if at % 7 == 3 else float(np.round(random.uniform(0, 60), 2)),
            "total_credit_lines": int(random.integers(2, 80)),
            "delinq_2y": int(random.integers(0, 4)),
            "paid_principal": float(paid[at]),
            "paid_interest": float(np.round(paid[at] * random.random() / 3, 2)),
            "paid_late_fees": 0,
            "current_accounts_delinq": 0,
        }
        for at in range(count)
    ]


def array(rows: list[Loan]) -> np.ndarray:
    return np.array(
        [[np.nan if row[name] is None else row[name] for name in KOREAN] for row in rows],
        dtype=np.float64,
    )


def expected(summary: Summary, row: int) -> Loan:
    """The members of an answer that follow from the engine's statistics."""
    return {
        "grade": CLASSES[int(summary.predicted[row])],
        "mean": dict(zip(CLASSES, summary.mean[row].tolist(), strict=True)),
        "std": dict(zip(CLASSES, summary.std[row].tolist(), strict=True)),
        "uncertainty": {name: float(getattr(summary, name)[row]) for name in UNCERTAINTY},
    }


def numbers(answer: Loan) -> Loan:
    """An answer without what differs between two equal requests."""
    return {name: value for name, value in answer.items() if name != "id"}


def ask(client: TestClient, route: str, body: Any, **options: Any) -> Any:
    answer = client.post(route, json=body, params=options)
    assert 200 == answer.status_code, answer.text
    assert "application/json" == answer.headers["content-type"]
    return answer.json()


def test_one_loan_is_graded_as_the_engine_does(client: TestClient, bundle: Bundle) -> None:
    """`/predict` and `/predict/mc` answer the engine's doubles exactly, one row at a time."""
    for row in loans(12):
        plain = bundle.engine.predict(array([row]))[0]
        (summary,) = bundle.engine.summarise([Query(array([row]), 30, 5)])
        wanted = expected(summary, 0)

        graded = ask(client, "/predict", row)
        doubted = ask(client, "/predict/mc", row, passes=30, seed=5)

        assert dict(zip(CLASSES, plain.tolist(), strict=True)) == graded["probabilities"]
        assert CLASSES[int(plain.argmax())] == graded["grade"]
        assert wanted == {name: doubted[name] for name in wanted}
        assert (30, 5) == (doubted["passes"], doubted["seed"])


def test_many_loans_are_graded_in_order(client: TestClient, bundle: Bundle) -> None:
    """`instances` answer as their rows do, in their order."""
    rows = loans(60)
    plain = bundle.engine.predict(array(rows))
    (summary,) = bundle.engine.summarise([Query(array(rows), 40, 11)])

    graded = ask(client, "/predict", {"instances": rows})
    doubted = ask(client, "/predict/mc", {"instances": rows}, passes=40, seed=11)

    assert ["predictions"] == list(graded) == list(doubted)
    assert plain.tolist() == [list(one["probabilities"].values()) for one in graded["predictions"]]
    assert [expected(summary, at) for at in range(60)] == [
        {name: one[name] for name in ("grade", "mean", "std", "uncertainty")}
        for one in doubted["predictions"]
    ]


def test_a_row_does_not_know_where_it_stands(client: TestClient) -> None:
    """With a seed, a row answers the same alone, first, last, twice, and among other rows."""
    rows = loans(20)
    alone = [numbers(ask(client, "/predict/mc", row, passes=64, seed=3)) for row in rows]

    for order in (range(20), range(19, -1, -1), [4, 4, 4, 19, 0, 4], [7]):
        body = {"instances": [rows[at] for at in order]}
        together = ask(client, "/predict/mc", body, passes=64, seed=3)["predictions"]
        assert [alone[at] for at in order] == [numbers(one) for one in together]


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**32, MAX_SEED])
def test_a_seed_repeats_an_answer(client: TestClient, loan: Loan, seed: int) -> None:
    """One seed, one answer; the seed is told."""
    first = ask(client, "/predict/mc", loan, seed=seed)
    assert seed == first["seed"]
    assert numbers(first) == numbers(ask(client, "/predict/mc", loan, seed=seed))


def test_a_fresh_seed_is_told_and_repeats(client: TestClient, loan: Loan) -> None:
    """Without a seed each request gets its own, one for all of its rows, which gives it again."""
    answers = [
        ask(client, "/predict/mc", {"instances": [loan, loan]})["predictions"] for _ in range(5)
    ]

    assert [True] * 5 == [one["seed"] == two["seed"] for one, two in answers]
    assert 5 == len({one["seed"] for one, _ in answers})
    for one, _ in answers:
        assert 0 <= one["seed"] <= MAX_SEED
        assert numbers(one) == numbers(ask(client, "/predict/mc", loan, seed=one["seed"]))


def test_the_bundle_says_how_many_passes(client: TestClient, bundle: Bundle, loan: Loan) -> None:
    """Without `passes` the bundle's default is used."""
    answer = ask(client, "/predict/mc", loan, seed=1)
    again = ask(client, "/predict/mc", loan, seed=1, passes=bundle.manifest.passes)

    assert bundle.manifest.passes == answer["passes"]
    assert numbers(again) == numbers(answer)


def test_draws_are_the_passes(client: TestClient, bundle: Bundle) -> None:
    """`draws=true` adds every pass; mean, std and all else are those of the draws."""
    rows = loans(5)
    wanted = bundle.engine.draws(Query(array(rows), 33, 9))

    drawn = ask(client, "/predict/mc", {"instances": rows}, passes=33, seed=9, draws="true")
    plain = ask(client, "/predict/mc", {"instances": rows}, passes=33, seed=9, draws="false")

    for at, (one, other) in enumerate(zip(drawn["predictions"], plain["predictions"], strict=True)):
        draws = np.array([one["draws"][name] for name in CLASSES])
        assert wanted[:, at].T.tolist() == draws.tolist()
        np.testing.assert_allclose(draws.mean(axis=1), list(one["mean"].values()), atol=1e-12)
        np.testing.assert_allclose(draws.std(axis=1), list(one["std"].values()), atol=1e-12)
        assert numbers(other) == {key: one[key] for key in numbers(one) if key != "draws"}


def test_the_first_draws_are_those_of_fewer_passes(client: TestClient, loan: Loan) -> None:
    """Pass t is the same whatever the number of passes."""
    few = ask(client, "/predict/mc", loan, passes=7, seed=4, draws="true")["draws"]
    many = ask(client, "/predict/mc", loan, passes=50, seed=4, draws="true")["draws"]
    assert few == {name: values[:7] for name, values in many.items()}


def test_one_pass_has_no_deviation(client: TestClient, loan: Loan) -> None:
    """The least number of passes is 1: its std, mutual information and variation ratio are 0."""
    answer = ask(client, "/predict/mc", loan, passes=1, seed=0)
    assert dict.fromkeys(CLASSES, 0.0) == answer["std"]
    assert 0.0 == answer["uncertainty"]["mutual_information"]
    assert 0.0 == answer["uncertainty"]["variation_ratio"]


def test_answers_have_the_design_pages_members(
    client: TestClient, bundle: Bundle, loan: Loan
) -> None:
    """Every member is there and no other."""
    identity = bundle.manifest.identity
    model = {"name": "loan-grade", "version": identity.version, "digest": identity.digest}
    graded = ask(client, "/predict", loan)
    doubted = ask(client, "/predict/mc", loan)
    drawn = ask(client, "/predict/mc", loan, draws="true", passes=120)

    assert PLAIN == set(graded)
    assert DOUBTED == set(doubted)
    assert DOUBTED | {"draws"} == set(drawn)
    assert [model] * 3 == [answer["model"] for answer in (graded, doubted, drawn)]
    assert [[]] * 3 == [answer["warnings"] for answer in (graded, doubted, drawn)]
    assert UNCERTAINTY == list(doubted["uncertainty"])
    assert [CLASSES] * 3 == [
        list(part) for part in (graded["probabilities"], doubted["mean"], doubted["std"])
    ]


@pytest.mark.parametrize("route", ["/predict", "/predict/mc"])
def test_identifiers_sort_by_time(client: TestClient, loan: Loan, route: str) -> None:
    """Every row's `id` is its own UUID of version 7; a later request's sorts later."""
    found: list[str] = []
    for _ in range(4):
        rows = ask(client, route, {"instances": [loan] * 5})["predictions"]
        found += [min(row["id"] for row in rows)]
        parsed = [UUID(row["id"]) for row in rows]
        assert {(7, "specified in RFC 4122")} == {(one.version, one.variant) for one in parsed}
        assert 5 == len(set(parsed))
        # Identifiers of one millisecond are in no order.
        time.sleep(0.003)
    assert sorted(found) == found
    assert abs((UUID(found[-1]).int >> 80) / 1000 - time.time()) < 60


@pytest.mark.parametrize("value", [14_400_000, 499, 80_000.01, 0])
@pytest.mark.parametrize("route", ["/predict", "/predict/mc"])
def test_out_of_range_is_told(client: TestClient, loan: Loan, route: str, value: float) -> None:
    """A value far from what training has seen is graded, with the range it has seen."""
    answer = ask(client, route, loan | {"loan_amount": value})
    assert [
        {
            "kind": "out_of_range",
            "feature": "loan_amount",
            "value": value,
            "seen_minimum": 1000,
            "seen_maximum": 40000,
        }
    ] == answer["warnings"]


@pytest.mark.parametrize("value", [1000, 40_000])
def test_the_ends_of_the_range_are_inside(client: TestClient, loan: Loan, value: float) -> None:
    """What training has seen is no reason to warn."""
    assert [] == ask(client, "/predict", loan | {"loan_amount": value})["warnings"]


@pytest.mark.parametrize("value", [500, 999, 40_001, 80_000])
@pytest.mark.parametrize("route", ["/predict", "/predict/mc"])
def test_what_lies_close_to_the_range_is_told(
    client: TestClient, loan: Loan, route: str, value: float
) -> None:
    """With a warning of its own, which is no reason to refer."""
    answer = ask(client, route, loan | {"loan_amount": value}, **_seeded(route))
    (warning,) = answer["warnings"]
    assert {
        "kind": "in_margin",
        "feature": "loan_amount",
        "value": value,
        "seen_minimum": 1000,
        "seen_maximum": 40_000,
    } == warning
    assert not {"in_margin", "out_of_range"} & {*answer.get("decision", {}).get("reasons", ())}


@pytest.mark.parametrize("route", ["/predict", "/predict/mc"])
def test_a_missing_value_is_told(
    client: TestClient, bundle: Bundle, loan: Loan, route: str
) -> None:
    """A loan without debt_to_income is graded as with the imputed value, and the answer says so."""
    feature = bundle.manifest.features[2]
    assert isinstance(feature, NumberFeature)
    missing = ask(client, route, loan | {"debt_to_income": None}, **_seeded(route))
    imputed = ask(client, route, loan | {"debt_to_income": feature.imputed}, **_seeded(route))

    assert [
        {
            "kind": "missing",
            "feature": "debt_to_income",
            "value": None,
            "seen_minimum": feature.seen.minimum,
            "seen_maximum": feature.seen.maximum,
        }
    ] == missing["warnings"]
    # A missing value is a reason to refer by itself.
    told = {"warnings", "decision"}
    assert {key: one for key, one in numbers(imputed).items() if key not in told} == {
        key: one for key, one in numbers(missing).items() if key not in told
    }
    assert [] == imputed["warnings"]


def test_each_row_has_its_own_warnings(client: TestClient, loan: Loan) -> None:
    """A warning stays with its row, and a row may have several, in the features' order."""
    odd = loan | {"debt_to_income": None, "loan_amount": 5, "delinq_2y": 99}
    rows = ask(client, "/predict/mc", {"instances": [loan, odd, loan]})["predictions"]

    assert [0, 3, 0] == [len(row["warnings"]) for row in rows]
    assert ["loan_amount", "debt_to_income", "delinq_2y"] == [
        warning["feature"] for warning in rows[1]["warnings"]
    ]


def _seeded(route: str) -> dict[str, int]:
    return {"seed": 8} if route == "/predict/mc" else {}


@pytest.mark.parametrize("route", ["/predict", "/predict/mc"])
@pytest.mark.parametrize("mixed", [False, True])
def test_korean_names_are_names(client: TestClient, loan: Loan, route: str, *, mixed: bool) -> None:
    """Aliases answer what the names answer to the last bit, in any mixture and order."""
    names = list(loan)[::2] if mixed else list(loan)
    korean = {KOREAN[name] if name in names else name: loan[name] for name in reversed(loan)}

    wanted = numbers(ask(client, route, loan, **_seeded(route)))
    assert wanted == numbers(ask(client, route, korean, **_seeded(route)))
    many = ask(client, route, {"instances": [loan, korean]}, **_seeded(route))["predictions"]
    assert [wanted, wanted] == [numbers(one) for one in many]


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("paid_late_fees", ["0", "0.0", "-0.0", "-0", "0e9", "-0.0e-400", "1e-400"]),
        ("total_credit_lines", ["14", "14.0", "1.4e1", "140e-1"]),
        ("delinq_2y", ["0", "-0.0", "0.000"]),
        ("paid_principal", ["773.87", "773.870", "7.7387e2", "77387e-2"]),
        ("loan_amount", ["1000000000000", "1e12", "1000000000000.0"]),
    ],
)
def test_a_number_has_many_spellings(
    client: TestClient, loan: Loan, name: str, texts: list[str]
) -> None:
    """JSON's spellings of one number answer the same, -0.0 as 0 and 14.0 as 14."""
    answers = []
    for text in texts:
        marked = json.dumps(loan | {name: "here"}).replace('"here"', text)
        answer = client.post("/predict/mc?seed=2", content=marked)
        assert 200 == answer.status_code, (text, answer.text)
        answers.append(numbers(answer.json()))
    assert [answers[0]] * len(answers) == answers


@pytest.mark.parametrize("number", [0.1 + 0.2, 1e-310, 5e-324, 123456.78900000001])
def test_doubles_come_back_as_they_went(client: TestClient, loan: Loan, number: float) -> None:
    """A value in a warning is the double that was sent, to the last bit."""
    row = loan | {"loan_amount": number}
    (warning,) = ask(client, "/predict", row)["warnings"]
    assert number == warning["value"]


@pytest.mark.parametrize(
    "body",
    [
        '{"\\u0069nstances": [%s]}',
        ' \n\t{ "instances" : [ %s ] }\r\n ',
        '{"inst\\u0061nces":[%s]}',
    ],
)
def test_escapes_and_spaces_do_not_matter(client: TestClient, loan: Loan, body: str) -> None:
    """A key is what it stands for, however it is written."""
    escaped = json.dumps(loan).replace("loan_amount", "l\\u006fan_amount")
    answer = client.post("/predict/mc?seed=1", content=body % escaped)
    assert 200 == answer.status_code
    assert [numbers(ask(client, "/predict/mc", loan, seed=1))] == [
        numbers(one) for one in answer.json()["predictions"]
    ]


@pytest.mark.parametrize(
    "media_type", ["application/json", "Application/JSON", "application/json; charset=utf-8", None]
)
def test_json_is_the_media_type(client: TestClient, loan: Loan, media_type: str | None) -> None:
    """JSON is taken, whatever its parameters, and where nothing is said of it."""
    headers = {} if media_type is None else {"Content-Type": media_type}
    answer = client.post("/predict", content=json.dumps(loan), headers=headers)
    assert 200 == answer.status_code


def test_the_largest_request_is_answered(client: TestClient, loan: Loan) -> None:
    """As many rows as are allowed, and as much work as is allowed."""
    rows = ask(client, "/predict/mc", {"instances": [loan] * 1000}, passes=3, seed=1)["predictions"]
    assert 1000 == len(rows)
    assert 1 == len({json.dumps(numbers(row)) for row in rows})


def test_the_most_draws_are_answered(client: TestClient, loan: Loan) -> None:
    """100,000 numbers are the limit of draws: 14,285 × 7 is not reached by a row's 10,000."""
    answer = ask(client, "/predict/mc", loan, passes=10_000, seed=1, draws="true")
    assert [10_000] * 7 == [len(values) for values in answer["draws"].values()]
