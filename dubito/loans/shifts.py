"""Common mistakes in loan data, such as a wrong unit, which an evaluation checks for detection."""

from dubito.domains import Mistakes

TIMES: dict[str, dict[str, float]] = {
    "money × 1000": dict.fromkeys(
        ("loan_amount", "annual_income", "paid_principal", "paid_interest", "paid_late_fees"),
        1000.0,
    ),
    "income × 1000": {"annual_income": 1000.0},
    "amount × 3": {"loan_amount": 3.0},
    "interest × 5": {"paid_interest": 5.0},
}
"""Factors of features by mistake: another unit of money, or a slip in one number."""

SWAPPED: dict[str, tuple[str, str]] = {
    "interest and principal swapped": ("paid_interest", "paid_principal"),
    "amount and income swapped": ("loan_amount", "annual_income"),
}
"""Pairs of features whose values are swapped, by mistake."""

MISTAKES = Mistakes(TIMES, SWAPPED)
