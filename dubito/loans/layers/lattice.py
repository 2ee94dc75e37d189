"""The lattice: the hypotheses about a loan that fit its payments best, each as a row of features.

For every rate of the lender's book × term × instalments paid × days of the first period, the
loan's payments are compared with what the books would say (`amortization`), weighed as stories
(`explanations`), and the best hypotheses kept. What is left to learn is how far to believe each.
"""

from dataclasses import fields
from typing import Any

import keras
import numpy as np

from dubito.layers.formula import FormulaLayer
from dubito.layers.registry import registered
from dubito.loans import explanations
from dubito.loans.amortization import schedule
from dubito.loans.explanations import ROUND_PAYMENTS, ROUND_SUMS, Loan, cents_from, flag
from dubito.loans.layers.shortlist import SPARE, Shortlist
from dubito.loans.ratebook import RateBook, hypotheses
from dubito.loans.shapes import FEATURES, HYPOTHESIS_WIDTH
from dubito.types import Floats

PRIOR = 0.7
"""Weight of a hypothesis' log prior beside its story's log weight."""
SLACK = 1e-6
"""Days by which a limit is wider on the way to the shortlist."""
FEW_ROWS = 2
"""Fewer than these are sooner compared with every hypothesis than TensorFlow is called."""
COMPARED_ROWS = 8
"""Rows that are compared with every hypothesis at a time, which keeps them in the cache."""


@registered("dubito.loans.layers")
class AmortizationLattice(FormulaLayer):
    """Nine raw loan features `(…, 9)` to the `kept` best hypotheses `(…, kept, W)`.

    A hypothesis' first `classes` numbers say its grade, one-hot; the others, about 40, how well it
    fits. Computed in double precision on money rounded to cents.

    Args:
        classes: number of grades.
        kept: hypotheses that are kept.
        kwargs: the members of the lender's `RateBook`, and what every layer takes.
    """

    def __init__(self, classes: int, kept: int, dtype: Any = "float64", **kwargs: Any) -> None:
        book = {field.name: kwargs.pop(field.name) for field in fields(RateBook)}
        super().__init__(dtype=dtype, **kwargs)
        self.book = RateBook.from_config(book)
        self.classes, self.kept = classes, kept
        flat = hypotheses(self.book)
        terms = flat.terms
        self._constants = {
            "rate": terms.rate,
            "annuity": terms.annuity,
            "growth": terms.growth,
            "accumulated": terms.accumulated,
            "paid": terms.paid,
        }
        self._about = {
            "months": terms.months,
            "first": terms.first,
            "grade": flat.grade,
            "beginning": flat.beginning,
        }
        # The last term orders hypotheses that fit equally, alike in every execution.
        self._prior = PRIOR * flat.log_prior - 1e-9 * np.arange(len(terms.rate))
        self.shortlist = self._listing(len(terms.rate))

    def compute(self, xp: Any, *inputs: Any) -> Any:
        """`(…, 9)` → `(…, kept, W)`, finite for finite inputs ≥ 0."""
        (rows,) = inputs
        if xp is not np or self.shortlist is None or rows.size < FEW_ROWS * FEATURES:
            return self.exhaustive(xp, rows)
        flat = rows.reshape(-1, FEATURES)
        # Nobody waits for seconds until it is compiled: both ways give the same bits.
        is_ready = self.shortlist.is_ready()
        found = self._listed(self.shortlist, flat) if is_ready else self._compared(flat)
        return found.reshape(*rows.shape[:-1], *found.shape[1:])

    def exhaustive(self, xp: Any, rows: Any) -> Any:
        """The same as `compute`, found by comparing every hypothesis."""
        chosen = _best(xp, self._scores(xp, rows), self.kept)
        return self._described(xp, rows, chosen)[1]

    def _listed(self, shortlist: Shortlist, rows: Floats) -> Floats:
        """The same for rows `(N, 9)`: the best of the shortlist, where it is long enough."""
        places, others = shortlist.of(rows)
        score, described = self._described(np, rows, places)
        best = _best(np, score, self.kept)
        least = np.take_along_axis(score, best, axis=1).min(axis=1)
        found: Floats = np.take_along_axis(described, best[..., None], axis=1)
        unsure = np.flatnonzero(~(least > others))
        if unsure.size:
            found[unsure] = self._compared(rows[unsure])
        return found

    def _compared(self, rows: Floats) -> Floats:
        """The same for rows `(N, 9)`, few of them at a time compared with every hypothesis."""
        starts = range(0, len(rows), COMPARED_ROWS)
        return np.concatenate([self.exhaustive(np, rows[at : at + COMPARED_ROWS]) for at in starts])

    def _listing(self, places: int) -> Shortlist | None:
        """A shortlist, where there is anything to leave out."""
        if places <= 2 * (self.kept + SPARE):
            return None

        def score(row: Any) -> Any:
            return self._scores(keras.ops, row, SLACK)

        return Shortlist(score, FEATURES, places, self.kept)

    def _scores(self, xp: Any, rows: Any, slack: float = 0.0) -> Any:
        """Of every hypothesis, `(…, E)`."""
        terms = {name: xp.array(values) for name, values in self._constants.items()}
        _, _, told = _compare(xp, _loan(xp, rows), terms, xp.array(self._about["first"]), slack)
        return told.best + xp.array(self._prior)

    def _described(self, xp: Any, rows: Any, chosen: Any) -> tuple[Any, Any]:
        """Scores `(…, M)` of some hypotheses, and all that is known of them `(…, M, W)`."""
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

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """`(…, 9)` → `(…, kept, W)`."""
        return (*input_shape[:-1], self.kept, self.classes + HYPOTHESIS_WIDTH)

    def get_config(self) -> dict[str, Any]:
        """The book travels in the configuration."""
        own = {"classes": self.classes, "kept": self.kept}
        return {**super().get_config(), **own, **self.book.to_config()}


PAID_SHOWN = 8
"""Instalments that have a feature of their own; more share the last."""
BEGINNINGS_SHOWN = 5


def _loan(xp: Any, rows: Any) -> Loan:
    amount, principal, interest, fees = (
        xp.floor(rows[..., column : column + 1] * 100.0 + 0.5) / 100.0 for column in (0, 5, 6, 7)
    )
    return Loan(xp.maximum(amount, 1.0), principal, interest, fees)


def _compare(
    xp: Any, loan: Loan, terms: dict[str, Any], first: Any, slack: float = 0.0
) -> tuple[Any, Any, Any]:
    """Books, residuals and stories of loans under hypotheses."""
    books = schedule(xp, loan.amount, **terms)
    rate, paid = terms["rate"], terms["paid"]
    found = explanations.residuals(xp, loan, books, rate, first, paid, slack)
    told = explanations.stories(xp, loan, books, found, first, paid, rate, slack)
    return books, found, told


def _best(xp: Any, score: Any, kept: int) -> Any:
    """Indices `(…, kept)` of the best, in increasing order."""
    if xp is np:
        return np.sort(np.argpartition(-score, kept - 1, axis=-1)[..., :kept], axis=-1)
    return xp.sort(xp.top_k(score, kept, sorted=False)[1], axis=-1)


def _one_hot(xp: Any, values: Any, count: int) -> Any:
    """`(…)` → `(…, count)`; what is beyond the last place shares it."""
    capped = xp.minimum(values, count - 1.0)[..., None]
    places = xp.arange(count, dtype=values.dtype)
    return flag(xp, xp.abs(capped - places) < 0.5, values)


def _fit(xp: Any, loan: Loan, books: Any, found: Any, terms: dict[str, Any]) -> list[Any]:
    """How each of the residuals stands, in logs of cents and in days."""
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
        flag(xp, found.follows, size),
        xp.log1p(xp.maximum(books.balance, 1.0) * daily) / 5.0,
        xp.clip(found.before, -100.0, 250.0) / 50.0,
        *_whole(xp, found.before_cents),
        flag(xp, found.precedes, size),
        xp.log1p(xp.abs(principal) * daily) / 5.0,
        sum_size,
        xp.sign(total) * sum_size,
        _within(xp, xp.abs(total) * 100.0, 0.8),
        _log_cents(xp, found.interest),
        xp.clip(found.interest / books.day, -30.0, 30.0) / 10.0,
        _within(xp, xp.abs(found.interest) * 100.0, 0.8),
        xp.log1p(loan.amount) / 10.0 + 0.0 * size,
        flag(xp, loan.principal > loan.amount - 0.01, loan.amount) + 0.0 * size,
        flag(xp, loan.principal + loan.interest < 0.01, loan.amount) + 0.0 * size,
    ]


def _round(xp: Any, found: Any, books: Any, terms: dict[str, Any]) -> list[Any]:
    """Whether extra money, or every payment, is a round sum."""
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
    return flag(xp, cents < most, cents)
