"""Amortisation of level-payment loans: principal and interest paid after k instalments.

Notation of annuities (Kellison, "The theory of interest", 3rd ed. 2009, §3.2 and §5.2): a loan of
amount P at the monthly rate i over N months is repaid by N equal instalments

    A = P · i / (1 − (1 + i)⁻ᴺ),                                                    (3.2)

which the lender rounds up to the next cent. The retrospective balance after k instalments is

    B(k) = P · (1 + i)ᵏ − A · ((1 + i)ᵏ − 1) / i,                                   (5.2)

so k instalments have paid the principal P − B(k) and the interest k · A − (P − B(k)). The lender
books these in fractions of a cent and counts days by 30/360: a day's interest on a balance B is
B · 12 · i / 360.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from dubito.types import Floats

DAYS_A_YEAR = 360
MONTHS_A_YEAR = 12
DAYS_A_MONTH = 30

ROUNDING = 1e-6
"""Tolerance in cents for an instalment that exceeds a whole cent by floating-point error alone."""


@dataclass(frozen=True, slots=True)
class LoanTerms:
    """Hypotheses about loans `(E,)`: rate, term, instalments paid and days of the first period."""

    rate: Any
    """Rate per year, as a share."""
    months: Any
    """Term N in months."""
    paid: Any
    """Number of instalments paid, k."""
    first: Any
    """Length of the first period in days, minus a month of 30."""

    @property
    def annuity(self) -> Any:
        """Instalment per unit of money lent, before rounding: A / P in (3.2)."""
        monthly = self.rate / MONTHS_A_YEAR
        return monthly / (1.0 - (1.0 + monthly) ** -self.months)

    @property
    def growth(self) -> Any:
        """Growth factor `(1 + i)ᵏ` of money over k months."""
        return (1.0 + self.rate / MONTHS_A_YEAR) ** self.paid

    @property
    def accumulated(self) -> Any:
        """Accumulated value `((1 + i)ᵏ − 1) / i` of k instalments of one unit."""
        return (self.growth - 1.0) / (self.rate / MONTHS_A_YEAR)


def exact_constants(terms: LoanTerms) -> dict[str, Floats]:
    """Compute annuity, growth and accumulated value `(E,)` with the same bits everywhere.

    A library's power depends on the processor's instructions. Here it is the exact power of the
    rounded growth factor, rounded once; all else is IEEE's own operations.
    """
    monthly = terms.rate / MONTHS_A_YEAR
    factors, periods = 1.0 + monthly, (terms.months, terms.paid)
    months, paid = (
        np.array([_power(*pair) for pair in zip(factors.tolist(), number.tolist(), strict=True)])
        for number in periods
    )
    return {
        "annuity": monthly / (1.0 - 1.0 / months),
        "growth": paid,
        "accumulated": (paid - 1.0) / monthly,
    }


@cache
def _power(base: float, exponent: float) -> float:
    """Return a power with a whole exponent, rounded once."""
    return float(Fraction(base) ** int(exponent))


@dataclass(frozen=True, slots=True)
class Schedule:
    """State of a loan in the lender's books after k instalments, in units of money."""

    instalment: Any
    balance: Any
    principal: Any
    """Principal paid so far."""
    interest: Any
    """Interest paid so far, if every period is a whole month."""
    day: Any
    """Interest of one day on the whole amount."""


def schedule(
    xp: Any, amount: Any, rate: Any, annuity: Any, growth: Any, accumulated: Any, paid: Any
) -> Schedule:
    """Compute the books of loans of `amount` `(…, 1)` under hypotheses `(…, E)`.

    `xp` is the array namespace to compute in, such as NumPy or `keras.ops`.
    """
    instalment = xp.ceil(amount * annuity * 100.0 - ROUNDING) / 100.0
    balance = amount * growth - instalment * accumulated
    principal = amount - balance
    return Schedule(
        instalment=instalment,
        balance=balance,
        principal=principal,
        interest=paid * instalment - principal,
        day=amount * rate / DAYS_A_YEAR,
    )


def books(amount: Floats, terms: LoanTerms) -> Schedule:
    """Compute the books of loans of `amount` `(…)` under terms of the same shape, in NumPy."""
    constants = (terms.rate, terms.annuity, terms.growth, terms.accumulated, terms.paid)
    return schedule(np, amount, *constants)
