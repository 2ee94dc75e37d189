"""Formula that finds the hypotheses about a loan that fit its payments best, without Keras.

A lattice of hypotheses is every rate of the lender's book × term × instalments paid × days of the
first period. The loan's payments are compared with the books under each (`amortization`) and
weighed by story (`explanations`), and the best hypotheses are selected. The trained layers behind
it only learn how far to trust each.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dubito.errors import BackendUnavailable
from dubito.loans import explanations
from dubito.loans.amortization import exact_constants, schedule
from dubito.loans.explanations import ROUND_PAYMENTS, ROUND_SUMS, Loan, as_number, cents_from
from dubito.loans.formulas.scoring import SPARE, Scoring
from dubito.loans.ratebook import Hypotheses, RateBook, hypotheses
from dubito.loans.shapes import FEATURES
from dubito.types import Floats

PRIOR = 0.7
"""Weight of a hypothesis' log prior relative to its story's log weight."""
TIE = 1e-9
"""Difference of the priors of neighbours, which breaks ties."""
COMPARED_ROWS = 8
"""Number of rows compared with every hypothesis at a time, few enough for the processor's cache."""


@dataclass(frozen=True)
class Lattice:
    """Nine raw loan features to the best hypotheses; see `dubito.loans.layers.lattice`."""

    classes: int
    """Number of grades."""
    kept: int
    """Number of hypotheses that are selected."""
    book: RateBook

    def __call__(self, xp: Any, rows: Any) -> Any:
        """Compute `(…, 9)` → `(…, kept, W)`, finite for finite inputs ≥ 0."""
        if xp is not np or self.scoring is None:
            return self.exhaustive(xp, rows)
        flat = rows.reshape(-1, FEATURES)
        found = self._listed(self.scoring, flat)
        return found.reshape(*rows.shape[:-1], *found.shape[1:])

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave out what is derived: it is large, and the scores are another library's."""
        return Lattice, (self.classes, self.kept, self.book)

    @cached_property
    def _flat(self) -> Hypotheses:
        return hypotheses(self.book)

    @cached_property
    def _constants(self) -> dict[str, Floats]:
        terms = self._flat.terms
        return {
            "rate": terms.rate,
            "annuity": terms.annuity,
            "growth": terms.growth,
            "accumulated": terms.accumulated,
            "paid": terms.paid,
        }

    @cached_property
    def _about(self) -> dict[str, Floats]:
        return {
            "months": self._flat.terms.months,
            "first": self._flat.terms.first,
            "grade": self._flat.grade,
            "beginning": self._flat.beginning,
        }

    @cached_property
    def _prior(self) -> Floats:
        # The last term breaks ties, so that every backend selects the same hypotheses.
        prior: Floats = PRIOR * self._flat.log_prior - TIE * np.arange(len(self._flat.grade))
        return prior

    @cached_property
    def scoring(self) -> Scoring | None:
        """Shortlists hypotheses; None without a compiler, or if it would list half of them."""
        if len(self._prior) <= 2 * (self.kept + SPARE):
            return None
        try:
            return self.scoring_in()
        except BackendUnavailable:
            return None

    @cached_property
    def _kernel(self) -> Scoring:
        return self.native_in()

    def native_in(self, form: str | None = None) -> Scoring:
        """Create the kernel of the native backend, whose constants have the same bits everywhere.

        Raises:
            BackendUnavailable: the kernel was not built.
        """
        flat = self._flat
        prior = PRIOR * flat.exact_log_prior - TIE * np.arange(len(flat.grade))
        constants = {**self._constants, **exact_constants(flat.terms), **self._about}
        return Scoring({**constants, "prior": prior}, self.kept, form)

    def scoring_in(self, form: str | None = None) -> Scoring:
        """Create the kernel's scores of the formula's own constants, in a form of its arithmetic.

        Raises:
            BackendUnavailable: the kernel was not built.
        """
        constants = {**self._constants, **self._about, "prior": self._prior}
        return Scoring(constants, self.kept, form)

    def native(self, rows: Floats) -> Floats:
        """Compute rows `(N, 9)` by the kernel: flags and choices of NumPy, logs within rounding.

        Raises:
            BackendUnavailable: the kernel was not built.
        """
        return self._kernel.described(rows, self.classes)

    def exhaustive(self, xp: Any, rows: Any) -> Any:
        """Compute the result of a call by comparing every hypothesis."""
        chosen = _best(xp, self.every_score(xp, rows), self.kept)
        return self._described(xp, rows, chosen)[1]

    def _listed(self, scoring: Scoring, rows: Floats) -> Floats:
        """Compute the result for rows `(N, 9)` by shortlist; exhaustively where it may miss any."""
        places, others = scoring.shortlist(rows)
        score, described = self._described(np, rows, places)
        best = _best(np, score, self.kept)
        least = np.take_along_axis(score, best, axis=1).min(axis=1)
        found: Floats = np.take_along_axis(described, best[..., None], axis=1)
        unsure = np.flatnonzero(~(least > others))
        if unsure.size:
            found[unsure] = self._compared(rows[unsure])
        return found

    def _compared(self, rows: Floats) -> Floats:
        """Compute the result for rows `(N, 9)` exhaustively, a few rows at a time."""
        starts = range(0, len(rows), COMPARED_ROWS)
        return np.concatenate([self.exhaustive(np, rows[at : at + COMPARED_ROWS]) for at in starts])

    def every_score(self, xp: Any, rows: Any) -> Any:
        """Compute the score `(…, E)` of every hypothesis."""
        terms = {name: xp.array(values) for name, values in self._constants.items()}
        _, _, told = _compare(xp, _loan(xp, rows), terms, xp.array(self._about["first"]))
        return told.best + xp.array(self._prior)

    def _described(self, xp: Any, rows: Any, chosen: Any) -> tuple[Any, Any]:
        """Compute scores `(…, M)` and features `(…, M, W)` of the hypotheses `chosen` `(…, M)`."""
        loan = _loan(xp, rows)
        terms, about = (
            {name: xp.take(xp.array(values), chosen) for name, values in constants.items()}
            for constants in (self._constants, self._about)
        )
        books, found, told = _compare(xp, loan, terms, about["first"])
        score = told.best + xp.take(xp.array(self._prior), chosen)
        places = [
            _one_hot(xp, about["grade"], self.classes),
            _one_hot(xp, terms["paid"], PAID_SHOWN),
            _one_hot(xp, about["beginning"], BEGINNINGS_SHOWN),
        ]
        columns = [
            about["first"] / 5.0,
            about["months"] / 60.0,
            terms["rate"] * 5.0,
            *_fit(xp, loan, books, found, terms),
            *_round(xp, found, books, terms),
            told.on_time / 10.0,
            told.late / 5.0,
            told.moved / 5.0,
            told.extra / 5.0,
            told.paid_off / 5.0,
            score / 5.0,
            (score - xp.max(score, axis=-1, keepdims=True)) / 5.0,
        ]
        return score, xp.concatenate([*places, xp.stack(columns, axis=-1)], axis=-1)


PAID_SHOWN = 8
"""Width of the one-hot number of instalments paid; larger numbers share the last place."""
BEGINNINGS_SHOWN = 5


def _loan(xp: Any, rows: Any) -> Loan:
    amount, principal, interest, fees = (
        xp.floor(rows[..., column : column + 1] * 100.0 + 0.5) / 100.0 for column in (0, 5, 6, 7)
    )
    return Loan(xp.maximum(amount, 1.0), principal, interest, fees)


def _compare(xp: Any, loan: Loan, terms: dict[str, Any], first: Any) -> tuple[Any, Any, Any]:
    """Compute books, residuals and stories of loans under hypotheses."""
    books = schedule(xp, loan.amount, **terms)
    rate, paid = terms["rate"], terms["paid"]
    found = explanations.residuals(xp, loan, books, rate, first, paid)
    told = explanations.stories(xp, loan, books, found, first, paid, rate)
    return books, found, told


def _best(xp: Any, score: Any, kept: int) -> Any:
    """Return indices `(…, kept)` of the best scores, in increasing order of index."""
    if xp is np:
        return np.sort(np.argpartition(-score, kept - 1, axis=-1)[..., :kept], axis=-1)
    return xp.sort(xp.top_k(score, kept, sorted=False)[1], axis=-1)


def _one_hot(xp: Any, values: Any, count: int) -> Any:
    """Encode `(…)` one-hot as `(…, count)`; larger values share the last place."""
    capped = xp.minimum(values, count - 1.0)[..., None]
    places = xp.arange(count, dtype=values.dtype)
    return as_number(xp, xp.abs(capped - places) < 0.5, values)


def _fit(xp: Any, loan: Loan, books: Any, found: Any, terms: dict[str, Any]) -> list[Any]:
    """Return features of each residual, in logs of cents and in days."""
    principal, total = found.principal, found.total
    size = _log_cents(xp, principal)
    sum_size = _log_cents(xp, total)
    daily = terms["rate"] * (100.0 / 360.0)
    return [
        size,
        xp.sign(principal) * size,
        _within(xp, xp.abs(principal) * 100.0, 0.8),
        _within(xp, xp.abs(principal) * 100.0, 5.5),
        xp.clip(principal / books.instalment, -2.0, 4.0),
        xp.clip(found.off, -40.0, 40.0) / 10.0,
        *_whole(xp, found.off_cents),
        xp.log1p(books.day * 100.0) / 5.0,
        xp.clip(found.moved, -40.0, 40.0) / 10.0,
        *_whole(xp, found.moved_cents),
        xp.clip(found.after, -40.0, 60.0) / 20.0,
        *_whole(xp, found.after_cents),
        as_number(xp, found.follows, size),
        xp.log1p(xp.maximum(books.balance, 1.0) * daily) / 5.0,
        xp.clip(found.before, -100.0, 250.0) / 50.0,
        *_whole(xp, found.before_cents),
        as_number(xp, found.precedes, size),
        xp.log1p(xp.abs(principal) * daily) / 5.0,
        sum_size,
        xp.sign(total) * sum_size,
        _within(xp, xp.abs(total) * 100.0, 0.8),
        _log_cents(xp, found.interest),
        xp.clip(found.interest / books.day, -30.0, 30.0) / 10.0,
        _within(xp, xp.abs(found.interest) * 100.0, 0.8),
        xp.log1p(loan.amount) / 10.0 + 0.0 * size,
        as_number(xp, loan.principal > loan.amount - 0.01, loan.amount) + 0.0 * size,
        as_number(xp, loan.principal + loan.interest < 0.01, loan.amount) + 0.0 * size,
    ]


def _round(xp: Any, found: Any, books: Any, terms: dict[str, Any]) -> list[Any]:
    """Return flags of whether the extra money, or every payment, is a round sum."""
    paid = xp.maximum(terms["paid"], 1.0)
    each = books.instalment + found.total / paid
    sums = [_within(xp, cents_from(xp, found.total, unit), 0.8) for unit in ROUND_SUMS]
    payments = [_within(xp, cents_from(xp, each, unit), 0.8) for unit in ROUND_PAYMENTS]
    return [*sums, *payments]


def _whole(xp: Any, cents: Any) -> list[Any]:
    return [xp.log1p(cents), _within(xp, cents, 0.7), _within(xp, cents, 1.1)]


def _log_cents(xp: Any, money: Any) -> Any:
    return xp.log1p(xp.abs(money) * 100.0) / 5.0


def _within(xp: Any, cents: Any, most: float) -> Any:
    return as_number(xp, cents < most, cents)
