"""What a loan's nine numbers say, on scales a network can read: logs and ratios.

Money spans orders of magnitude, so it enters as log(1 + x). A loan's rate shows in how its
payments divide into interest and principal, so the ratios of the two, to each other and to the
amount, are given as logs of shares.
"""

import math
from typing import Any

from dubito.layers.formula import FormulaLayer
from dubito.layers.registry import registered
from dubito.loans.shapes import FEATURES_WIDTH

TERMS = (36, 60)
"""Months over which the lender's loans run."""


@registered("dubito.loans.layers")
class LoanFeatures(FormulaLayer):
    """Nine raw loan features `(…, 9)` to twenty-three logs, ratios and phases `(…, 23)`.

    The order of the input is that of `dubito.loans.signature.FEATURES`. Computed in double
    precision, as the phases of payments are differences of large numbers.
    """

    def __init__(
        self,
        *,
        # By name, as Keras writes the arguments of a layer into the files that are shipped.
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = "float64",
        autocast: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            activity_regularizer=activity_regularizer,
            trainable=trainable,
            dtype=dtype,
            autocast=autocast,
            **kwargs,
        )

    def compute(self, xp: Any, *inputs: Any) -> Any:
        """Elementwise over all leading axes; every value is finite for finite inputs ≥ 0."""
        (rows,) = inputs
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

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """`(…, 9)` → `(…, 23)`."""
        return (*input_shape[:-1], FEATURES_WIDTH)


def share(xp: Any, part: Any, whole: Any) -> Any:
    """Log of `part / whole`, one unit added to both so that nothing paid is finite."""
    return xp.log(part + 1.0) - xp.log(whole + 1.0)


def discount_exponent(xp: Any, amount: Any, principal: Any, interest: Any) -> Any:
    """N · log(1 + r) of a running loan, from what was paid; r is the monthly rate, N the term.

    A level-payment loan pays the instalment `A = amount · r / (1 − (1 + r)⁻ᴺ)`. After k payments
    `k·A = principal + interest`, and the interest is about `k·r` times the mean balance
    `amount − principal / 2`. Interest's share of the payments at that balance is therefore about
    `1 − (1 + r)⁻ᴺ`, whatever k is. Kept within [0.001, 0.99] so that it has a log.
    """
    balance = xp.maximum(amount - 0.5 * principal, 0.0) + 1.0
    share_at_balance = interest * amount / ((principal + interest + 1.0) * balance)
    return -xp.log(1.0 - xp.clip(share_at_balance, 0.001, 0.99))


def payments_made(xp: Any, paid: Any, amount: Any, exponent: Any, term: int) -> Any:
    """How many instalments of a loan over `term` months make up what was paid.

    A whole number where the term is the loan's own, at most one more than the term.
    """
    rate = xp.expm1(exponent / term)
    instalment = amount * rate / (1.0 - xp.exp(-exponent))
    return xp.clip(paid / (instalment + 0.01), 0.0, term + 1.0)
