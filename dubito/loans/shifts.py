"""Mistakes that a loan's figures come with: what a service should notice, as data."""

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
"""What a feature is multiplied by: another currency's unit, or a slip in one figure."""

SWAPPED: dict[str, tuple[str, str]] = {
    "interest and principal swapped": ("paid_interest", "paid_principal"),
    "amount and income swapped": ("loan_amount", "annual_income"),
}
"""Two figures in each other's place."""

MISTAKES = Mistakes(TIMES, SWAPPED)
