"""Schedules by formula against books that are kept month by month in exact fractions."""

from fractions import Fraction

import numpy as np
import pytest

from dubito.loans.amortization import LoanTerms, Schedule, books
from tests.dubito.loans.lender import kept


def said(amount: float, percent: float, months: int, paid: int) -> Schedule:
    values = (np.array(float(value)) for value in (percent / 100, months, paid, 0))
    return books(np.array(amount), LoanTerms(*values))


CASES = [
    (amount, percent, months, paid)
    for amount in (1.0, 1_000.0, 12_345.67, 40_000.0, 1_000_000.0)
    for percent in (0.01, 5.32, 14.07, 30.79, 40.0)
    for months, paid in ((12, 0), (36, 1), (36, 8), (60, 27), (84, 84))
]


@pytest.mark.parametrize(("amount", "percent", "months", "paid"), CASES)
def test_the_formula_is_the_books_kept_month_by_month(
    amount: float, percent: float, months: int, paid: int
) -> None:
    """Instalment to the cent; balance, principal and interest within 1e-9 of the amount."""
    exact = kept(Fraction(str(amount)), percent, months, paid)
    found = said(amount, percent, months, paid)

    assert float(exact.instalment) == pytest.approx(float(found.instalment), abs=1e-9)
    for name in ("balance", "principal", "interest"):
        money, ours = float(getattr(exact, name)), float(getattr(found, name))
        assert ours == pytest.approx(money, abs=amount * 1e-9 + 1e-9, rel=0)
    day = exact.days(exact.amount, 1)
    assert float(day) == pytest.approx(float(found.day), rel=1e-12)


@pytest.mark.parametrize("percent", [0.5, 5.32, 14.07, 30.79])
@pytest.mark.parametrize("months", [12, 36, 60])
def test_the_whole_term_repays_the_loan(percent: float, months: int) -> None:
    """What is left is what rounding instalments up has overpaid: under a cent each, and grown."""
    balance = said(10_000.0, percent, months, months).balance
    grown = ((1 + percent / 1200) ** months - 1) / (percent / 1200)

    assert -0.01 * grown <= balance <= 1e-6


def test_the_books_of_a_text_book() -> None:
    """10,000 at 12% over 12 months is 888.49 a month; one instalment pays 100.00 of interest."""
    found = said(10_000.0, 12.0, 12, 1)

    assert float(found.instalment) == 888.49
    assert float(found.interest) == pytest.approx(100.0, abs=1e-9)
    assert float(found.balance) == pytest.approx(10_000 - 788.49, abs=1e-9)
    assert float(found.day) == pytest.approx(10_000 * 0.12 / 360)


def test_principal_and_interest_are_the_instalments() -> None:
    """Whatever the rate, what was paid in all is k instalments."""
    found = [said(7_500.0, percent, 36, 5) for percent in (1.0, 10.0, 35.0)]

    for one in found:
        assert float(one.principal + one.interest) == pytest.approx(float(5 * one.instalment))
    assert found[0].principal > found[1].principal > found[2].principal
