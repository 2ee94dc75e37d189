"""Rows made wrong in a known way."""

from dataclasses import replace

import numpy as np

from dubito.bundles.validation.inspection import inspect
from dubito.training.evaluation.shifts import Shift, acceptable_rows, changed, shifts_of
from dubito.types import Signature
from tests.calibrated import SHIPPED, features

SIGNATURE = inspect(SHIPPED).manifest.signature


def test_loans_have_the_mistakes_that_are_known_of_them() -> None:
    """Another bundle has one for each feature, and neighbours of one unit swapped."""
    known = {shift.name for shift in shifts_of(SIGNATURE)}
    assert {"money × 1000", "interest × 5", "amount and income swapped"} <= known

    renamed = [replace(feature, name=f"x_{feature.name}") for feature in SIGNATURE.features]
    plain = {shift.name for shift in shifts_of(Signature(tuple(renamed), SIGNATURE.target))}
    assert {f"{feature.name} × 3" for feature in renamed} <= plain
    assert "x_loan_amount and x_annual_income swapped" in plain
    assert "x_annual_income and x_debt_to_income swapped" not in plain


def test_a_shift_changes_what_it_names_and_nothing_else() -> None:
    """The product and the swap, on a copy; zeros stay as they were and are told so."""
    rows = features(50, 3)
    before = rows.copy()
    money = Shift("money", {"loan_amount": 3.0}).apply(rows, SIGNATURE)
    swapped = Shift("swap", swapped=("loan_amount", "annual_income")).apply(rows, SIGNATURE)

    np.testing.assert_array_equal(rows, before)
    np.testing.assert_array_equal(money[:, 0], 3 * rows[:, 0])
    np.testing.assert_array_equal(money[:, 1:], rows[:, 1:])
    np.testing.assert_array_equal(swapped[:, [1, 0]], rows[:, :2])
    late = Shift("late fees", {"paid_late_fees": 2.0}).apply(rows, SIGNATURE)
    assert not changed(rows, late).any()
    assert changed(rows, money).all()


def test_a_missing_value_is_neither_changed_nor_refused() -> None:
    """It equals itself, and lies within every range."""
    rows = features(5, 4)
    rows[:, 2] = np.nan
    assert not changed(rows, rows.copy()).any()
    assert acceptable_rows(rows, SIGNATURE).all()
    assert not acceptable_rows(rows * 1e12, SIGNATURE).any()
