"""Scores how well a loan's payments fit a hypothesis, under five stories of how it was paid.

A hypothesis is a rate, a term, a number of instalments paid and a length of the first period. Under
it the principal, the interest or their sum may match the lender's books to the cent, and which of
them do depends on the story of the loan:

- *on time*: the principal is the schedule's, the interest differs by whole days of the amount;
- *late*: the total paid is the schedule's, but late days turned principal into interest;
- *moved*: the same, with a first period of another whole number of days;
- *extra*: the sum paid beyond the instalments is round, or every payment was;
- *paid off*: the rest was paid at once, a whole number of days after an instalment.

Each story is weighed by a Bayes factor: a residual within the rounding has probability about 1 if
the story holds and `2 · ROUNDED / span` by chance, where `span` is the range of values (cents) over
which chance spreads it (Kass & Raftery 1995, eq. 1).
"""

import math
from dataclasses import dataclass
from typing import Any

from dubito.loans.amortization import DAYS_A_MONTH, DAYS_A_YEAR, Schedule

ROUNDED = 0.6
"""Rounding tolerance in cents: half a cent for the payment, and 0.1 for the rounding of inputs."""
LOG_WIDTH = math.log(2.0 * ROUNDED)
FLOOR = -3.0
"""Least log weight of a residual, which falls by 1 for each cent beyond rounding."""
ROUND_SUMS = (1.0, 5.0, 10.0, 50.0, 100.0)
"""Amounts of money of which extra payments are often multiples."""
ROUND_PAYMENTS = (1.0, 5.0, 10.0, 25.0, 50.0)
"""Amounts of money to whose multiples payments are often rounded up."""
LOG_SPAN = math.log(1000.0)
"""Log of the span, in cents, over which chance spreads principal and totals."""
MOST_DAYS = 33.0
"""Largest number of days between the last instalment and the payment of the rest."""


@dataclass(frozen=True, slots=True)
class Loan:
    """Amount and payments of loans, each `(…, 1)`, in units of money rounded to cents."""

    amount: Any
    principal: Any
    interest: Any
    fees: Any


@dataclass(frozen=True, slots=True)
class Residuals:
    """Differences between payments and hypotheses, each `(…, E)`, in units of money or in days.

    A field `…_cents` is the distance of its days from a whole number, as interest in cents.
    """

    principal: Any
    """Principal paid beyond the schedule, money."""
    interest: Any
    """Interest paid beyond the schedule and the first period's days, money."""
    total: Any
    """Sum of `principal` and `interest`, money."""
    off: Any
    """Interest paid beyond the schedule, in days of interest on the whole amount."""
    off_cents: Any
    moved: Any
    """Principal and interest paid beyond the schedule, in days of interest on the whole amount."""
    moved_cents: Any
    after: Any
    """Days since the last instalment, if `interest` accrued on the balance."""
    after_cents: Any
    before: Any
    """Number of days for which the extra `principal` has saved interest."""
    before_cents: Any
    follows: Any
    """Mask of hypotheses under which `after` is a possible number of days."""
    precedes: Any
    """Mask of hypotheses under which `before` is a possible number of days."""


def residuals(
    xp: Any,
    loan: Loan,
    books: Schedule,
    rate: Any,
    first: Any,
    paid: Any,
) -> Residuals:
    """Compute the residuals of loans under every hypothesis."""
    principal = loan.principal - books.principal
    beyond = loan.interest - books.interest
    interest = beyond - first * books.day
    daily = rate / DAYS_A_YEAR
    on_balance = xp.maximum(books.balance, 1.0) * daily
    on_principal = xp.maximum(xp.abs(principal), 0.01) * daily
    off = beyond / books.day
    moved = (principal + beyond) / books.day
    after = interest / on_balance
    saved = xp.where(principal < 0.0, interest, -interest)
    before = xp.clip(saved / on_principal, -1e4, 1e4)
    return Residuals(
        principal=principal,
        interest=interest,
        total=principal + interest,
        off=off,
        off_cents=_apart(xp, off, books.day),
        moved=moved,
        moved_cents=_apart(xp, moved, books.day),
        after=after,
        after_cents=_apart(xp, after, on_balance),
        before=before,
        before_cents=_apart(xp, before, on_principal),
        follows=_all(xp, after > -0.5, after < MOST_DAYS, principal > -0.015),
        precedes=_all(
            xp,
            before > -0.5,
            before < (DAYS_A_MONTH + 0.5) * paid,
            xp.abs(principal) > 0.015,
        ),
    )


def weight(xp: Any, cents: Any, log_span: Any) -> Any:
    """Compute the log Bayes factor of a residual in cents, given the log of its span in cents."""
    return xp.maximum(_unbounded(xp, cents, log_span), FLOOR)


def _unbounded(xp: Any, cents: Any, log_span: Any) -> Any:
    return log_span - LOG_WIDTH - xp.maximum(cents - ROUNDED, 0.0)


@dataclass(frozen=True, slots=True)
class Stories:
    """Log weights `(…, E)` of the stories, up to a constant they share."""

    on_time: Any
    late: Any
    moved: Any
    extra: Any
    paid_off: Any
    best: Any
    """Largest log weight of the stories that are possible for the loan."""


def stories(
    xp: Any,
    loan: Loan,
    books: Schedule,
    found: Residuals,
    first: Any,
    paid: Any,
    rate: Any,
) -> Stories:
    """Compute the log weight of every story under every hypothesis."""
    log_day = xp.log(books.day * 100.0 + 4.0)
    apart_by = xp.abs(found.principal)
    apart = xp.log1p(apart_by)
    on_time = (
        1.4 * weight(xp, apart_by * 100.0, LOG_SPAN)
        + weight(xp, found.off_cents, log_day)
        - 0.6 * xp.log1p(xp.abs(found.off - first))
    )
    possible = as_number(xp, _any(xp, found.principal < 0.015, found.precedes), found.total)
    late = weight(xp, xp.abs(found.total) * 100.0, LOG_SPAN) - 0.8 * apart + 2.0 * possible - 1.0
    moved = (
        weight(xp, found.moved_cents, log_day)
        + 1.0
        - 1.2 * apart
        - 0.35 * xp.log1p(xp.abs(found.moved - first))
        - 2.0 * as_number(xp, _any(xp, xp.abs(found.moved) > MOST_DAYS, paid < 0.5), found.total)
    )
    extra = (
        roundness(xp, found.total, books.instalment, paid)
        + _when(xp, found, rate, log_day)
        - 1.0
        - 0.3 * xp.log1p(xp.abs(found.total) / books.instalment)
    )
    hit = weight(xp, found.after_cents, log_day)
    paid_off = xp.where(found.follows, hit, -4.0 * xp.ones_like(hit))
    running = xp.maximum(xp.maximum(on_time, late), xp.maximum(moved, extra))
    over = loan.principal > loan.amount - 0.01
    return Stories(on_time, late, moved, extra, paid_off, xp.where(over, paid_off, running))


def roundness(xp: Any, total: Any, instalment: Any, paid: Any) -> Any:
    """Compute the log weight that `total`, paid beyond instalments, or each payment is round."""
    count = xp.maximum(paid, 1.0)
    log_count = xp.log(count)
    each = instalment + total / count
    best = FLOOR * xp.ones_like(total)
    # `best` starts at the floor, so `weight`, which applies the floor to each term, is not needed.
    for unit, prior in zip(ROUND_SUMS, (1.0, 1.2, 1.5, 2.0, 2.0), strict=True):
        found = _unbounded(xp, cents_from(xp, total, unit), math.log(unit * 100.0))
        best = xp.maximum(best, found - prior)
    payments = best
    for unit, prior in zip(ROUND_PAYMENTS, (1.5, 1.5, 2.0, 2.0, 2.3), strict=True):
        cents = cents_from(xp, each, unit) * count
        found = _unbounded(xp, cents, math.log(unit * 100.0) + log_count)
        payments = xp.maximum(payments, found - prior)
    return xp.where(paid > 0.5, payments, best)


def cents_from(xp: Any, money: Any, unit: float) -> Any:
    """Return the distance to the nearest multiple of `unit`, in cents."""
    return xp.abs(money - unit * xp.round(money / unit)) * 100.0


def _when(xp: Any, found: Residuals, rate: Any, log_day: Any) -> Any:
    """Return half the log weight that the extra money was paid a whole number of days away."""
    daily = rate * (100.0 / DAYS_A_YEAR)
    after = 0.5 * weight(xp, found.after_cents, log_day)
    span = xp.log(xp.abs(found.principal) * daily + 4.0)
    before = 0.5 * weight(xp, found.before_cents, span)
    never = -4.0 * xp.ones_like(before)
    return xp.maximum(
        xp.where(found.follows, after, never), xp.where(found.precedes, before, never)
    )


def _apart(xp: Any, days: Any, daily: Any) -> Any:
    """Return the distance of `days` from a whole number, as interest in cents."""
    return xp.abs(days - xp.round(days)) * daily * 100.0


def as_number(xp: Any, condition: Any, like: Any) -> Any:
    """Convert a condition to 1 and 0, in the dtype of `like`."""
    return xp.multiply(condition, xp.ones((), dtype=like.dtype))


def _all(xp: Any, *conditions: Any) -> Any:
    first, *rest = conditions
    for condition in rest:
        first = xp.logical_and(first, condition)
    return first


def _any(xp: Any, one: Any, other: Any) -> Any:
    return xp.logical_or(one, other)
