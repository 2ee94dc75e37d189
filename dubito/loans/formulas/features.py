"""Formula of the logs, ratios and payment phases of a loan's nine raw features, without Keras.

Money spans orders of magnitude, so it enters as log(1 + x). A loan's rate determines how its
payments divide into interest and principal, so the ratios of the two, to each other and to the
amount, enter as logs of shares.
"""

import math
from dataclasses import dataclass
from typing import Any

from dubito.loans.formulas.scoring import kernel_features
from dubito.types import Floats

TERMS = (36, 60)
"""Terms of the lender's loans, in months."""


@dataclass(frozen=True, slots=True)
class LoanFeaturesFormula:
    """Nine raw loan features to logs, ratios and phases; see `dubito.loans.layers.features`."""

    def __call__(self, xp: Any, rows: Any) -> Any:
        """Compute `(…, 9)` → `(…, 23)`, row by row; finite for finite inputs ≥ 0.

        `xp` is the array namespace to compute in, such as NumPy or `keras.ops`.
        """
        amount, income, debt, lines, delinquencies, principal, interest, late_fees, delinquent = (
            rows[..., column] for column in range(9)
        )
        paid = principal + interest
        exponent = discount_exponent(xp, amount, principal, interest)
        counts = [payments_made(xp, paid, amount, exponent, term) for term in TERMS]
        columns = [
            xp.log1p(amount),
            xp.log1p(income),
            xp.log1p(debt),
            xp.log1p(lines),
            xp.log1p(delinquencies),
            xp.log1p(principal),
            xp.log1p(interest),
            xp.log1p(late_fees),
            xp.log1p(delinquent),
            xp.log1p(paid),
            share(xp, interest, principal),
            share(xp, interest, amount),
            share(xp, principal, amount),
            share(xp, paid, amount),
            share(xp, amount, income),
            interest / (paid + 1.0),
            exponent,
            *(turn(2.0 * math.pi * payments) for payments in counts for turn in (xp.sin, xp.cos)),
            principal / (amount + 1.0),
            xp.where(paid > 0.0, xp.ones_like(paid), xp.zeros_like(paid)),
        ]
        return xp.stack(columns, axis=-1)

    def native(self, rows: Floats) -> Floats:
        """Compute rows `(N, 9)` by the kernel, within 1e-14 of NumPy's features.

        Raises:
            BackendUnavailable: the kernel was not built.
        """
        return kernel_features(rows)


def share(xp: Any, part: Any, whole: Any) -> Any:
    """Return the log of `part / whole`, with 1 added to both so that it is finite for 0."""
    return xp.log(part + 1.0) - xp.log(whole + 1.0)


def discount_exponent(xp: Any, amount: Any, principal: Any, interest: Any) -> Any:
    """Estimate N · log(1 + r) of a running loan from its payments; r: monthly rate, N: term.

    A level-payment loan pays the instalment `A = amount · r / (1 − (1 + r)⁻ᴺ)`. After k payments
    `k·A = principal + interest`, and the interest is about `k·r` times the mean balance
    `amount − principal / 2`. Interest's share of the payments at that balance is therefore about
    `1 − (1 + r)⁻ᴺ`, whatever k is. Clipped to [0.001, 0.99] so that its log is finite.
    """
    balance = xp.maximum(amount - 0.5 * principal, 0.0) + 1.0
    share_at_balance = interest * amount / ((principal + interest + 1.0) * balance)
    return -xp.log(1.0 - xp.clip(share_at_balance, 0.001, 0.99))


def payments_made(xp: Any, paid: Any, amount: Any, exponent: Any, term: int) -> Any:
    """Estimate the number of instalments paid, if the loan runs over `term` months.

    It is a whole number if `term` is the loan's own, and at most `term` + 1.
    """
    rate = xp.expm1(exponent / term)
    instalment = amount * rate / (1.0 - xp.exp(-exponent))
    return xp.clip(paid / (instalment + 0.01), 0.0, term + 1.0)
