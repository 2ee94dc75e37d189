"""Learns a lender's rate book from loans, by solving their payments for rate, term and instalments.

The payments of a loan on time determine its rate: the principal paid after k instalments falls as
the rate rises, so it can be solved for the rate (`amortization`), and only the true rate, term and
k match the principal to the cent and leave whole days of interest. Rates are quoted to a hundredth
of a percent.
"""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dubito.loans.amortization import LoanTerms, Schedule, books
from dubito.loans.explanations import ROUNDED
from dubito.loans.ratebook import RateBook, hypotheses_count
from dubito.types import Floats, Indices

TERMS = (12, 24, 36, 48, 60, 72, 84)
"""Common terms of consumer loans, in months."""
QUOTED = 0.01
"""Step of quoted rates, in percent."""
HIGHEST = 40.0
MOST_PAID = 60
FIRST_DAYS = (-10, 31)
"""Least and greatest difference in days between a first period and a month."""
FEWEST_LOANS = 2
"""Least number of loans with a rate for it to enter the book."""
PURE = 0.8
"""Least share of a rate's loans that have the rate's most common grade."""
COMMON = 0.02
"""Least share of the decoded loans with a term or first period for it to enter the book."""
DECODED = 0.05
"""Least share of the loans that must be decoded for a book to be learnt."""
MOST_FIRSTS = 3
FEES = (0.05, 0.06)
"""Origination fees that lenders withhold, as shares of the amount."""
ADVANCED = 0.4
"""Prior share of the loans without a paid instalment that owe days of interest in advance."""
LARGEST = 8192
"""Largest number of hypotheses of a learnt book."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Solutions found for loans on time, `(D,)` each; a loan may have several."""

    loan: Indices
    """Row index of the loan."""
    rate: Floats
    """Rate in percent per year."""
    months: Indices
    paid: Indices
    first: Indices
    """Length of the first period in days, minus a month."""
    weight: Floats
    """Weight of the solution: 1 divided by the number of the loan's solutions."""


def decode(rows: Floats) -> Decoded:
    """Solve the loans `(N, 9)` that are on time."""
    found = [
        part
        for months in TERMS
        for paid in range(1, min(months, MOST_PAID + 1))
        for part in _read(rows, months, paid)
    ]
    loan, rate, months, paid, first = (
        np.concatenate([np.asarray(part[at]) for part in found]) for at in range(5)
    )
    weight = 1.0 / np.bincount(loan, minlength=len(rows))[loan]
    return Decoded(loan, rate, months, paid, first, weight)


def _read(
    rows: Floats, months: int, paid: int
) -> list[tuple[Indices, Floats, Indices, Indices, Indices]]:
    """Find loans that `paid` instalments over `months` explain, at each candidate rate.

    Returns:
        For each candidate, the loans found with their rates, terms, instalments paid and days of
        the first period.
    """
    amount, principal, interest = (np.round(rows[:, at], 2) for at in (0, 5, 6))
    running = (amount > 0) & (principal > 0) & (principal < amount)
    parts = []
    for rate in _candidates(amount, principal, months, paid):
        terms = _terms(np.maximum(rate, QUOTED), months, paid)
        says = books(np.maximum(amount, 1.0), terms)
        days, exact = _residue(says, principal, interest)
        loan = np.flatnonzero(running & (rate >= QUOTED) & exact)
        same = np.full(len(loan), 0)
        parts.append((loan, rate[loan], same + months, same + paid, days[loan]))
    return parts


def _residue(
    says: Schedule, principal: Floats, interest: Floats
) -> tuple[Indices, NDArray[np.bool_]]:
    """Return whole days of the first period, and whether principal and interest match exactly."""
    off = (interest - says.interest) / says.day
    days = np.round(np.clip(off, FIRST_DAYS[0] - 1, FIRST_DAYS[1] + 1))
    exact = np.abs(principal - says.principal) * 100 < ROUNDED
    exact &= np.abs(off - days) * says.day * 100 < ROUNDED
    # If a day's interest is hardly more than the rounding, any interest would match.
    exact &= says.day * 100 > 10 * ROUNDED
    exact &= (days >= FIRST_DAYS[0]) & (days <= FIRST_DAYS[1])
    return days.astype(np.intp), exact


def _candidates(amount: Floats, principal: Floats, months: int, paid: int) -> list[Floats]:
    """Return rates `(N,)` in percent that explain the principal, and their two neighbours."""
    grid = np.arange(1, round(HIGHEST / QUOTED) + 1, dtype=np.float64) * QUOTED
    terms = _terms(grid, months, paid)
    shares = 1.0 - (terms.growth - terms.annuity * terms.accumulated)
    solved = np.interp(
        principal / np.maximum(amount, 1.0), shares[::-1], grid[::-1], left=0, right=0
    )
    nearest = np.round(solved / QUOTED)
    return [np.round((nearest + step) * QUOTED, 2) for step in (-1, 0, 1)]


def _terms(rate: Floats, months: int, paid: int) -> LoanTerms:
    shape = np.ones_like(rate)
    return LoanTerms(rate / 100.0, months * shape, paid * shape, 0.0 * shape)


def learn_book(rows: Floats, labels: Indices, classes: int) -> RateBook | None:
    """Learn the rate book of loans `(N, 9)` with grades `(N,)`; None if too few can be decoded.

    The nine features and the grade are enough: no column of rates is needed.

    Args:
        rows: the nine features, of the fit part only.
        labels: class indices.
        classes: number of grades.
    """
    read = decode(rows)
    if len(np.unique(read.loan)) < DECODED * len(rows):
        return None
    votes = _votes(read.rate, labels[read.loan], read.weight, classes)
    kept = {
        rate: vote
        for rate, vote in sorted(votes.items())
        if vote.sum() >= FEWEST_LOANS and vote.max() >= PURE * vote.sum()
    }
    if len(kept) < 2:
        return None
    terms, term_shares = _common(read.months, read.weight, len(TERMS))
    first, first_shares = _common(read.first, read.weight, MOST_FIRSTS)
    advances = _advances(first)
    whole = sum(vote.sum() for vote in kept.values())
    book = RateBook(
        rates=tuple(kept),
        grades=tuple(int(vote.argmax()) for vote in kept.values()),
        rate_shares=tuple(float((vote.sum() + 1) / whole) for vote in kept.values()),
        terms=terms,
        term_shares=term_shares,
        first_days=first,
        first_shares=first_shares,
        advances=advances,
        advance_shares=(1.0 - ADVANCED, *(ADVANCED / len(advances[1:]) for _ in advances[1:])),
        most_paid=_most_paid(read),
    )
    return _bounded(book)


def _votes(rates: Floats, labels: Indices, weight: Floats, classes: int) -> dict[float, Floats]:
    """Count, for each rate, the loans of each grade `(C,)`, by weight."""
    votes: dict[float, Floats] = {}
    for rate, label, share in zip(np.round(rates, 2).tolist(), labels, weight, strict=True):
        votes.setdefault(rate, np.zeros(classes))[label] += share
    return votes


def _common(
    values: Indices, weight: Floats, most: int
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return the most common values, by falling share, and their shares."""
    counted: Counter[int] = Counter()
    for value, share in zip(values.tolist(), weight, strict=True):
        counted[value] += share
    whole = counted.total()
    kept = [(value, n / whole) for value, n in counted.most_common(most) if n >= COMMON * whole]
    return tuple(value for value, _ in kept), tuple(float(share) for _, share in kept)


def _advances(first: tuple[int, ...]) -> tuple[float, ...]:
    """Compute the days of interest due in advance: fee times the days before the money was sent.

    A first period that differs by `f` < 0 days means that the money took `1 - f` days; until then
    interest accrues only on the fee, which the lender has withheld already. The result is in days
    of interest on the whole amount.
    """
    waits = [1 - days for days in first if days < 0]
    return (0.0, *sorted({round(fee * wait, 4) for fee in FEES for wait in waits}))


def _most_paid(read: Decoded) -> int:
    """Return one more than the largest number of paid instalments that is not rare."""
    counts = np.bincount(read.paid, weights=read.weight)
    return int(np.flatnonzero(counts >= max(2.0, 0.0005 * counts.sum())).max()) + 1


def _bounded(book: RateBook) -> RateBook:
    """Lower the book's greatest number of instalments until it has at most `LARGEST` hypotheses."""
    while hypotheses_count(book) > LARGEST and book.most_paid > 1:
        book = replace(book, most_paid=book.most_paid - 1)
    return book
