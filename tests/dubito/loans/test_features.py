"""What the loan features recover from payments that a schedule made."""

import json
from typing import Any
from zipfile import ZipFile

import keras
import numpy as np
import pytest

from dubito.loans.columns import FEATURES
from dubito.loans.formulas.features import discount_exponent, payments_made, share
from dubito.loans.layers.features import LoanFeatures
from dubito.loans.shapes import FEATURES_WIDTH
from tests.service import ROOT


def paid(amount: float, rate: float, term: int, payments: int) -> tuple[float, float]:
    """Principal and interest paid after some instalments, month by month, to the cent."""
    instalment = amount * rate / (1 - (1 + rate) ** -term)
    balance, principal, interest = amount, 0.0, 0.0
    for _ in range(payments):
        part = balance * rate
        interest, principal = interest + part, principal + instalment - part
        balance -= instalment - part
    return round(principal, 2), round(interest, 2)


SCHEDULES = [
    (amount, yearly / 12, term, payments)
    for amount in (1_000.0, 12_000.0, 40_000.0)
    for yearly in (0.055, 0.12, 0.2, 0.3)
    for term in (36, 60)
    for payments in (1, 3, 6, 8)
]


@pytest.mark.parametrize("xp", [np, keras.ops], ids=["numpy", "keras"])
@pytest.mark.parametrize(("amount", "rate", "term", "payments"), SCHEDULES)
def test_the_exponent_is_that_of_the_loan(
    xp: Any, amount: float, rate: float, term: int, payments: int
) -> None:
    """N · log(1 + r) is recovered within 3% and the unit of currency added to what was paid."""
    principal, interest = paid(amount, rate, term, payments)
    given = map(np.float32, (amount, principal, interest))
    found = float(np.asarray(discount_exponent(xp, *given)))
    assert found == pytest.approx(term * np.log1p(rate), rel=0.03 + 1 / (principal + interest))


@pytest.mark.parametrize(("amount", "rate", "term", "payments"), SCHEDULES)
def test_the_payments_are_counted(amount: float, rate: float, term: int, payments: int) -> None:
    """Under the loan's own term the number of payments is recovered, within the same."""
    principal, interest = paid(amount, rate, term, payments)
    exponent = discount_exponent(np, np.float64(amount), principal, interest)
    found = payments_made(np, principal + interest, np.float64(amount), exponent, term)
    assert found == pytest.approx(payments, rel=0.03 + 1 / (principal + interest))


def test_one_payment_tells_the_rate() -> None:
    """Interest over principal separates two rates of one term after one payment."""
    cheap, dear = (paid(10_000, rate / 12, 36, 1) for rate in (0.06, 0.18))
    assert share(np, cheap[1], cheap[0]) < share(np, dear[1], dear[0])


@pytest.mark.parametrize("shape", [(1, 9), (5, 9), (2, 50, 9)])
def test_the_shape_is_as_stated(shape: tuple[int, ...]) -> None:
    """Nine features become the stated number, over all leading axes."""
    layer = LoanFeatures()
    stated = (*shape[:-1], FEATURES_WIDTH)
    assert shape[-1] == len(FEATURES)
    assert layer.compute(np, np.ones(shape, np.float32)).shape == stated
    assert layer.compute_output_shape(shape) == stated


def test_nothing_paid_says_nothing() -> None:
    """Without payments the rate is at its floor and the flag of payments is 0."""
    row = np.array([[12_000, 6e4, 10, 8, 0, 0, 0, 0, 0]], np.float32)
    found = LoanFeatures().compute(np, row)[0]
    assert found[-1] == 0
    assert found[16] == pytest.approx(-np.log(0.999), rel=1e-3)


def test_it_is_written_as_the_shipped_bundles_have_it() -> None:
    """So that training version 2 anew gives its file, byte for byte."""
    file = ROOT / "models" / "loan-grade" / "2" / "model.keras"
    with ZipFile(file) as archive:
        layers = json.loads(archive.read("config.json"))["config"]["layers"]
    (shipped,) = [layer["config"] for layer in layers if layer["class_name"] == "LoanFeatures"]

    assert json.dumps(shipped) == json.dumps(LoanFeatures(name="loan_features").get_config())
