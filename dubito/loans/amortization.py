"""Level-payment loans: what has been paid after k instalments.

Notation of annuities (Kellison, "The theory of interest", 3rd ed. 2009, §3.2 and §5.2): a loan of
amount P at the monthly rate i over N months is repaid by N equal instalments

    A = P · i / (1 − (1 + i)⁻ᴺ),                                                    (3.2)

which the lender rounds up to the next cent. The balance after k of them, seen retrospectively, is

    B(k) = P · (1 + i)ᵏ − A · ((1 + i)ᵏ − 1) / i,                                   (5.2)

so that k instalments have paid the principal P − B(k) and the interest k · A − (P − B(k)). The
lender keeps these to fractions of a cent and counts days by 30/360: a day's interest on a balance
B is B · 12 · i / 360.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dubito.types import Floats

DAYS_A_YEAR = 360
MONTHS_A_YEAR = 12
DAYS_A_MONTH = 30

ROUNDING = 1e-6
"""Cents by which an instalment may exceed a whole cent by floating-point error alone."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Hypotheses about loans `(E,)`: a rate, a term, and how many instalments were paid."""

    rate: Any
    """Of a year, as a share."""
    months: Any
    """The term N."""
    paid: Any
    """Instalments k."""
    first: Any
    """Days by which the first period differs from a month of 30."""

    @property
    def annuity(self) -> Any:
        """The instalment for one unit of money, before rounding."""
        monthly = self.rate / MONTHS_A_YEAR
        return monthly / (1.0 - (1.0 + monthly) ** -self.months)

    @property
    def growth(self) -> Any:
        """`(1 + i)ᵏ`."""
        return (1.0 + self.rate / MONTHS_A_YEAR) ** self.paid

    @property
    def accumulated(self) -> Any:
        """`((1 + i)ᵏ − 1) / i`, what k instalments of one unit have grown to."""
        return (self.growth - 1.0) / (self.rate / MONTHS_A_YEAR)


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a loan's books say after its k instalments, in units of money."""

    instalment: Any
    balance: Any
    principal: Any
    """Paid so far."""
    interest: Any
    """Paid so far, for periods of whole months."""
    day: Any
    """A day's interest on the whole amount."""


def schedule(
    xp: Any, amount: Any, rate: Any, annuity: Any, growth: Any, accumulated: Any, paid: Any
) -> Schedule:
    """The books of loans of `amount` `(…, 1)` under hypotheses `(…, E)`, in the namespace `xp`."""
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


def books(amount: Floats, terms: Terms) -> Schedule:
    """The books of loans of `amount` `(…)` under terms of the same shape, in NumPy."""
    constants = (terms.rate, terms.annuity, terms.growth, terms.accumulated, terms.paid)
    return schedule(np, amount, *constants)
